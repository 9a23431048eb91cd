"""Commands that change a Workspace on behalf of its author."""
