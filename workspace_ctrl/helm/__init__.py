"""Checks of charts with Helm before their first use."""
