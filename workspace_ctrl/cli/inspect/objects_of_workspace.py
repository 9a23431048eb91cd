"""Which objects belong to a Workspace, by their names and labels. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.labels import POD_LABEL, SET_KIND, SET_LABEL, STATUS_ANNOTATION
from workspace_ctrl.api.names import names
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.records.companion_status import with_our_status

_ENDINGS: Final = {
    "ReplicaSet": r"[a-z0-9]{5,10}",
    "Pod": r"[a-z0-9]{5,10}-[a-z0-9]{5}|\d+",
    "Service": "headless",
    "PersistentVolumeClaim": "weights",
}
"""What follows the name of the workload, by kind."""
_OF_COPIES: Final = frozenset({"Workspace", "StatefulSet", "Pod"})
_COPY: Final = r"[a-z0-9]{5}(-\d+)?"
"""What follows the name of an InferenceSet of KAITO in the names of its copies: Workspaces with a StatefulSet and pods each."""


def is_of_kaito(item: Json) -> bool:
    """Whether a Workspace or InferenceSet is KAITO's: a controller in companion mode has written its status into an annotation."""
    return STATUS_ANNOTATION in (item["metadata"].get("annotations") or {})


def model_pod_label(item: Json) -> str:
    """Return the label of the model server's pods whose value is the name of a Workspace or InferenceSet.

    KAITO makes a Workspace for each copy of an InferenceSet, so that the other label has the names of these.
    """
    return SET_LABEL if is_of_kaito(item) and item.get("kind") == SET_KIND else POD_LABEL


@dataclass(frozen=True, slots=True)
class Belonging:
    """The names of the objects of one Workspace."""

    workspace: str
    release: str
    endpoint_picker: str
    pod_label: str = POD_LABEL
    """The label of the model server's pods whose value is the name of the Workspace or InferenceSet."""

    @classmethod
    def to(cls, item: Json) -> "Belonging":
        """Return the names of the objects of a Workspace or InferenceSet, which may be KAITO's."""
        item = with_our_status(item)
        name = str(item["metadata"]["name"])
        gateway = parse_status(item.get("status")).gateway
        own = names(name)
        release = (gateway.pool if gateway is not None else None) or own.release
        picker = (gateway.endpoint_picker if gateway is not None else None) or names(name, release=release).endpoint_picker
        return cls(name, release, picker, model_pod_label(item))

    def has(self, kind: str, name: str) -> bool:
        """Whether an object in the namespace belongs to the Workspace, by its name; ReplicaSets and pods by that of their workload."""
        if name in {self.workspace, self.release, self.endpoint_picker} or name.startswith(f"sh.helm.release.v1.{self.release}."):
            return True
        if self.pod_label == SET_LABEL and kind in _OF_COPIES and re.fullmatch(rf"{re.escape(self.workspace)}-{_COPY}", name):
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
