"""Which clusters of this machine run."""

import json

from e2e.cluster.places import ClusterPlaces, cluster_names
from e2e.cluster.processes import ProcessId


def is_running(name: str) -> bool:
    """Say whether both processes that make a cluster are alive."""
    places = ClusterPlaces(name)
    try:
        ids = json.loads(places.keeper.read_text())
    except FileNotFoundError:
        return False
    return all(ProcessId.from_json(value).alive for value in ids.values())


def running_since() -> list[float]:
    """Return when the clusters that run were started, in seconds since the epoch."""
    running = [ClusterPlaces(name).settings for name in cluster_names() if is_running(name)]
    return [settings.stat().st_mtime for settings in running if settings.exists()]
