"""One Workspace's objects at one moment, taken from the cache; taking them changes nothing."""

from collections.abc import Collection
from typing import Any

from workspace_ctrl.api.names import Names, names
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DependencyRecords
from workspace_ctrl.cache.watches import (
    GATEWAY_PROXY,
    GATEWAY_SERVICE,
    HELM_RELEASE,
    INFERENCE_POOL,
    OCI_REPOSITORY,
    PICKER_POD,
)
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.chart_objects import NO_FORMER_CHARTS, FormerCharts
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.snapshot import Snapshot


def take_snapshot(
    cache: Cache, key: Key, dependencies: Dependencies, referenced: DependencyRecords, missing_kinds: Collection[str]
) -> Snapshot:
    """Return the objects of the Workspace `key`, those of others on which it depends, and the cluster's Gateways."""
    namespace, stores = key[0], cache.stores
    derived = _names(cache, key, dependencies.chart)

    def get(kind: str, name: str) -> Any:  # noqa: ANN401
        return stores[kind].get((namespace, name))

    own = [get(kind, derived.workload) for kind in ("Deployment", "StatefulSet")]
    return Snapshot(
        workloads=tuple(workload for workload in own if workload is not None),
        services=stores["Service"].owned_by(key),
        claims=stores["PersistentVolumeClaim"].owned_by(key),
        reference=referenced.workload,
        reference_problem=referenced.trouble,
        config_map=get("ConfigMap", dependencies.config),
        pods=(*stores["Pod"].owned_by(key), *referenced.pods),
        source=get("OCIRepository", derived.source),
        release=get("HelmRelease", derived.source),
        parts=cache.chart_objects_of(key),
        chart_object_kinds=cache.chart_object_kinds(namespace).difference(missing_kinds),
        former=_former_charts(cache, key, derived),
        endpoint_picker=get("Deployment", derived.endpoint_picker),
        picker_pods=stores[PICKER_POD].owned_by((namespace, derived.endpoint_picker)),
        pool=get("InferencePool", derived.release),
        route=get("HTTPRoute", derived.route),
        named_route=referenced.route,
        named_pool=referenced.pool,
        companion=referenced.companion,
        companion_problem=referenced.companion_problem,
        objectives=referenced.objectives,
        objectives_problem=referenced.objectives_problem,
        gateways=tuple(stores["Gateway"].values()),
        gateway_classes=tuple(stores["GatewayClass"].values()),
        gateway_services=tuple(stores[GATEWAY_SERVICE].values()),
        gateway_proxies=tuple(stores[GATEWAY_PROXY].values()),
        namespace=stores["Namespace"].get(("", namespace)),
        nodes=tuple(stores["Node"].values()) if dependencies.nodes else (),
        missing_kinds=frozenset(missing_kinds),
    )


def _names(cache: Cache, key: Key, chart: str) -> Names:
    """Return the names of a Workspace's objects; where it wants no chart, with those of the one that is installed."""
    if chart:
        return names(key[1], chart)
    releases = cache.stores[HELM_RELEASE.kind].owned_by(key)
    return names(key[1], release=releases[0].ref.name if releases else "")


def _former_charts(cache: Cache, key: Key, derived: Names) -> FormerCharts:
    """Return what charts under other names have made of a Workspace."""
    sources, releases, pools = (
        tuple(record for record in cache.stores[resource.kind].owned_by(key) if record.ref.name != derived.release)
        for resource in (OCI_REPOSITORY, HELM_RELEASE, INFERENCE_POOL)
    )
    return FormerCharts(sources, releases, pools) if sources or releases or pools else NO_FORMER_CHARTS
