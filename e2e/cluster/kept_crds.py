"""The CRDs of add-ons, kept as the first start with the same programs left them, and there for others before the API server starts.

An API server reads those that it finds once. Of those that are applied while it runs, each is checked, has its status written, and makes
the API server put its document of all kinds together anew: a fifth of the CPU time of a control plane's start.

Nothing else is kept: whatever tells one cluster from another (tokens, certificates, namespaces, Leases, revisions) is each cluster's own.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from e2e.cluster import cache
from e2e.cluster.api import crds
from e2e.cluster.builder import Build
from e2e.cluster.places import PACKAGE, cache_dir

FOLDER = "crds"
_PREFIX = "/registry/apiextensions.k8s.io/customresourcedefinitions/"


class Storage(Protocol):
    """What is needed of etcd."""

    def put(self, values: Mapping[str, bytes]) -> None:
        """Write values."""

    def below(self, prefix: str) -> dict[str, bytes]:
        """Return the values of all keys that begin with `prefix`."""


@dataclass(frozen=True)
class KeptCrds:
    """The file of the CRDs of some folders, which may not be there yet."""

    path: Path
    names: frozenset[str]
    """Those of the folders."""

    @classmethod
    def of(cls, kubernetes: Build, folders: Iterable[Path]) -> "KeptCrds":
        """Return the file for clusters with that API server.

        Its name has all in it that decides the content: the API server, the files of the CRDs, and our code that installs them.
        """
        folders = sorted(folders)
        digest = hashlib.sha256(kubernetes.root.name.encode())
        for file in (file for folder in folders for file in sorted(folder.glob("*.yaml"))):
            digest.update(file.read_bytes())
        for file in sorted(PACKAGE.rglob("*.py")):
            digest.update(f"\n{file.relative_to(PACKAGE)}\n".encode() + file.read_bytes())
        names = frozenset(name for folder in folders for name in crds(folder))
        return cls(cache_dir() / FOLDER / f"{digest.hexdigest()[:16]}.json", names)

    def restore(self, storage: Storage) -> frozenset[str]:
        """Write the CRDs, as new ones, into the storage of an API server that has not started yet; return their names.

        These are none where none are kept.
        """
        if not cache.take(self.path):
            return frozenset()
        kept = json.loads(self.path.read_bytes())
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        storage.put({f"{_PREFIX}{name}": json.dumps(_as_new(document, now)).encode() for name, document in kept.items()})
        return frozenset(kept)

    def keep(self, storage: Storage) -> None:
        """Keep the CRDs of the folders that an API server has stored."""
        stored = storage.below(_PREFIX)
        found = {name: json.loads(value) for name in sorted(self.names) if (value := stored.get(f"{_PREFIX}{name}"))}
        if not all(map(_is_served, found.values())):  # somebody has changed it meanwhile
            return
        # Who may only read the cache, as after `sudo -E`, cannot keep any, and starts all the same.
        with suppress(PermissionError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            partial.write_text(json.dumps(found))
            partial.rename(self.path)
            cache.trim(FOLDER)


def _is_served(document: dict[str, Any]) -> bool:
    conditions = document.get("status", {}).get("conditions") or ()
    return any((condition["type"], condition["status"]) == ("Established", "True") for condition in conditions)


def _as_new(document: dict[str, Any], now: str) -> dict[str, Any]:
    """Return a stored CRD as if it were made now, with an identity of its own."""
    metadata = {**document["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": now}
    conditions = [{**condition, "lastTransitionTime": now} for condition in document["status"]["conditions"]]
    return {**document, "metadata": metadata, "status": {**document["status"], "conditions": conditions}}
