"""Values that planning and readiness share, besides records: snapshot, decisions, dependencies, results."""
