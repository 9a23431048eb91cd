"""Prometheus metrics of the process, named after those of controller-runtime and client-go (docs/metrics.md).

No label contains the namespace or name of a Workspace. Workspaces are counted at each scrape, in the thread of the scrape, so passes do not
spend time on it.
"""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from workspace_ctrl.api.conditions import ConditionType, Status, find
from workspace_ctrl.api.status import InferenceSetStatus, WorkspaceStatus
from workspace_ctrl.cache.cache import Cache, RecordStore
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.canary import CanaryPhase
from workspace_ctrl.model.model_index import IndexState
from workspace_ctrl.readiness.failure_reasons import SCALED_TO_ZERO
from workspace_ctrl.records.workspaces import WorkspaceRecord
from workspace_ctrl.telemetry.observer_interface import Drop, Result, StatusChange

_PREFIX: Final = "workspace_ctrl_"
_PASS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STAGE_BUCKETS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
_LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_LAG_SECONDS: Final = 0.1
_STAGES: Final = {
    ConditionType.WORKLOAD_ACCEPTED: "workload_accepted",
    ConditionType.INFERENCE_READY: "inference_ready",
    ConditionType.CHART_READY: "chart_ready",
    ConditionType.GATEWAY_READY: "gateway_ready",
}
_MOST_ON_THEIR_WAY: Final = 20_000
_MOST_REASONS: Final = 50
"""Limit of the number of reasons, because reasons can come from objects of others."""
OTHER: Final = "Other"
"""Reason under which the rarest reasons are counted together."""
_INTENDED: Final = frozenset({SCALED_TO_ZERO, "Removing", "NamespaceTerminating", "Deleting"})
"""Reasons of GatewayReady for which it is no failure that it is not True."""
NO_STATUS: Final = "StatusNotWritten"
"""Reason of Workspaces that have no status yet; beside KAITO, which has one of its own, they are not counted."""


class Metrics:
    """The metrics of one process: an `Observer` that also counts requests."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        # They would be a second series for each counter and histogram, which nothing reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(_PREFIX + name, text, labels, buckets=buckets, registry=registry)

        self._requests = counter("api_requests", "Requests to the API server.", "verb", "resource", "code")
        self._restarts = counter("watch_restarts", "Watches that were restarted.", "resource", "cause")
        self._passes = counter("reconcile", "Reconciliations of Workspaces.", "result")
        self._retries = counter("workqueue_retries", "Reconciliations that are retried after an error.")
        self._seconds = histogram("reconcile_time_seconds", "Duration of a reconciliation.", _PASS_BUCKETS)
        self._stages = histogram("stage_seconds", "Time from the creation of a Workspace to a stage.", _STAGE_BUCKETS, "stage")
        self._flaps = counter("gateway_ready_flaps", "Transitions of GatewayReady from True to False.")
        self._drops = counter("events_dropped", "Events that were dropped.", "cause")
        self._lag = histogram("event_loop_lag_seconds", "Delay of a scheduled wake-up in the event loop.", _LAG_BUCKETS)
        self._cold_starts = histogram(
            "cold_start_seconds", "Time from the scaling of an InferenceSet from zero to its first ready copy.", _STAGE_BUCKETS
        )
        self._canaries = counter("canary_transitions", "Steps of canaries, and their ends.", "result")
        self._on_their_way: dict[str, frozenset[str]] = {}
        """uid of a Workspace whose first status this process wrote → stages that it has not reached."""
        self._view = _View()
        registry.register(self._view)
        for result in Result:
            self._passes.labels(result)
        for drop in Drop:
            self._drops.labels(drop)
        for phase in CanaryPhase:
            self._canaries.labels(phase.lower())

    def started(self, queue: WorkQueue[Key], cache: Cache) -> None:
        """Read `queue` and `cache` at each scrape from now on."""
        self._view.watched = queue, cache

    def stopped(self) -> None:
        """Stop reading them."""
        self._view.watched = self._view.index = None

    def pass_ended(self, result: Result, seconds: float) -> None:
        """Count a pass."""
        self._passes.labels(result).inc()
        self._seconds.observe(seconds)
        if result in {Result.ERROR, Result.PANIC}:
            self._retries.inc()

    def status_written(self, change: StatusChange) -> None:
        """Count the stages that a Workspace has reached, and transitions of GatewayReady from True."""
        old, new = _true_types(change.workspace.status), _true_types(change.status)
        if ConditionType.GATEWAY_READY in old - new and not change.workspace.meta.deleting and not _is_intended(change.status):
            self._flaps.inc()
        self._count_stages(change, new)
        ended = canary_result(change.workspace.status, change.status)
        if ended is not None:
            self._canaries.labels(ended).inc()
        started = cold_start(change.workspace.status, change.status)
        if started is not None:
            self._cold_starts.observe(started)

    def follow_held(self, held: Callable[[], float]) -> None:
        """Read at each scrape how many requests endpoint pickers hold for models without a ready copy, and for busy ones."""
        self._view.held = held

    def watch_restarted(self, plural: str, cause: str) -> None:
        """Count a watch that has to be restarted."""
        self._restarts.labels(plural, cause).inc()

    def event_dropped(self, cause: Drop) -> None:
        """Count an Event that was dropped."""
        self._drops.labels(cause).inc()

    def index_changed(self, states: Mapping[str, int]) -> None:
        """Show how it is with the list of models on the Gateways with models, from now on."""
        self._view.index = dict(states)

    def requested(self, verb: str, plural: str, status: int) -> None:
        """Count a request to the API server; `status` is 0 without a response."""
        self._requests.labels(verb, plural, str(status)).inc()

    async def measure_lag(self) -> None:
        """Measure the lag of the event loop until cancelled: the delay of a scheduled wake-up."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_SECONDS
            await asyncio.sleep(_LAG_SECONDS)
            self._lag.observe(max(loop.time() - due, 0.0))

    def _count_stages(self, change: StatusChange, true_types: frozenset[str]) -> None:
        """Count each stage once, for Workspaces whose first status this process wrote; of others the earlier stages are not known."""
        uid = change.workspace.meta.uid
        if find(change.workspace.status.conditions, ConditionType.READY) is None:
            self._on_their_way[uid] = frozenset(_STAGES)
        missing = self._on_their_way.pop(uid, None)
        if missing is None:
            return
        for type_ in missing & true_types:
            self._stages.labels(_STAGES[ConditionType(type_)]).observe(change.age)
        if ConditionType.READY not in true_types and not change.workspace.meta.deleting:
            self._on_their_way[uid] = missing - true_types
            if len(self._on_their_way) > _MOST_ON_THEIR_WAY:
                del self._on_their_way[next(iter(self._on_their_way))]


_Summary = tuple[tuple[tuple[str, str], ...], str]
"""((type, status) of each condition, reason why the Workspace is not ready or "")."""
_WITHOUT_STATUS: Final[_Summary] = ((ConditionType.READY.value, Status.UNKNOWN.value),), NO_STATUS


class _View(Collector):
    """Counts Workspaces at each scrape, in any thread: it only reads copies, and copying the keys of a dict is atomic."""

    def __init__(self) -> None:
        self.watched: tuple[WorkQueue[Key], Cache] | None = None
        self.held: Callable[[], float] | None = None
        self.index: Mapping[str, int] | None = None
        self._workspaces = _Summaries()
        self._inference_sets = _Summaries()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; while no controller runs, as on a standby, only that of the requests that endpoint pickers hold."""
        if self.held is not None:
            held = "Requests that endpoint pickers of scaled InferenceSets hold."
            yield GaugeMetricFamily(f"{_PREFIX}held_requests", held, value=self.held())
        watched = self.watched
        if watched is None:
            return
        queue, cache = watched
        yield GaugeMetricFamily(f"{_PREFIX}workqueue_depth", "Workspaces in the work queue.", value=len(queue))
        age = queue.oldest_age()
        yield GaugeMetricFamily(
            f"{_PREFIX}workqueue_oldest_age_seconds", "Age of the oldest Workspace in the work queue.", value=age
        )
        yield GaugeMetricFamily(f"{_PREFIX}active_workers", "Reconciliations in progress.", value=queue.active)
        yield from _by_status("workspaces", "Workspaces", self._workspaces.tally(cache.workspaces, companion=cache.is_companion))
        sets = self._inference_sets.tally(cache.inference_sets, companion=cache.is_companion)
        yield from _by_status("inference_sets", "InferenceSets", sets)
        yield _copies(cache.inference_sets)
        if self.index is not None:
            yield _gateways_with_list(self.index)


class _Summaries:
    """The summaries of all objects of a kind at the last scrape."""

    def __init__(self) -> None:
        self._summaries: dict[Key, tuple[bytes, _Summary]] = {}

    def tally(self, store: RecordStore[WorkspaceRecord], *, companion: bool) -> Tally[_Summary]:
        """Return the number of objects per summary; an unchanged status is not parsed again.

        `companion` is whether the status is KAITO's: then objects without a gateway side have none of ours, and are not counted.
        """
        summaries: dict[Key, tuple[bytes, _Summary]] = {}
        shared: dict[_Summary, _Summary] = {}
        keys = store.keys()
        for key in keys:
            workspace = store.get(key)
            if workspace is None:
                continue
            known = self._summaries.get(key)
            if known is None or known[0] != workspace.stored_status:
                known = workspace.stored_status, _summary(workspace)
            summaries[key] = known[0], shared.setdefault(known[1], known[1])
        self._summaries = summaries
        return Tally(summary for _, summary in summaries.values() if not companion or summary != _WITHOUT_STATUS)


def _copies(store: RecordStore[WorkspaceRecord]) -> GaugeMetricFamily:
    """Return the gauge of the wanted and ready copies of all InferenceSets."""
    family = GaugeMetricFamily(f"{_PREFIX}inference_set_replicas", "Copies of all InferenceSets.", labels=["state"])
    wanted = ready = 0
    for key in store.keys():  # noqa: SIM118 - not a mapping
        record = store.get(key)
        status = record.status if record is not None else None
        if isinstance(status, InferenceSetStatus):
            wanted += (status.workload.replicas or 0) if status.workload is not None else 0
            ready += status.ready_replicas or 0
    family.add_metric(["wanted"], wanted)
    family.add_metric(["ready"], ready)
    return family


def _gateways_with_list(states: Mapping[str, int]) -> GaugeMetricFamily:
    """Return the gauge of the Gateways with models, by what becomes of the list of models on them."""
    family = GaugeMetricFamily(f"{_PREFIX}model_index_gateways", "Gateways with models, by state of their list.", labels=["state"])
    for state in IndexState:
        family.add_metric([state], states.get(state, 0))
    return family


def cold_start(old: WorkspaceStatus, new: WorkspaceStatus) -> float | None:
    """Return how long a start from zero took that ended between two statuses; None if none did."""
    if not isinstance(new, InferenceSetStatus) or new.autoscaling is None:
        return None
    before = old.autoscaling if isinstance(old, InferenceSetStatus) else None
    ended, seconds = new.autoscaling.cold_start_time, new.autoscaling.cold_start_seconds
    is_new = ended is not None and ended != (before.cold_start_time if before is not None else None)
    return float(seconds) if is_new and seconds is not None else None


def canary_result(old: WorkspaceStatus, new: WorkspaceStatus) -> str | None:
    """Return what a canary did between two statuses: progressing (a step began), promoted or stopped; None if nothing."""
    if not new.canary_step or old.canary_step == new.canary_step:
        return None
    phase = str(new.canary_step[1]).lower()
    return phase if phase in {each.lower() for each in CanaryPhase} else None


def _by_status(name: str, title: str, tally: Tally[_Summary]) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges that count the objects of a kind; `tally` is their number per summary."""
    conditions: Tally[tuple[str, str]] = Tally()
    reasons: Tally[str] = Tally()
    for (entries, reason), count in tally.items():
        conditions.update(dict.fromkeys(entries, count))
        if reason:
            reasons[reason] += count
    family = GaugeMetricFamily(f"{_PREFIX}{name}", f"{title} by condition.", labels=["condition", "status"])
    for labels, count in sorted(conditions.items()):
        family.add_metric(labels, count)
    yield family
    family = GaugeMetricFamily(f"{_PREFIX}{name}_not_ready", f"{title} that are not ready.", labels=["reason"])
    most = dict(reasons.most_common(_MOST_REASONS))
    if len(reasons) > len(most):
        most[OTHER] = most.get(OTHER, 0) + reasons.total() - sum(most.values())
    for reason, count in sorted(most.items()):
        family.add_metric([reason], count)
    yield family


def _summary(workspace: WorkspaceRecord) -> _Summary:
    status = workspace.status
    ready = find(status.conditions, ConditionType.READY)
    if ready is None:
        return _WITHOUT_STATUS
    entries = tuple((condition.type, condition.status) for condition in status.conditions)
    return entries, "" if ready.is_true else ready.reason


def _is_intended(status: WorkspaceStatus) -> bool:
    """Whether requests are not answered because somebody wants it so."""
    condition = find(status.conditions, ConditionType.GATEWAY_READY)
    return condition is None or condition.reason in _INTENDED


def _true_types(status: WorkspaceStatus) -> frozenset[str]:
    return frozenset(condition.type for condition in status.conditions if condition.is_true)
