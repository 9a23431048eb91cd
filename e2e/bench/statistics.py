"""Figures from times and calls; pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workspace_ctrl.api.names import names
from workspace_ctrl.kube.store import Key

FIRST_WAVE = ("deployments", "services", "ocirepositories")
"""What a Workspace becomes at once; the HelmRelease waits for the chart, the route for the pool."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Where half, most and all of the values lie, in the unit of the values."""

    p50: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call of the API, from the audit log."""

    verb: str
    resource: str
    """Plural of the kind with its subresource, such as workspaces/status; the path where there is no object."""
    namespace: str
    name: str
    dry_run: bool
    code: int
    at: float
    """When it was finished, in seconds since 1970."""

    @property
    def title(self) -> str:
        """The call as the table names it."""
        return f"{self.verb} {self.resource}{' (dry-run)' if self.dry_run else ''}"


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of at least one value."""
    ordered = sorted(values)
    return Spread(percentile(ordered, 50), percentile(ordered, 95), ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of the ordered values that at least `percent` of them do not exceed (nearest rank)."""
    if not ordered:
        raise ValueError("there is no percentile of no values")
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def parse_call(event: Mapping[str, Any]) -> Call:
    """Return the call that an event of the audit log tells of."""
    path = str(event["requestURI"])
    reference = event.get("objectRef") or {}
    parts = [reference.get("resource", ""), reference.get("subresource", "")]
    return Call(
        verb=event["verb"],
        resource="/".join(filter(None, parts)) or path.partition("?")[0],
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        dry_run="dryRun=All" in path,
        code=(event.get("responseStatus") or {}).get("code", 0),
        at=datetime.fromisoformat(event["stageTimestamp"]).timestamp(),
    )


def worth_counting(call: Call) -> bool:
    """Whether a call costs the API server something each time: watches stay open, and leases are counted in no table."""
    return call.verb != "watch" and call.resource != "leases"


def created(calls: Iterable[Call]) -> dict[Key, float]:
    """Return when each Workspace was created."""
    return {
        (call.namespace, call.name): call.at
        for call in sorted(calls, key=lambda call: call.at, reverse=True)
        if call.verb in {"patch", "create"} and call.resource == "workspaces" and call.code == 201  # noqa: PLR2004 - HTTP's Created
    }


def first_wave(workspaces: Iterable[Key], calls: Iterable[Call]) -> dict[Key, float]:
    """Return when the last of a Workspace's first objects was written, for those whose objects all were."""
    written: dict[tuple[str, str, str], float] = {}
    for call in calls:
        if call.verb == "patch" and call.resource in FIRST_WAVE and not call.dry_run:
            written.setdefault((call.resource, call.namespace, call.name), call.at)
    times = {key: [written.get(target) for target in _first_objects(key)] for key in workspaces}
    return {key: max(known) for key, found in times.items() if len(known := [at for at in found if at is not None]) == len(found)}


def _first_objects(key: Key) -> list[tuple[str, str, str]]:
    namespace, workspace = key
    derived = names(workspace)
    return [(resource, namespace, derived.source if resource == "ocirepositories" else workspace) for resource in FIRST_WAVE]


def per_workspace(calls: Iterable[Call], workspaces: int) -> dict[str, float]:
    """Return how often each call was made for one Workspace, the most frequent first."""
    return {title: count / workspaces for title, count in counted(calls).items()}


def counted(calls: Iterable[Call]) -> dict[str, int]:
    """Return how often each call was made, the most frequent first."""
    return dict(Counter(call.title for call in calls if worth_counting(call)).most_common())


def by_verb(calls: Mapping[str, float]) -> dict[str, float]:
    """Return calls, named as by `Call.title`, summed by verb."""
    verbs: Counter[str] = Counter()
    for title, count in calls.items():
        verbs[title.partition(" ")[0]] += count  # type: ignore[assignment] # counts per Workspace are fractions
    return dict(verbs)


def bucket_quantile(buckets: Mapping[float, float], quantile: float) -> float | None:
    """Return the upper bound under which `quantile` of a histogram's values lie; None where it has none.

    `buckets` are cumulative counts by upper bound, as Prometheus exposes them.
    """
    total = max(buckets.values(), default=0.0)
    if not total:
        return None
    return next(bound for bound, count in sorted(buckets.items()) if count >= quantile * total)
