"""Watches of objects that single Workspaces reference: a workload with its pods, a route, a pool, a ModelServer.

Each watches one object, or one label selector. So a Workspace with `workloadRef` costs two watches, objects without a reference cost
nothing, and rights can be granted kind by kind.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Generic, TypeVar

from workspace_ctrl.api.inference import WorkloadRef
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.cache.objective_watches import Objectives
from workspace_ctrl.cache.watches import HTTP_ROUTE, INFERENCE_POOL, MODEL_SERVER, POD, Record
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.kube.tasks import log_failure
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.records.gateways import (
    HTTPRoute,
    InferencePool,
    KthenaModelServer,
    parse_http_route,
    parse_inference_pool,
    parse_kthena_model_server,
)
from workspace_ctrl.records.objectives import InferenceObjective
from workspace_ctrl.records.pods import Pod, parse_pod
from workspace_ctrl.records.unreadable_objects import isolated
from workspace_ctrl.records.workloads import ReferencedWorkload, parse_referenced_workload

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

RecordT = TypeVar("RecordT", bound=Record)
WantedT = TypeVar("WantedT")

_RETRY_SECONDS: Final = 10.0
"""Pause between two requests for the discovery of a kind: fixed, because a kind that is not served may be installed at any time."""


@dataclass(frozen=True, slots=True)
class DependencyRecords:
    """The referenced objects of one Workspace; None for an object that does not exist."""

    workload: ReferencedWorkload | None = None
    pods: tuple[Pod, ...] = ()
    route: HTTPRoute | None = None
    pool: InferencePool | None = None
    problem: str = ""
    """Why the workload's kind cannot be watched; empty while it can."""
    companion: KthenaModelServer | None = None
    companion_problem: str = ""
    """The same for ModelServers."""
    objectives: tuple[InferenceObjective, ...] = ()
    objectives_problem: str = ""
    """The same for InferenceObjectives."""

    def on(self, snapshot: Snapshot) -> Snapshot:
        """Return `snapshot`, taken with fewer dependencies, with the records of those that were added since."""
        return replace(
            snapshot,
            pods=(*(pod for pod in snapshot.pods if POD_LABEL in pod.labels), *self.pods),
            companion=self.companion,
            companion_problem=self.companion_problem,
            objectives=self.objectives,
            objectives_problem=self.objectives_problem,
        )


_NOTHING = DependencyRecords()


@dataclass
class _Watch(Generic[RecordT]):
    """One watch of one Workspace."""

    wanted: object
    """The dependency that is watched: a reference, labels, or a name."""
    store: Store[RecordT] = field(default_factory=lambda: Store(_no_owner))
    task: asyncio.Task[None] | None = None
    resource: ApiResource | None = None
    problem: str = ""
    is_synced: bool = False

    def records(self) -> tuple[RecordT, ...]:
        """Return what exists of it."""
        return tuple(self.store.values())


@dataclass(frozen=True, slots=True)
class _Watches:
    """The watches of one Workspace, one per field of `Dependencies`."""

    reference: _Watch[ReferencedWorkload] | None = None
    pods: _Watch[Pod] | None = None
    route: _Watch[HTTPRoute] | None = None
    pool: _Watch[InferencePool] | None = None
    companion: _Watch[KthenaModelServer] | None = None

    def __iter__(self) -> "Iterator[_Watch[Any]]":
        """Yield those that there are."""
        watches: Iterable[_Watch[Any] | None] = (self.reference, self.pods, self.route, self.pool, self.companion)
        return (watch for watch in watches if watch is not None)


_NO_WATCHES: Final = _Watches()


def _no_owner(_record: object) -> None:
    """Return no owner: a store of one Workspace is read as a whole."""


def _first(watch: _Watch[RecordT] | None) -> RecordT | None:
    return next(iter(watch.records()), None) if watch is not None else None


def _problem(watch: _Watch[Any] | None) -> str:
    return watch.problem if watch is not None else ""


class DynamicWatches:
    """The watches of the referenced objects of all Workspaces."""

    def __init__(self, client: Client, changed: Callable[[Key], None]) -> None:
        self._client = client
        self._changed = changed
        self._watches: dict[Key, _Watches] = {}
        self._objectives = Objectives(client, changed)

    def follow(self, key: Key, dependencies: Dependencies) -> None:
        """Watch the objects in `dependencies` for the Workspace `key`; watches of other objects are stopped."""
        old = self._watches.get(key, _NO_WATCHES)
        new = _Watches(
            _kept(key, old.reference, dependencies.reference, self._watch_workload),
            _kept(key, old.pods, dependencies.pods, self._watch_pods),
            _kept(key, old.route, dependencies.route, self._watch_route),
            _kept(key, old.pool, dependencies.pool, self._watch_pool),
            _kept(key, old.companion, dependencies.companion, self._watch_companion),
        )
        _cancel(watch for watch in old if all(watch is not other for other in new))
        self._objectives.follow(key, wanted=dependencies.objectives)
        if new != _NO_WATCHES:
            self._watches[key] = new
        else:
            self._watches.pop(key, None)

    def forget(self, key: Key) -> None:
        """Stop all watches of the Workspace `key`."""
        _cancel(self._watches.pop(key, _NO_WATCHES))
        self._objectives.follow(key, wanted=False)

    def is_synced(self, key: Key) -> bool:
        """Whether all referenced objects of the Workspace `key` have been listed, or are known to be unavailable."""
        return self._objectives.is_synced(key) and all(watch.is_synced for watch in self._watches.get(key, _NO_WATCHES))

    def of(self, key: Key) -> DependencyRecords:
        """Return the referenced objects of the Workspace `key`."""
        watches, objectives = self._watches.get(key), self._objectives.is_followed(key)
        if watches is None and not objectives:
            return _NOTHING
        watches = watches or _NO_WATCHES
        return DependencyRecords(
            workload=_first(watches.reference),
            pods=watches.pods.records() if watches.pods is not None else (),
            route=_first(watches.route),
            pool=_first(watches.pool),
            problem=_problem(watches.reference),
            companion=_first(watches.companion),
            companion_problem=_problem(watches.companion),
            objectives=self._objectives.of(key) if objectives else (),
            objectives_problem=self._objectives.problem(key) if objectives else "",
        )

    def write_through(self, record: Any, version: int) -> None:  # noqa: ANN401
        """Store the response to one of our writes if its kind is watched here for several Workspaces."""
        if isinstance(record, InferenceObjective):
            self._objectives.write_through(record, version)

    def resource_of(self, key: Key) -> ApiResource | None:
        """Return the resource of the referenced workload of `key`; None until discovery has found it."""
        workload = self._watches.get(key, _NO_WATCHES).reference
        return workload.resource if workload is not None else None

    async def close(self) -> None:
        """Stop all watches."""
        tasks = [watch.task for watches in self._watches.values() for watch in watches if watch.task is not None]
        for key in list(self._watches):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._objectives.close()

    def _watch_workload(self, key: Key, reference: WorkloadRef) -> _Watch[ReferencedWorkload]:
        watch = _Watch[ReferencedWorkload](reference)
        watch.task = asyncio.create_task(self._run_workload(key, reference, watch), name=f"watch {reference.kind} of {key}")
        watch.task.add_done_callback(_log_failure)
        return watch

    def _watch_pods(self, key: Key, labels: Mapping[str, str]) -> _Watch[Pod]:
        selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        return self._watch(key, Source(POD, isolated(parse_pod), selector, namespace=key[0]), labels)

    def _watch_route(self, key: Key, name: str) -> _Watch[HTTPRoute]:
        source = Source(HTTP_ROUTE, isolated(parse_http_route), field_selector=f"metadata.name={name}", namespace=key[0])
        return self._watch(key, source, name)

    def _watch_pool(self, key: Key, name: str) -> _Watch[InferencePool]:
        source = Source(INFERENCE_POOL, isolated(parse_inference_pool), field_selector=f"metadata.name={name}", namespace=key[0])
        return self._watch(key, source, name)

    def _watch_companion(self, key: Key, name: str) -> _Watch[KthenaModelServer]:
        source = Source(MODEL_SERVER, isolated(parse_kthena_model_server), field_selector=f"metadata.name={name}", namespace=key[0])
        return self._watch(key, source, name)

    def _watch(self, key: Key, source: Source[RecordT], wanted: object) -> _Watch[RecordT]:
        watch = _Watch[RecordT](wanted, resource=source.resource)
        watch.task = asyncio.create_task(self._run(key, source, watch), name=f"watch {source.resource.plural} of {key}")
        watch.task.add_done_callback(_log_failure)
        return watch

    async def _run_workload(self, key: Key, reference: WorkloadRef, watch: _Watch[ReferencedWorkload]) -> None:
        """Discover the resource of the kind, then watch the object; both are retried until they succeed."""
        while watch.resource is None:
            try:
                watch.resource = await self._client.find_resource(reference.api_version, reference.kind or "")
            except ApiError as error:
                watch.problem, watch.is_synced = str(error), True
                self._changed(key)
                await asyncio.sleep(_RETRY_SECONDS)
        watch.problem = ""
        source = Source(
            watch.resource, isolated(parse_referenced_workload), namespace=key[0], field_selector=f"metadata.name={reference.name}"
        )
        await self._run(key, source, watch)

    async def _run(self, key: Key, source: Source[RecordT], watch: _Watch[RecordT]) -> None:
        def changed(_record: object) -> None:
            self._changed(key)

        def served() -> None:
            watch.problem = (
                f"cannot list or watch {source.resource.plural} of {source.resource.api_version}" if informer.is_missing else ""
            )
            self._changed(key)

        informer = Informer(self._client, source, watch.store, changed, served)
        async with asyncio.TaskGroup() as group:
            group.create_task(informer.run())
            await informer.wait_synced()
            watch.is_synced = True
            self._changed(key)


def _kept(
    key: Key, known: _Watch[RecordT] | None, wanted: WantedT | None, start: Callable[[Key, WantedT], _Watch[RecordT]]
) -> _Watch[RecordT] | None:
    """Return the watch of `wanted`: the known one if that is what it watches, else a new one; None if nothing is wanted."""
    if not wanted:
        return None
    return known if known is not None and known.wanted == wanted else start(key, wanted)


def _cancel(watches: Iterable[_Watch[Any]]) -> None:
    for watch in watches:
        if watch.task is not None:
            watch.task.cancel()
