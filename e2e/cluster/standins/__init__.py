"""Programs and scripts that stand in for others in images of the local cluster."""
