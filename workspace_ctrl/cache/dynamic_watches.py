"""Watches of what only some Workspaces have: a referenced workload with its pods, a route, a pool, a NetworkPolicy, disruption budgets.

They are watched only while a Workspace references them, so rights can be granted kind by kind. Watches are shared (`followed_objects`), and
the number of references in a namespace is limited: each costs memory, and anyone who can create Workspaces can reference anything.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from workspace_ctrl.api.inference_spec import WorkloadRef
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.cache.objective_watches import Objectives
from workspace_ctrl.cache.shared_watches import FollowedObjects, Interest
from workspace_ctrl.cache.watches import (
    DISRUPTION_BUDGETS,
    HTTP_ROUTE,
    INFERENCE_POOL,
    MODEL_SERVER,
    NETWORK_POLICY,
    POD,
    SCALED_OBJECT,
)
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.kube.informer import Source
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.kube.store import Key
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
from workspace_ctrl.records.scaling import DisruptionBudget, ScaledObject, parse_disruption_budget, parse_scaled_object
from workspace_ctrl.records.unreadable_objects import isolated
from workspace_ctrl.records.workloads import NetworkPolicy, ReferencedWorkload, parse_network_policy, parse_referenced_workload

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

RecordT = TypeVar("RecordT")

MOST_REFERENCES: Final = 2_000
"""Objects, and selectors of pods, that the Workspaces of one namespace can reference."""
_EXCESS: Final = f"the Workspaces of this namespace reference more than {MOST_REFERENCES:,} objects; remove some of them"
_NONE: Final = Dependencies()
_RETRY_SECONDS = 10.0
_DISCOVERIES_PER_SECOND: Final = 2


@dataclass(frozen=True, slots=True)
class DependencyRecords:
    """The referenced objects of one Workspace; None for an object that does not exist."""

    workload: ReferencedWorkload | None = None
    pods: tuple[Pod, ...] = ()
    route: HTTPRoute | None = None
    pool: InferencePool | None = None
    problem: str = ""
    """Why the workload cannot be watched; empty while it can."""
    excess: str = ""
    """Why nothing of this is watched: the namespace has too many references; empty if it has not."""
    companion: KthenaModelServer | None = None
    companion_problem: str = ""
    """The same for ModelServers."""
    network_policy: NetworkPolicy | None = None
    network_policy_problem: str = ""
    """The same for NetworkPolicies."""
    budgets: tuple[DisruptionBudget, ...] = ()
    """All PodDisruptionBudgets of the namespace."""
    budgets_problem: str = ""
    """The same for them."""
    scaled_object: ScaledObject | None = None
    scaled_object_problem: str = ""
    """The same for ScaledObjects."""
    objectives: tuple[InferenceObjective, ...] = ()
    objectives_problem: str = ""
    """The same for InferenceObjectives."""
    objectives_of_llm_d: bool = False
    """Whether the API server has InferenceObjectives of llm-d."""

    def on(self, snapshot: Snapshot) -> Snapshot:
        """Return `snapshot` with the records of the dependencies that planning adds; those that the spec names are in it already.

        Pods of a referenced workload can have the label of a Workspace's own, as those of KAITO have: they are in it already, too.
        """
        own = {pod.meta.ref: pod for pod in snapshot.pods if POD_LABEL in pod.labels}
        return replace(
            snapshot,
            pods=tuple((own | {pod.meta.ref: pod for pod in self.pods}).values()),
            companion=self.companion,
            companion_problem=self.companion_problem,
            network_policy=self.network_policy,
            network_policy_problem=self.network_policy_problem,
            budgets=self.budgets,
            budgets_problem=self.budgets_problem,
            scaled_object=self.scaled_object,
            scaled_object_problem=self.scaled_object_problem,
            objectives=self.objectives,
            objectives_problem=self.objectives_problem,
            excess_references=self.excess,
            objectives_of_llm_d=self.objectives_of_llm_d,
        )


_NOTHING = DependencyRecords()


_Wanted = dict[str, tuple[FollowedObjects[Any], Interest]]
"""Field of `Dependencies` → what is followed for it."""


class _WorkloadKind:
    """A kind that `workloadRef` names: first discovered, then watched."""

    def __init__(self, reference: WorkloadRef, discover: Callable[["_WorkloadKind"], Coroutine[Any, Any, None]]) -> None:
        self.reference = reference
        self.resource: ApiResource | None = None
        self.objects: FollowedObjects[ReferencedWorkload] | None = None
        """None until the kind is discovered."""
        self.problem = ""
        """Why it could not be discovered yet."""
        self.users: set[Key] = set()
        self._task = asyncio.create_task(discover(self), name=f"discover {reference.kind}")
        self._task.add_done_callback(_log_failure)

    async def close(self) -> None:
        """Stop the discovery, and all watches."""
        self._task.cancel()
        await asyncio.gather(self._task, *([self.objects.close()] if self.objects is not None else ()), return_exceptions=True)


class DynamicWatches:
    """The watches of the referenced objects of all Workspaces."""

    def __init__(self, client: Client, changed: Callable[[Key], None], *, cluster_wide: bool = False) -> None:
        """Make them; `changed` is called with each Workspace that a change concerns.

        `cluster_wide` is whether objects of all namespaces may be watched together.
        """
        self._client = client
        self._changed = changed
        self._cluster_wide = cluster_wide
        self._dependencies: dict[Key, Dependencies] = {}
        self._wanted: dict[Key, _Wanted] = {}
        self._references: Counter[str] = Counter()
        """Namespace → number of references of its Workspaces."""
        self._excess: dict[str, dict[Key, Dependencies]] = {}
        """Namespace → Workspaces whose references are not followed, because there are too many, in the order in which they came."""
        self._workloads: dict[tuple[str, str], _WorkloadKind] = {}
        """apiVersion and kind → that kind, while any Workspace references it."""
        self._closing: set[asyncio.Task[None]] = set()
        self._objectives = Objectives(client, changed)
        self._kinds = {
            "pods": self._followed(POD, parse_pod),
            "route": self._followed(HTTP_ROUTE, parse_http_route),
            "pool": self._followed(INFERENCE_POOL, parse_inference_pool),
            "companion": self._followed(MODEL_SERVER, parse_kthena_model_server),
            "network_policy": self._followed(NETWORK_POLICY, parse_network_policy),
            "budgets": self._followed(DISRUPTION_BUDGETS, parse_disruption_budget, _concerns),
            "scaled_object": self._followed(SCALED_OBJECT, parse_scaled_object),
        }

    def follow(self, key: Key, dependencies: Dependencies) -> None:
        """Watch the objects in `dependencies` for the Workspace `key`; watches of other objects are stopped."""
        self._objectives.follow(key, dependencies.objective_groups)
        self._follow(key, dependencies)
        self._readmit(key[0])

    def forget(self, key: Key) -> None:
        """Stop all watches of the Workspace `key`."""
        self.follow(key, _NONE)

    def is_synced(self, key: Key) -> bool:
        """Whether all referenced objects of the Workspace `key` have been listed, or are known to be unavailable."""
        if key in self._excess.get(key[0], ()):
            return True
        kind = self._workload_kind(key)
        is_known = kind is None or kind.objects is not None or kind.problem != ""
        wanted = self._wanted.get(key, {}).values()
        return is_known and self._objectives.is_synced(key) and all(objects.is_synced(interest) for objects, interest in wanted)

    def of(self, key: Key) -> DependencyRecords:
        """Return the referenced objects of the Workspace `key`."""
        has_objectives = self._objectives.is_followed(key)
        if key not in self._dependencies and not has_objectives:
            return _NOTHING
        excess = _EXCESS if key in self._excess.get(key[0], ()) else ""
        wanted, kind = self._wanted.get(key, {}), self._workload_kind(key)
        found = {name: objects.of(interest) for name, (objects, interest) in wanted.items()}
        problems = {name: objects.problem(interest) for name, (objects, interest) in wanted.items()}
        return DependencyRecords(
            workload=next(iter(found.get("reference", ())), None),
            pods=found.get("pods", ()),
            route=next(iter(found.get("route", ())), None),
            pool=next(iter(found.get("pool", ())), None),
            problem=excess or (kind.problem if kind is not None else "") or problems.get("reference", ""),
            excess=excess,
            companion=next(iter(found.get("companion", ())), None),
            companion_problem=problems.get("companion", ""),
            network_policy=next(iter(found.get("network_policy", ())), None),
            network_policy_problem=problems.get("network_policy", ""),
            budgets=found.get("budgets", ()),
            budgets_problem=problems.get("budgets", ""),
            scaled_object=next(iter(found.get("scaled_object", ())), None),
            scaled_object_problem=problems.get("scaled_object", ""),
            objectives=self._objectives.of(key) if has_objectives else (),
            objectives_problem=self._objectives.problem(key) if has_objectives else "",
            objectives_of_llm_d=self._objectives.of_llm_d(key),
        )

    def write_through(self, record: Any, version: int) -> None:  # noqa: ANN401
        """Store the response to one of our writes if its kind is watched here for several Workspaces."""
        if isinstance(record, InferenceObjective):
            self._objectives.write_through(record, version)

    def resource_of(self, key: Key) -> ApiResource | None:
        """Return the resource of the referenced workload of `key`; None until discovery has found it."""
        kind = self._workload_kind(key)
        return kind.resource if kind is not None else None

    async def close(self) -> None:
        """Stop all watches."""
        closing = [objects.close() for objects in self._kinds.values()]
        closing += [kind.close() for kind in self._workloads.values()]
        for state in (self._dependencies, self._wanted, self._references, self._excess, self._workloads):
            state.clear()
        await asyncio.gather(*closing, *self._closing, self._objectives.close())

    def _followed(
        self, resource: ApiResource, parse: Callable[[Json, str], Any], concerns: Callable[[Any, Key], bool] | None = None
    ) -> FollowedObjects[Any]:
        make, only = partial(_source, resource, parse), {"concerns": concerns} if concerns is not None else {}
        return FollowedObjects(self._client, make, self._changed, cluster_wide=self._cluster_wide, **only)

    def _follow(self, key: Key, dependencies: Dependencies) -> None:
        """Follow what `dependencies` names, as far as the namespace has not too many references."""
        namespace, count = key[0], _count(dependencies)
        earlier = self._dependencies.pop(key, None)
        self._references[namespace] -= _count(earlier) if earlier is not None else 0
        waiting = self._excess.get(namespace, {})
        waiting.pop(key, None)
        is_excess = bool(count) and self._references[namespace] + count > MOST_REFERENCES
        if is_excess:
            self._excess.setdefault(namespace, waiting)[key] = dependencies
            dependencies, count = _NONE, 0
        self._references[namespace] += count
        if is_excess or dependencies != _NONE:
            self._dependencies[key] = dependencies
        self._use(key, dependencies.reference)
        new = self._interests(key, dependencies)
        old = self._wanted.pop(key, {})
        for name, (objects, interest) in new.items():
            if old.get(name) != (objects, interest):
                objects.follow(interest, key)
        for name, (objects, interest) in old.items():
            if new.get(name) != (objects, interest):
                objects.unfollow(interest, key)
        if new:
            self._wanted[key] = new
        self._leave(key, earlier.reference if earlier is not None else None, dependencies.reference)

    def _readmit(self, namespace: str) -> None:
        """Follow the references of Workspaces for which there is room now."""
        if not self._references[namespace]:
            del self._references[namespace]
        waiting = self._excess.get(namespace, {})
        for key, dependencies in tuple(waiting.items()):
            if self._references[namespace] + _count(dependencies) > MOST_REFERENCES:
                break
            self._follow(key, dependencies)
            self._changed(key)
        if not waiting:
            self._excess.pop(namespace, None)

    def _interests(self, key: Key, dependencies: Dependencies) -> _Wanted:
        names = {"route": dependencies.route, "pool": dependencies.pool, "companion": dependencies.companion}
        names |= {"network_policy": dependencies.network_policy, "scaled_object": dependencies.scaled_object}
        found = {name: (self._kinds[name], Interest(key[0], wanted)) for name, wanted in names.items() if wanted}
        if dependencies.budgets:
            found["budgets"] = self._kinds["budgets"], Interest(key[0])
        if dependencies.pods:
            found["pods"] = self._kinds["pods"], Interest(key[0], labels=tuple(sorted(dependencies.pods.items())))
        kind = self._workloads.get(_kind_of(dependencies.reference)) if dependencies.reference is not None else None
        if kind is not None and kind.objects is not None and dependencies.reference is not None:
            found["reference"] = kind.objects, Interest(key[0], dependencies.reference.name or "")
        return found

    def _workload_kind(self, key: Key) -> _WorkloadKind | None:
        known = self._dependencies.get(key)
        return self._workloads.get(_kind_of(known.reference)) if known is not None and known.reference is not None else None

    def _use(self, key: Key, reference: WorkloadRef | None) -> None:
        """Note that the Workspace `key` references a workload, and discover its kind if that has not been referenced before."""
        if reference is not None:
            kind = self._workloads.get(_kind_of(reference))
            if kind is None:
                kind = self._workloads[_kind_of(reference)] = _WorkloadKind(reference, self._discover)
            kind.users.add(key)

    def _leave(self, key: Key, old: WorkloadRef | None, new: WorkloadRef | None) -> None:
        """Note that the Workspace `key` does not reference `old` any more; a kind without references is forgotten."""
        if old is None or (new is not None and _kind_of(old) == _kind_of(new)):
            return
        kind = self._workloads[_kind_of(old)]
        kind.users.discard(key)
        if not kind.users:
            del self._workloads[_kind_of(old)]
            closing = asyncio.create_task(kind.close(), name=f"forget {old.kind}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _discover(self, kind: _WorkloadKind) -> None:
        """Discover the resource of a kind, retried until it succeeds, and follow what references it.

        Anyone can reference any number of kinds that do not exist, so all together cause at most two requests per second.
        """
        while kind.resource is None:
            try:
                kind.resource = _namespaced(await self._client.find_resource(kind.reference.api_version, kind.reference.kind or ""))
            except (ApiError, ClusterScopedError) as error:
                kind.problem = str(error)
                for key in kind.users:
                    self._changed(key)
                unknown = sum(1 for other in self._workloads.values() if other.resource is None)
                await asyncio.sleep(max(_RETRY_SECONDS, unknown / _DISCOVERIES_PER_SECOND))
        kind.problem = ""
        kind.objects = self._followed(kind.resource, parse_referenced_workload)
        for key in tuple(kind.users):
            self._follow(key, self._dependencies[key])
            self._changed(key)


def _count(dependencies: Dependencies) -> int:
    """Return the number of references that a user has made, with the pods of a workload, which are known later."""
    has_workload = dependencies.reference is not None or bool(dependencies.pods)
    return 2 * has_workload + bool(dependencies.route) + bool(dependencies.pool)


def _concerns(budget: DisruptionBudget, key: Key) -> bool:
    return budget.may_concern(key[1])


def _kind_of(reference: WorkloadRef) -> tuple[str, str]:
    return reference.api_version, reference.kind or ""


def _source(resource: ApiResource, parse: Callable[[Json, str], RecordT], namespace: str) -> Source[RecordT]:
    return Source(resource, isolated(parse), namespace=namespace)


class ClusterScopedError(Exception):
    """A kind has no namespaces; the right to write Workspaces in a namespace says nothing about its objects."""


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
