"""workspace-ctrl: a Workspace in, a model behind a Gateway out."""
