"""What passes over Workspaces share: the workers that make them, and the costly part of the newest ones."""
