"""Workspaces of an installed KAITO, in companion mode."""
