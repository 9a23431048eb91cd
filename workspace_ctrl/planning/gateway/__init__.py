"""The Gateways of a Workspace, and the requests that they route to it."""
