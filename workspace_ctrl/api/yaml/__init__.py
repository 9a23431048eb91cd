"""YAML of users: its limits, and its plain scalars."""
