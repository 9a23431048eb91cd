"""Takes the snapshot of one Workspace from the cache, without side effects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.api.names import Names, names
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DependencyRecords
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.body_router import BodyRouterState
from workspace_ctrl.model.canary import CanaryCount
from workspace_ctrl.model.chart_objects import NO_FORMER_CHARTS, FormerCharts
from workspace_ctrl.model.chart_verdicts import ChartId, ChartVerdict
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.model.probe_results import ProbeResult
from workspace_ctrl.model.snapshot import SiblingPool, Snapshot
from workspace_ctrl.records.gateways import HTTPRoute, InferencePool


@dataclass(frozen=True, slots=True)
class Background:
    """What other tasks of the process have found out for one Workspace."""

    probe: ProbeResult | None = None
    """Result of requests through its Gateways; None while it is not known."""
    probing: bool = False
    """Whether requests are sent at all."""
    chart_verdicts: Mapping[ChartId, ChartVerdict] | None = None
    """Results of the checks of charts; None if charts are not checked."""
    hub_answers: Mapping[str, HubAnswer] = field(default_factory=dict)
    """Answers of the model hub by model."""
    body_routers: Mapping[str, BodyRouterState] | None = None
    """The body-based routers by Gateway; None if they are not managed."""
    canary_count: CanaryCount | None = None
    """What is counted for it as a canary; None while nothing is counted."""
    unread_for: Callable[[str, str], float] | None = None
    """Returns for how many seconds KEDA has not read the load at an endpoint picker, or shown that it lives; None if that is not known."""


_NO_BACKGROUND: Final = Background()


def take_snapshot(  # noqa: PLR0917 - all that a pass reads
    cache: Cache,
    key: Key,
    dependencies: Dependencies,
    referenced: DependencyRecords,
    missing_kinds: frozenset[str],
    background: Background = _NO_BACKGROUND,
) -> Snapshot:
    """Return the objects of the Workspace `key`, its dependencies, the cluster's Gateways, and what other tasks have found out."""
    namespace = key[0]
    derived = _names(cache, key, dependencies.chart)
    workload, release = (namespace, derived.workload), (namespace, derived.release)
    picker = (namespace, derived.endpoint_picker)
    own = (cache.deployments.get(workload), cache.stateful_sets.get(workload))
    snapshot = Snapshot(
        workloads=(*(record for record in own if record is not None), *cache.copies_of(key)),
        services=cache.services.owned_by(key),
        claims=cache.volume_claims.owned_by(key),
        reference=referenced.workload,
        reference_problem=referenced.problem,
        config_map=cache.config_maps.get((namespace, dependencies.config)),
        hub_answer=background.hub_answers.get(dependencies.hub_model),
        pods=cache.pods.owned_by(key),
        source=cache.oci_repositories.get((namespace, derived.source)),
        release=cache.helm_releases.get((namespace, derived.source)),
        parts=cache.chart_objects_of(key),
        chart_object_kinds=cache.chart_object_kinds(namespace).difference(missing_kinds),
        former=_former_charts(cache, key, derived),
        endpoint_picker=cache.deployments.get(picker),
        picker_pods=cache.picker_pods.owned_by(picker),
        pool=cache.inference_pools.get(release),
        route=cache.http_routes.get((namespace, derived.route)),
        named_route=referenced.route,
        sibling_pools=_sibling_pools(cache, referenced.route, dependencies.pool or derived.release),
        named_pool=referenced.pool,
        gateways=tuple(cache.gateways.values()),
        gateway_classes=tuple(cache.gateway_classes.values()),
        gateway_services=tuple(cache.gateway_services.values()),
        gateway_proxies=tuple(cache.gateway_proxies.values()),
        namespace=cache.namespaces.get(("", namespace)),
        nodes=tuple(cache.nodes.values()) if dependencies.nodes else (),
        missing_kinds=missing_kinds,
        probe=background.probe,
        probing=background.probing,
        chart_verdicts=background.chart_verdicts,
        body_routers=background.body_routers,
        canary_count=background.canary_count,
        load_unread_for=background.unread_for(*picker) if background.unread_for is not None and referenced.scaled_object else 0.0,
    )
    return referenced.on(snapshot)


def _sibling_pools(cache: Cache, route: HTTPRoute | None, own: str) -> tuple[SiblingPool, ...]:
    if route is None:
        return ()
    pools = (cache.inference_pools.get((route.ref.namespace, name)) for name in route.pools_beside(own))
    # Of a referenced workload the pods are not in the cache.
    known = (pool for pool in pools if pool is not None and pool.meta.workspace and POD_LABEL in pool.selector)
    return tuple(_sibling_pool(cache, pool) for pool in known)


def _sibling_pool(cache: Cache, pool: InferencePool) -> SiblingPool:
    pods = cache.pods.owned_by((pool.ref.namespace, pool.meta.workspace))
    is_empty = not any(pod.ready and pod.matches(pool.selector) for pod in pods)
    return SiblingPool(pool.ref, pool.meta.workspace, is_empty)


def _names(cache: Cache, key: Key, chart: str) -> Names:
    """Return the names of a Workspace's objects; if it wants no chart, for the one that is installed."""
    if chart:
        return names(key[1], chart)
    releases = cache.helm_releases.owned_by(key)
    return names(key[1], release=releases[0].ref.name if releases else "")


def _former_charts(cache: Cache, key: Key, derived: Names) -> FormerCharts:
    """Return the Workspace's objects of charts with other release names."""
    sources = tuple(record for record in cache.oci_repositories.owned_by(key) if record.ref.name != derived.release)
    releases = tuple(record for record in cache.helm_releases.owned_by(key) if record.ref.name != derived.release)
    pools = tuple(record for record in cache.inference_pools.owned_by(key) if record.ref.name != derived.release)
    return FormerCharts(sources, releases, pools) if sources or releases or pools else NO_FORMER_CHARTS
