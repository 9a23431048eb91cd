"""Reconciliation: connects the pure core and the API server; builds no manifests."""
