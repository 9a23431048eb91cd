"""Reads a Workspace and the objects around it once, and evaluates them as the controller would, which need not run."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from workspace_ctrl.api.labels import OWNER_LABEL, PICKER_POD_LABEL, POD_LABEL, SET_KIND, SET_LABEL
from workspace_ctrl.cache import watches
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DependencyRecords
from workspace_ctrl.cache.watches import WatchedKind
from workspace_ctrl.cli.inspect.assumed_plan import assumed_plan, assumed_settings, is_of_kaito
from workspace_ctrl.controller.take_snapshot import take_snapshot
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError, KindNotServedError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import Decisions
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.resolved_workspace import resolve
from workspace_ctrl.readiness.chain import Report, evaluate
from workspace_ctrl.records.core_v1 import ConfigMap
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import parse_referenced_workload
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

_MORE_LISTS: Final = 2
"""Lists of the second round; one less where the referenced workload and its pods are read."""
_OF_CHARTS: Final = frozenset({"Deployment", "InferencePool", "Service"})
"""Kinds of the chart's objects that are looked for, if they could be read."""


@dataclass(frozen=True, slots=True)
class ObservedWorkspace:
    """A Workspace with what the cluster has around it."""

    item: Json
    """The Workspace as JSON."""
    snapshot: Snapshot
    decisions: Decisions
    report: Report
    unreadable: tuple[str, ...] = ()
    """Kinds that the user may not list; their links are only known from the status."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One list."""

    watched: WatchedKind[Any]
    selector: str = ""
    everywhere: bool = False
    """Whether of all namespaces."""
    is_optional: bool = False
    """Whether the chain can be evaluated without it; users of one namespace may often not list it."""


async def observe(client: Client, item: Json) -> ObservedWorkspace:
    """Return the Workspace `item` with the objects around it; sends at most eleven requests, in two rounds.

    Raises:
        ApiError: the API server cannot be reached, or fails.
    """
    namespace, name = str(item["metadata"]["namespace"]), str(item["metadata"]["name"])
    workspace = parse_workspace_record(item, str(item.get("kind") or ""))
    objects = _Objects(client, namespace)
    has_reference = _has_reference(item)
    await objects.read(each for each in _first(name, item) if not has_reference or each.watched is not watches.PODS)
    settings = assumed_settings(item, objects.sources)
    resolved = resolve(workspace, settings)
    limit = _MORE_LISTS - has_reference
    has_workload = has_reference or is_of_kaito(item)
    await objects.read(islice(_second(name, objects, has_workload=has_workload, nodes=resolved.dependencies.nodes), limit))
    referenced = await _referenced(client, namespace, resolved.dependencies)
    if resolved.dependencies.pods:  # of the copies of an InferenceSet of KAITO, which have names of their own
        referenced = replace(referenced, pods=tuple(objects.cache.pods.values()))
    snapshot = _snapshot(objects, workspace, resolved.dependencies, referenced)
    snapshot, decisions = assumed_plan(workspace, snapshot, settings)
    return ObservedWorkspace(item, snapshot, decisions, evaluate(snapshot, decisions), tuple(sorted(objects.unreadable)))


class _Objects:
    """The lists that were read."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self.cache = Cache()
        self.missing: frozenset[str] = frozenset()
        """Kinds that are not served."""
        self.unreadable: set[str] = set()
        self.listed: set[str] = set()
        """Kinds that were read."""
        self.sources: list[Json] = []
        """The OCIRepositories as JSON."""

    async def read(self, wanted: Iterable[_Wanted]) -> None:
        """Read lists into the cache, all at once."""
        await asyncio.gather(*(self._read(each) for each in wanted))

    async def _read(self, wanted: _Wanted) -> None:
        watched = wanted.watched
        parameters = {"labelSelector": wanted.selector} if wanted.selector else {}
        namespace = "" if wanted.everywhere else self._namespace
        try:
            items = await list_all(self._client, watched.resource, parameters, namespace, metadata_only=watched.metadata_only)
        except KindNotServedError:
            self.missing |= {watched.resource.kind}
            return
        except ForbiddenError:
            if not wanted.is_optional:
                self.unreadable.add(watched.resource.kind)
            return
        self.listed.add(watched.resource.kind)
        if watched is watches.OCI_REPOSITORIES:
            self.sources = items
        listed = {_key(each): (watched.read(each, watched.resource.kind), 1) for each in items}
        for sink in self.cache.sinks(watched).values():
            sink.replace(listed, 1)


def _key(item: Json) -> tuple[str, str]:
    return str(item["metadata"].get("namespace") or ""), str(item["metadata"]["name"])


def _first(name: str, item: Json) -> Iterator[_Wanted]:
    """Yield what every Workspace may have.

    Of routes and pools these are all of the namespace if it names its own, or if it is KAITO's: those have no labels of ours.
    """
    mine = f"{OWNER_LABEL}={name}"
    gateway = item.get("gateway")
    is_own = is_of_kaito(item) or (isinstance(gateway, Mapping) and ("httpRouteRef" in gateway or "pool" in gateway))
    pod_label = SET_LABEL if is_of_kaito(item) and item.get("kind") == SET_KIND else POD_LABEL
    yield _Wanted(watches.DEPLOYMENTS, mine)
    yield _Wanted(watches.PODS, f"{pod_label}={name}")
    yield _Wanted(watches.OCI_REPOSITORIES, mine)
    yield _Wanted(watches.HELM_RELEASES, mine)
    yield _Wanted(watches.HTTP_ROUTES, "" if is_own else mine)
    yield _Wanted(watches.INFERENCE_POOLS, "" if is_own else mine)
    yield _Wanted(watches.GATEWAYS, everywhere=True)
    yield _Wanted(watches.GATEWAY_CLASSES, everywhere=True)


def _second(name: str, objects: _Objects, *, has_workload: bool, nodes: bool) -> Iterator[_Wanted]:
    """Yield what follows from the first lists, the most telling first; `has_workload` is whether the model server is not ours."""
    workloads = objects.cache.deployments
    has_deployment = has_workload or any(record.ref.name == name for record in workloads.values())
    pickers = [record for record in workloads.values() if record.ref.name != name]
    ill = sorted(record.ref.name for record in pickers if not record.has_leader)
    if ill:
        yield _Wanted(watches.PICKER_PODS, f"{PICKER_POD_LABEL} in ({','.join(ill)})")
    if not has_deployment:
        yield (
            _Wanted(watches.NODES, everywhere=True, is_optional=True)
            if nodes
            else _Wanted(watches.STATEFUL_SETS, f"{OWNER_LABEL}={name}")
        )
    if any(True for _ in objects.cache.gateways.values()):
        yield _Wanted(watches.GATEWAY_PROXIES, watches.GATEWAY_PROXIES.selector, everywhere=True, is_optional=True)
    if pickers and not ill:
        services = next(watched for watched in watches.CHART_OBJECTS if watched.resource is watches.SERVICE)
        yield _Wanted(services, f"{OWNER_LABEL}={name}")


def _has_reference(item: Json) -> bool:
    inference = item.get("inference")
    return isinstance(inference, Mapping) and inference.get("workloadRef") is not None


async def _referenced(client: Client, namespace: str, dependencies: Dependencies) -> DependencyRecords:
    """Return the object of `inference.workloadRef`, which its kind's API has, and its pods."""
    reference = dependencies.reference
    if reference is None or not reference.kind or not reference.name:
        return DependencyRecords()
    try:
        resource = await _resource(client, str(reference.api_version or ""), reference.kind)
        item = await client.find(resource, namespace, reference.name)
    except (KindNotServedError, ForbiddenError) as error:
        return DependencyRecords(problem=str(error))
    if item is None:
        return DependencyRecords()
    found = parse_referenced_workload(item, reference.kind)
    labels = ",".join(f"{key}={value}" for key, value in (reference.selector or found.selector or {}).items())
    raw = await list_all(client, watches.POD, {"labelSelector": labels}, namespace) if labels else []
    return DependencyRecords(workload=found, pods=tuple(watches.PODS.read(each, "Pod") for each in raw))


async def _resource(client: Client, api_version: str, kind: str) -> ApiResource:
    known = watches.RESOURCES.get(kind)
    return known if known is not None and known.api_version == api_version else await client.find_resource(api_version, kind)


def _snapshot(objects: _Objects, workspace: WorkspaceRecord, dependencies: Dependencies, referenced: DependencyRecords) -> Snapshot:
    cache = objects.cache
    namespace = workspace.meta.ref.namespace
    route = cache.http_routes.get((namespace, dependencies.route)) if dependencies.route else None
    pool = cache.inference_pools.get((namespace, dependencies.pool)) if dependencies.pool else None
    snapshot = take_snapshot(cache, workspace.key, dependencies, replace(referenced, route=route, pool=pool), objects.missing)
    config = ConfigMap(Meta(ObjectRef("ConfigMap", namespace, dependencies.config)), "1") if dependencies.config else None
    return replace(snapshot, config_map=config, chart_object_kinds=_OF_CHARTS & objects.listed)
