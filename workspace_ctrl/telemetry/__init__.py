"""Metrics of the process, and Events of Workspaces."""
