"""Pure functions: a Workspace and the observed objects → the desired objects, in order."""
