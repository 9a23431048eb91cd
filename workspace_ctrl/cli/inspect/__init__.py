"""Commands that look at a Workspace and at the cluster, and change nothing."""
