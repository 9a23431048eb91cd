"""The watched objects as typed records, and which Workspaces an event concerns. Independent of the controller."""
