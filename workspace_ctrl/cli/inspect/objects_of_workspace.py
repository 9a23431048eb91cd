"""Which objects belong to a Workspace, by their names and labels. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.names import names
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.kube.resources import Json

_ENDINGS: Final = {
    "ReplicaSet": r"[a-z0-9]{5,10}",
    "Pod": r"[a-z0-9]{5,10}-[a-z0-9]{5}|\d+",
    "Service": "headless",
    "PersistentVolumeClaim": "weights",
}
"""What follows the name of the workload, by kind."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """The names of the objects of one Workspace."""

    workspace: str
    release: str
    endpoint_picker: str

    @classmethod
    def to(cls, item: Json) -> "Belonging":
        """Return the names of the objects of a Workspace."""
        name = str(item["metadata"]["name"])
        gateway = parse_status(item.get("status")).gateway
        own = names(name)
        release = (gateway.pool if gateway is not None else None) or own.release
        picker = (gateway.endpoint_picker if gateway is not None else None) or names(name, release=release).endpoint_picker
        return cls(name, release, picker)

    def has(self, kind: str, name: str) -> bool:
        """Whether an object in the namespace belongs to the Workspace, by its name; ReplicaSets and pods by that of their workload."""
        if name in {self.workspace, self.release, self.endpoint_picker} or name.startswith(f"sh.helm.release.v1.{self.release}."):
            return True
        ending = _ENDINGS.get(kind)
        made = "|".join(map(re.escape, sorted((self.workspace, self.endpoint_picker))))
        return ending is not None and re.fullmatch(rf"(?:{made})-(?:{ending})", name) is not None


def events_of(events: Iterable[Json], belonging: Belonging) -> list[Json]:
    """Return the Events of the objects of a Workspace, the oldest first."""
    return sorted((event for event in events if belonging.has(*_subject(event))), key=last_seen)


def _subject(event: Json) -> tuple[str, str]:
    about = event.get("involvedObject") or {}
    return str(about.get("kind") or ""), str(about.get("name") or "")


def last_seen(event: Json) -> str:
    """Return when an Event was seen last, as text that sorts by time."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    return str(next(filter(None, times), None) or event["metadata"].get("creationTimestamp") or "")
