"""Talking to the API server: client, informers, work queue, typed errors. Knows nothing of Workspaces."""
