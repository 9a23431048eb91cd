"""One ready Workspace with all its objects, as an API server answered them; and any number of others that look the same.

`python -m e2e.bench.recording` makes the recording anew, on a cluster of its own.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from e2e import workspaces
from e2e.cluster import Cluster, Form, down, up
from e2e.controller import ControllerProcess
from workspace_ctrl.api.labels import HASH_ANNOTATION
from workspace_ctrl.cache.watches import WATCHED, WatchedKind
from workspace_ctrl.planning.manifests import Manifest, manifest_hash
from workspace_ctrl.planning.plan_settings import ChartSource, PlanSettings
from workspace_ctrl.planning.preview import preview

FILE = Path(__file__).parent / "recorded.json"
SPACE, NAME = "recorded-space", "recorded-phi"
GATEWAY_SPACE = "recorded-gateway"
_CLUSTER = "recording"
_MOST_NAMESPACES = 100

Lists = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a generated Workspace from the recorded one."""

    namespace: str
    name: str
    uid: str
    hashes: Mapping[str, str]
    """Kind → hash of the manifest that planning makes of it."""


def identity(number: int) -> Identity:
    """Return the identity of the Workspace `number`."""
    namespace, name, uid = f"space-{number % _MOST_NAMESPACES:03}", f"phi-{number:05}", _uid(0, number)
    raw = {**workspaces.workspace(name, gateway=workspaces.behind(workspaces.gateway()["metadata"]["name"], GATEWAY_SPACE))}
    raw["metadata"] = {"name": name, "namespace": namespace}
    manifests = preview(raw, (), PlanSettings(gateway_extension=True)).manifests
    return Identity(namespace, name, uid, {manifest["kind"]: _hash_owned_by(manifest, uid) for manifest in manifests})


def _hash_owned_by(manifest: Manifest, uid: str) -> str:
    """Return the hash that the manifest has when its Workspace has that uid."""
    metadata = {field: value for field, value in manifest["metadata"].items() if field != "annotations"}
    metadata["ownerReferences"] = [{**owner, "uid": uid} for owner in metadata["ownerReferences"]]
    return manifest_hash({**manifest, "metadata": metadata})


def _uid(kind: int, number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{kind:012x}"


class Template:
    """The recorded objects of one watched kind, from which those of any Workspace are made."""

    def __init__(self, watched: WatchedKind[Any], recorded: Lists) -> None:
        document = recorded[watched.name]
        self.head: Mapping[str, Any] = {field: value for field, value in document.items() if field != "items"}
        """The list without its items."""
        self.is_per_workspace = watched.owner is not None and not watched.concerns_all
        """Whether there is a set of these objects for each Workspace."""
        self._texts = [json.dumps(item, separators=(",", ":")) for item in document["items"]]
        self._items = document["items"]
        self._kind = watched.resource.kind
        self._number = [entry.name for entry in WATCHED].index(watched.name) + 1
        self._owner_uid: str = recorded[WATCHED[0].name]["items"][0]["metadata"]["uid"]

    def texts(self, of: Identity, number: int) -> list[str]:
        """Return the objects of the Workspace `number` as JSON."""
        return [
            self._text(text, item, of, number, place)
            for place, (text, item) in enumerate(zip(self._texts, self._items, strict=True))
        ]

    def common(self) -> list[str]:
        """Return the objects as they were recorded."""
        return list(self._texts)

    def _text(self, text: str, item: Mapping[str, Any], of: Identity, number: int, place: int) -> str:
        metadata = item["metadata"]
        changes = {SPACE: of.namespace, NAME: of.name}
        if metadata["uid"] != self._owner_uid:
            changes[metadata["uid"]] = _uid(self._number * 10 + place, number)
        changes[self._owner_uid] = of.uid
        recorded_hash = (metadata.get("annotations") or {}).get(HASH_ANNOTATION)
        if recorded_hash:
            changes[recorded_hash] = of.hashes[self._kind]
        for old, new in changes.items():
            text = text.replace(old, new)
        return text


@cache
def load() -> Lists:
    """Return the recording: name of the store → list of its objects, as the API server answered it."""
    recorded: Lists = json.loads(FILE.read_text())
    return recorded


def bring_about(cluster: Cluster) -> None:
    """Make the Workspace that is recorded, and wait until it is ready."""
    workspaces.install_crd(cluster)
    for space in (SPACE, GATEWAY_SPACE):
        cluster.kubectl("create", "namespace", space)
    workspaces.apply(cluster, GATEWAY_SPACE, *workspaces.played_gateway())
    behind = workspaces.behind(workspaces.gateway()["metadata"]["name"], GATEWAY_SPACE)
    with ControllerProcess(cluster):
        workspaces.apply(cluster, SPACE, workspaces.workspace(NAME, gateway=behind))
        workspaces.wait_ready(cluster, SPACE, NAME, "Ready")


def record(cluster: Cluster) -> Lists:
    """Return what the API server answers to the controller's lists."""
    return {watched.name: answer_of(cluster, watched) for watched in WATCHED}


def answer_of(cluster: Cluster, watched: WatchedKind[Any]) -> dict[str, Any]:
    """Return what the API server answers to one list; of kinds that are watched without content, the metadata."""
    document: dict[str, Any] = json.loads(cluster.kubectl("get", "--raw", path_of(watched)))
    if watched.metadata_only:
        document["items"] = [{"metadata": item["metadata"]} for item in document["items"]]
    return document


def path_of(watched: WatchedKind[Any]) -> str:
    """Return the path of the list that the controller asks for."""
    selector = f"&labelSelector={watched.selector}" if watched.selector else ""
    return f"{watched.resource.path()}?limit=500{selector}"


def main() -> None:
    """Record on a cluster of its own."""
    try:
        cluster = up(_CLUSTER, Form.PLANE)
        bring_about(cluster)
        text = json.dumps(record(cluster), indent=1)
        registry = re.escape(cluster.chart_source_url().rpartition("/")[0])
    finally:
        down(_CLUSTER)
    FILE.write_text(re.sub(registry, ChartSource().url.rpartition("/")[0], text) + "\n")


if __name__ == "__main__":
    main()
