"""Watches of objects that single Workspaces reference: a workload with its pods, a route, a pool, a ModelServer.

Each watches one object, or one label selector. So a Workspace with `workloadRef` costs two watches, objects without a reference cost
nothing, and rights can be granted kind by kind.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from workspace_ctrl.api.inference import WorkloadRef
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.cache.objective_watches import Objectives
from workspace_ctrl.cache.watches import HTTP_ROUTE, INFERENCE_POOL, MODEL_SERVER, POD
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

_RETRY_SECONDS = 10.0


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
class _Watch:
    """One watch of one Workspace."""

    wanted: Any
    """The dependency that is watched: a reference, labels, or a name."""
    task: asyncio.Task[None] | None = None
    store: Store[Any] = field(default_factory=lambda: Store(lambda _record: None))
    resource: ApiResource | None = None
    problem: str = ""
    is_synced: bool = False


_Watches = dict[str, _Watch]
"""Field of `Dependencies` → its watch."""


class DynamicWatches:
    """The watches of the referenced objects of all Workspaces."""

    def __init__(self, client: Client, changed: Callable[[Key], None]) -> None:
        self._client = client
        self._changed = changed
        self._watches: dict[Key, _Watches] = {}
        self._objectives = Objectives(client, changed)
        self._start: Mapping[str, Callable[[Key, Any], _Watch]] = {
            "reference": self._watch_workload,
            "pods": self._watch_pods,
            "route": self._watch_route,
            "pool": self._watch_pool,
            "companion": self._watch_companion,
        }

    def follow(self, key: Key, dependencies: Dependencies) -> None:
        """Watch the objects in `dependencies` for the Workspace `key`; watches of other objects are stopped."""
        old = self._watches.get(key, {})
        new: _Watches = {}
        for name, start in self._start.items():
            wanted, known = getattr(dependencies, name), old.get(name)
            if wanted:
                new[name] = known if known is not None and known.wanted == wanted else start(key, wanted)
        _cancel(watch for name, watch in old.items() if watch is not new.get(name))
        self._objectives.follow(key, wanted=dependencies.objectives)
        if new:
            self._watches[key] = new
        else:
            self._watches.pop(key, None)

    def forget(self, key: Key) -> None:
        """Stop all watches of the Workspace `key`."""
        _cancel(self._watches.pop(key, {}).values())
        self._objectives.follow(key, wanted=False)

    def is_synced(self, key: Key) -> bool:
        """Whether all referenced objects of the Workspace `key` have been listed, or are known to be unavailable."""
        return self._objectives.is_synced(key) and all(watch.is_synced for watch in self._watches.get(key, {}).values())

    def of(self, key: Key) -> DependencyRecords:
        """Return the referenced objects of the Workspace `key`."""
        watches, objectives = self._watches.get(key), self._objectives.is_followed(key)
        if watches is None and not objectives:
            return _NOTHING
        watches = watches or {}
        records = {name: tuple(watch.store.values()) for name, watch in watches.items()}
        workload, companion = watches.get("reference"), watches.get("companion")
        return DependencyRecords(
            workload=next(iter(records.get("reference", ())), None),
            pods=records.get("pods", ()),
            route=next(iter(records.get("route", ())), None),
            pool=next(iter(records.get("pool", ())), None),
            problem=workload.problem if workload is not None else "",
            companion=next(iter(records.get("companion", ())), None),
            companion_problem=companion.problem if companion is not None else "",
            objectives=self._objectives.of(key) if objectives else (),
            objectives_problem=self._objectives.problem(key) if objectives else "",
        )

    def write_through(self, record: Any, version: int) -> None:  # noqa: ANN401
        """Store the response to one of our writes if its kind is watched here for several Workspaces."""
        if isinstance(record, InferenceObjective):
            self._objectives.write_through(record, version)

    def resource_of(self, key: Key) -> ApiResource | None:
        """Return the resource of the referenced workload of `key`; None until discovery has found it."""
        workload = self._watches.get(key, {}).get("reference")
        return workload.resource if workload is not None else None

    async def close(self) -> None:
        """Stop all watches."""
        tasks = [watch.task for watches in self._watches.values() for watch in watches.values() if watch.task is not None]
        for key in list(self._watches):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._objectives.close()

    def _watch_workload(self, key: Key, reference: WorkloadRef) -> _Watch:
        watch = _Watch(reference)
        watch.task = asyncio.create_task(self._run_workload(key, reference, watch), name=f"watch {reference.kind} of {key}")
        watch.task.add_done_callback(_log_failure)
        return watch

    def _watch_pods(self, key: Key, labels: Mapping[str, str]) -> _Watch:
        selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        return self._watch(key, Source(POD, isolated(parse_pod), selector, namespace=key[0]), labels)

    def _watch_route(self, key: Key, name: str) -> _Watch:
        source = Source(HTTP_ROUTE, isolated(parse_http_route), field_selector=f"metadata.name={name}", namespace=key[0])
        return self._watch(key, source, name)

    def _watch_pool(self, key: Key, name: str) -> _Watch:
        source = Source(INFERENCE_POOL, isolated(parse_inference_pool), field_selector=f"metadata.name={name}", namespace=key[0])
        return self._watch(key, source, name)

    def _watch_companion(self, key: Key, name: str) -> _Watch:
        source = Source(MODEL_SERVER, isolated(parse_kthena_model_server), field_selector=f"metadata.name={name}", namespace=key[0])
        return self._watch(key, source, name)

    def _watch(self, key: Key, source: Source[Any], wanted: object) -> _Watch:
        watch = _Watch(wanted, resource=source.resource)
        watch.task = asyncio.create_task(self._run(key, source, watch), name=f"watch {source.resource.plural} of {key}")
        watch.task.add_done_callback(_log_failure)
        return watch

    async def _run_workload(self, key: Key, reference: WorkloadRef, watch: _Watch) -> None:
        """Discover the resource of the kind, then watch the object; both are retried until they succeed."""
        while watch.resource is None:
            try:
                watch.resource = _namespaced(await self._client.find_resource(reference.api_version, reference.kind or ""))
            except (ApiError, ClusterScopedError) as error:
                watch.problem, watch.is_synced = str(error), True
                self._changed(key)
                await asyncio.sleep(_RETRY_SECONDS)
        watch.problem = ""
        source = Source(
            watch.resource, isolated(parse_referenced_workload), namespace=key[0], field_selector=f"metadata.name={reference.name}"
        )
        await self._run(key, source, watch)

    async def _run(self, key: Key, source: Source[Any], watch: _Watch) -> None:
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


class ClusterScopedError(Exception):
    """A kind has no namespaces; its objects belong to nobody who may write Workspaces."""


def _namespaced(resource: ApiResource) -> ApiResource:
    """Return `resource`.

    Raises:
        ClusterScopedError: its objects have no namespaces.
    """
    if not resource.namespaced:
        raise ClusterScopedError(
            f"{resource.kind} of {resource.api_version} is cluster-scoped; reference an object of the namespace"
        )
    return resource


def _cancel(watches: Any) -> None:  # noqa: ANN401
    for watch in watches:
        if watch.task is not None:
            watch.task.cancel()
