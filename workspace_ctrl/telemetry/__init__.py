"""What the process reports of its own work: metrics and Events."""
