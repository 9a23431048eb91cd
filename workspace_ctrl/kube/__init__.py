"""Access to the API server: client, informers, work queue, typed errors. Independent of Workspaces."""
