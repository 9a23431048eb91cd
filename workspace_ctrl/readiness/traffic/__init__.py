"""What is reported of a group of Workspaces that share an endpoint."""
