"""Pure: a Workspace and what was observed → the objects that should be, in order."""
