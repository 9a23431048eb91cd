"""Slim, frozen records of the Kubernetes objects that decisions read, made from their JSON, and the snapshot of one Workspace's."""
