"""What the process tells Prometheus (docs/metrics.md). No label names a Workspace, so the number of series is bounded."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.controller.observer import Observer
from workspace_ctrl.kube.store import Key
from workspace_ctrl.records.workspaces import WorkspaceRecord

_PREFIX = "workspace_ctrl_"
_LAG_INTERVAL = 0.1
_STAGES: Final = {
    ConditionType.WORKLOAD_ACCEPTED: "workload_accepted",
    ConditionType.INFERENCE_READY: "inference_ready",
    ConditionType.CHART_READY: "chart_ready",
    ConditionType.GATEWAY_READY: "gateway_ready",
}
_COUNTED: Final = (ConditionType.READY, ConditionType.INFERENCE_READY, ConditionType.GATEWAY_READY)

REQUESTS = Counter(_PREFIX + "api_requests", "Requests to the API server.", ["verb", "resource", "code"])
PASSES = Counter(_PREFIX + "reconcile", "Passes over a Workspace.", ["result"])
PASS_SECONDS = Histogram(
    _PREFIX + "reconcile_seconds", "Duration of a pass.", buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30, float("inf"))
)
QUEUE_DEPTH = Gauge(_PREFIX + "workqueue_depth", "Workspaces that are due and wait for a worker.")
QUEUE_AGE = Gauge(_PREFIX + "workqueue_oldest_age_seconds", "For how long the first of them has waited.")
WATCH_RESTARTS = Counter(_PREFIX + "watch_restarts", "Watches that had to be started again.", ["resource", "cause"])
WORKSPACES = Gauge(_PREFIX + "workspaces", "Workspaces by condition and its status.", ["condition", "status"])
NOT_READY = Gauge(_PREFIX + "workspaces_not_ready", "Workspaces that are not ready, by the reason.", ["reason"])
STAGE_SECONDS = Histogram(
    _PREFIX + "stage_seconds",
    "Time from a Workspace's creation until a condition was True for the first time.",
    ["stage"],
    buckets=(1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, float("inf")),
)
FLAPS = Counter(_PREFIX + "gateway_ready_flaps", "How often GatewayReady went from True to something else.")
LOOP_LAG = Histogram(
    _PREFIX + "event_loop_lag_seconds",
    "How much later than asked for the event loop wakes a task.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, float("inf")),
)

_State = tuple[tuple[tuple[str, str], ...], str]
"""((condition, status), ...) and the reason for not being ready, empty where it is."""


def count_request(verb: str, plural: str, status: int) -> None:
    """Count a request to the API server; `status` is 0 where there was no answer."""
    REQUESTS.labels(verb, plural, str(status)).inc()


async def measure_loop_lag() -> None:
    """Measure until cancelled how late the event loop is."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_INTERVAL
        await asyncio.sleep(_LAG_INTERVAL)
        LOOP_LAG.observe(max(loop.time() - due, 0.0))


class Metrics(Observer):
    """Counts what the controllers of this process do."""

    def __init__(self) -> None:
        self._states: dict[Key, _State] = {}
        self._reached: dict[Key, set[str]] = {}
        """Stages that were told of Workspaces that are not gateway-ready yet: a stage counts once, whatever happens later."""
        self._since = time.time()

    def started(self, depth: Callable[[], int], oldest: Callable[[], float]) -> None:
        """Read the queue when Prometheus asks."""
        QUEUE_DEPTH.set_function(depth)
        QUEUE_AGE.set_function(oldest)

    def pass_ended(self, result: str, seconds: float) -> None:
        """Count a pass."""
        PASSES.labels(result).inc()
        PASS_SECONDS.observe(seconds)

    def watch_restarted(self, plural: str, cause: str) -> None:
        """Count a watch that was started again."""
        WATCH_RESTARTS.labels(plural, cause).inc()

    def status_seen(self, key: Key, status: WorkspaceStatus) -> None:
        """Count the Workspace under its conditions, and no longer under earlier ones."""
        self._count(key, _state(status))

    def workspace_gone(self, key: Key) -> None:
        """Count the Workspace no longer."""
        self._count(key, None)
        self._reached.pop(key, None)

    def status_written(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> None:
        """Note stages that were reached, and readiness that was lost."""
        before, after = _by_type(workspace.status), _by_type(status)
        if _is_true(before, ConditionType.GATEWAY_READY) and not _is_true(after, ConditionType.GATEWAY_READY):
            if not workspace.meta.deleting:
                FLAPS.inc()
            return
        created = _seconds(workspace.created)
        if created < self._since or _is_true(before, ConditionType.GATEWAY_READY):
            return  # it was there before this process, or has been through all stages
        reached = self._reached.setdefault(workspace.key, set())
        for type_, stage in _STAGES.items():
            if stage not in reached and _is_true(after, type_):
                reached.add(stage)
                STAGE_SECONDS.labels(stage).observe(max(time.time() - created, 0.0))

    def _count(self, key: Key, state: _State | None) -> None:
        old = self._states.get(key)
        if old == state:
            return
        for changed, step in ((old, -1), (state, 1)):
            if changed is None:
                continue
            for labels in changed[0]:
                WORKSPACES.labels(*labels).inc(step)
            if changed[1]:
                NOT_READY.labels(changed[1]).inc(step)
        if state is None:
            self._states.pop(key, None)
        else:
            self._states[key] = state


def _state(status: WorkspaceStatus) -> _State:
    conditions = _by_type(status)
    counted = tuple((type_.value, conditions[type_].status) for type_ in _COUNTED if type_ in conditions)
    ready = conditions.get(ConditionType.READY)
    return counted, ready.reason if ready is not None and not ready.is_true else ""


def _by_type(status: WorkspaceStatus) -> Mapping[str, Condition]:
    return {condition.type: condition for condition in status.conditions}


def _is_true(conditions: Mapping[str, Condition], type_: ConditionType) -> bool:
    return type_ in conditions and conditions[type_].status == Status.TRUE


def _seconds(created: str) -> float:
    """Return a creation time as seconds since the epoch; 0 where there is none."""
    try:
        return datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
