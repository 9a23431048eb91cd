"""Address and credentials of the API server."""
