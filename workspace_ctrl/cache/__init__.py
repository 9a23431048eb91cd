"""The watched objects as typed records, and which Workspaces an event concerns; knows nothing of passes."""
