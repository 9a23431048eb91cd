"""Helm, as far as a chart is checked before its first use."""
