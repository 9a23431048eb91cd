"""Patches that Flux applies to the rendered chart, where the charts have no value for what we need.

- The start of the endpoint picker: its pod must be Ready only when it answers Gateways. The chart's readiness probe uses another port,
  which is open at once. The port for Gateways opens when a key of 4096 bits has been generated, which takes part of a second, and many
  seconds on a busy node; until then requests fail. So a startup probe is added.
- The replacement of the endpoint picker: the charts end the old one before they start the new one (Recreate), and Gateways answer 500 in
  between, whatever the pool's failure mode. A single replica is replaced when the new one is Ready. Of several, only the leader is Ready,
  and a new one cannot lead while the old one does, so these stay as the chart has them.
- The label of the endpoint picker's pods: each chart has one of its own, and a watch can select only one.
- The health check of GKE: the charts configure it only together with the pool's appProtocol, which CRDs before 1.4 do not know. Without a
  configuration GKE requests `/`, which model servers answer with 404.
- The longest duration of an answer on GKE, which rejects routes with timeouts: the charts have a fixed one in a GCPBackendPolicy.
- The owner of what the chart has in the whole cluster. Flux uninstalls a release by a Secret of its namespace; where that has been deleted
  first, it leaves these objects behind. Their owner is the namespace, so the garbage collector deletes them with it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.labels import PICKER_POD_LABEL
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.traffic.durations import seconds_of
from workspace_ctrl.catalog.charts import ChartLayout, ChartValue
from workspace_ctrl.planning.chart.values import PICKER_PORT, PoolValues

GKE: Final = "gke"
"""The charts' `provider.name` for Gateways of GKE."""
_NO_LIMIT: Final = 2_147_483_647
"""The greatest `timeoutSec` of a backend service (https://cloud.google.com/compute/docs/reference/rest/v1/backendServices)."""
CLUSTER_SCOPED: Final = ("ClusterRole", "ClusterRoleBinding")
"""The kinds that the charts have in the whole cluster."""
_ONE_AFTER_THE_OTHER: Final = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
_PROBE: Final = {"tcpSocket": {"port": PICKER_PORT}, "periodSeconds": 1, "failureThreshold": 120}


@dataclass(frozen=True, slots=True)
class OwningNamespace:
    """A namespace, as the owner of other objects."""

    name: str
    uid: str


def post_renderers(
    layout: ChartLayout, names: Names, pool: PoolValues, replicas: int, namespace: OwningNamespace | None = None
) -> list[dict[str, Any]]:
    """Return the post-renderers of a release, as in a HelmRelease; none if there is nothing to patch.

    `replicas` is the number of endpoint pickers in the chart's values. `namespace` becomes the owner of the chart's objects in the whole
    cluster; None if there are none, or if its uid is not known.
    """
    patches: list[dict[str, Any]] = [
        {"target": {"kind": patch["kind"], "name": patch["metadata"]["name"]}, "patch": json.dumps(patch, sort_keys=True)}
        for patch in _patches(layout, names, pool, replicas)
    ]
    if namespace is not None:
        patches += ({"target": {"kind": kind}, "patch": _owned_by(namespace)} for kind in CLUSTER_SCOPED)
    return [{"kustomize": {"patches": patches}}] if patches else []


def _owned_by(namespace: OwningNamespace) -> str:
    """Return the patch that adds the owner; the chart's admission policy for HelmReleases accepts exactly this text."""
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": namespace.name, "uid": namespace.uid}
    return json.dumps([{"op": "add", "path": "/metadata/ownerReferences", "value": [owner]}])


def health_check(port: int) -> dict[str, Any]:
    """Return the configuration of GKE's health check for model servers at `port`."""
    return {"type": "HTTP", "httpHealthCheck": {"requestPath": "/health", "port": port}}


def _patches(layout: ChartLayout, names: Names, pool: PoolValues, replicas: int) -> Iterator[dict[str, Any]]:
    if layout.picker_container:
        template = {
            "metadata": {"labels": {PICKER_POD_LABEL: names.endpoint_picker}},
            "spec": {"containers": [{"name": layout.picker_container, "startupProbe": _PROBE}]},
        }
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": names.endpoint_picker},
            "spec": {"template": template, **({"strategy": _ONE_AFTER_THE_OTHER} if replicas == 1 else {})},
        }
    if pool.provider == GKE and pool.timeout:
        yield {
            "apiVersion": "networking.gke.io/v1",
            "kind": "GCPBackendPolicy",
            "metadata": {"name": names.release},
            "spec": {"default": {"timeoutSec": _timeout_seconds(pool.timeout)}},
        }
    if pool.provider == GKE and layout.place(ChartValue.PROTOCOL) is not None:
        yield {
            "apiVersion": "networking.gke.io/v1",
            "kind": "HealthCheckPolicy",
            "metadata": {"name": names.release},
            "spec": {"default": {"config": health_check(pool.port)}},
        }


def _timeout_seconds(timeout: str) -> int:
    """Return the timeoutSec for a timeout of a route, where 0 is no limit."""
    return min(seconds_of(timeout) or _NO_LIMIT, _NO_LIMIT)
