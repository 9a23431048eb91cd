"""Where statuses are written, and how often again."""
