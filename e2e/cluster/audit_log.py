"""The API server's audit log: which calls were made, with their answers.

A call whose effect somebody has seen may not stand in the log yet: an event is written when the answer has been sent, and watches tell of
a change before that. So the log has each write twice, when it is received and when it is finished, and whoever reads it waits for the ends
of those that have begun: what was seen had begun before, and is counted.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from e2e.cluster import identity

_WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")
_STREAMS: Final = frozenset({"attach", "exec", "portforward", "proxy"})
"""Subresources whose calls end when somebody hangs up."""
_PATIENCE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.02
_QUIET_NAMESPACES: Final = ("kube-system", "istio-system")


def audit_policy() -> dict[str, object]:
    """Return the policy: the calls of actors and of products' service accounts, none of our own."""
    quiet_groups = [f"system:serviceaccounts:{namespace}" for namespace in _QUIET_NAMESPACES]
    actors = {"level": "Metadata", "users": list(identity.ACTORS)}
    everybody = {"level": "Metadata"}
    writes = {"verbs": list(_WRITES)}
    reads = {"omitStages": ["RequestReceived", "Panic"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["ResponseStarted"],
        "rules": [
            {**actors, **writes},
            {**actors, **reads},
            {"level": "None", "users": [*identity.PROGRAMS, "system:apiserver", "system:anonymous"]},
            {"level": "None", "userGroups": [*quiet_groups, "system:unauthenticated"]},
            {**everybody, **writes},
            {**everybody, **reads},
        ],
    }


class AuditLog:
    """The audit log of a cluster."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lost: set[str] = set()
        """Writes that have begun, and whose end was waited for in vain: it will not come any more."""

    def finished_calls(self, word: str, since: int) -> list[dict[str, Any]]:
        """Return the events of finished calls, in whose line of JSON a word is, from the place `since` of the log on, oldest first.

        Writes that have begun are waited for; not for long, as those of an API server that was killed never end.
        """
        if not self._path.exists():
            return []
        deadline = time.monotonic() + _PATIENCE_SECONDS
        found: list[dict[str, Any]] = []
        begun: set[str] = set()
        with self._path.open("rb") as log:
            if since:  # a line that was being written then is not ours
                log.seek(since - 1)
                log.readline()
            while True:
                for event in _events(log, word.encode()):
                    _follow(event, begun, found)
                if time.monotonic() > deadline:
                    self._lost |= begun
                if begun <= self._lost:
                    return found
                time.sleep(_PAUSE_SECONDS)


def _follow(event: dict[str, Any], begun: set[str], found: list[dict[str, Any]]) -> None:
    """Add a call to those that have begun, or take it off them, and add it to those that are found if it was finished."""
    match event["stage"]:
        case "RequestReceived" if event.get("objectRef", {}).get("subresource") not in _STREAMS:
            begun.add(event["auditID"])
        case "ResponseComplete":
            begun.discard(event["auditID"])
            found.append(event)
        case "Panic":
            begun.discard(event["auditID"])


def _events(log: BinaryIO, word: bytes) -> Iterator[dict[str, Any]]:
    """Yield the events of whole lines from here on in which a word is: most are of others, and reading JSON takes time."""
    while (line := log.readline()).endswith(b"\n"):
        if word in line:
            yield orjson.loads(line)
    log.seek(-len(line), os.SEEK_CUR)
