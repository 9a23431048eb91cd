"""The process: cache, reconciler, kopf shell. Brings the pure core and the API server together; builds no manifests."""
