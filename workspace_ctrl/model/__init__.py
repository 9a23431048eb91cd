"""What planning and readiness share and is no Kubernetes object: the snapshot, decisions, results."""
