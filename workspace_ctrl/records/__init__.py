"""Slim, frozen records of Kubernetes objects with the fields that decisions need, parsed from JSON."""
