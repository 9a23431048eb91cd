"""OCIRepository and HelmRelease: how Flux installs the InferencePool with its endpoint picker.

We send only the fields that we decide. `suspend` and everything that the API server fills in stay out, so that a user's pause survives
and an apply that changes nothing stays one. Settings and their reasons: docs/concepts/flux.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workspace_ctrl.api.labels import OWNER_LABEL, POD_INDEX_LABEL, POD_LABEL
from workspace_ctrl.api.names import Names
from workspace_ctrl.catalog.charts import find_layout
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.records.meta import Meta

_CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class PoolValues:
    """What the chart must know of the model server and of the Gateway."""

    selector: Mapping[str, str]
    """Labels of the pods that answer requests."""
    port: int
    provider: str
    """The chart's `provider.name`, which follows from the Gateway's class."""


def oci_repository(owner: Meta, names: Names, settings: PlanSettings) -> Manifest:
    """Return the OCIRepository of the chart."""
    spec: dict[str, Any] = {
        "url": settings.chart.url,
        "ref": {"tag": settings.chart.version},
        "interval": "10m",
        "timeout": "60s",
        # The stored file is then the registry's, byte for byte; otherwise Flux packs it anew and may leave files out.
        "layerSelector": {"mediaType": _CHART_LAYER, "operation": "copy"},
    }
    if settings.chart.insecure:
        spec["insecure"] = True
    return owned("source.toolkit.fluxcd.io/v1", "OCIRepository", names.source, owner, {"spec": spec})


def helm_release(owner: Meta, names: Names, pool: PoolValues, settings: PlanSettings) -> Manifest:
    """Return the HelmRelease of the chart, for the model servers of `pool`.

    Raises:
        UnknownChartError: the layout of the chart's values is not known.
    """
    # A failed attempt is tried again for ever; Flux's default is to give up after one, a slow image pull included. Readiness of the
    # endpoint picker is watched by ourselves, so that no worker of Flux is held by a waiting installation.
    action = {
        "disableWait": True,
        "disableTakeOwnership": True,
        "strategy": {"name": "RetryOnFailure", "retryInterval": "1m"},
    }
    spec = {
        "chartRef": {"kind": "OCIRepository", "name": names.source},
        "releaseName": names.release,
        "interval": "30m",
        "timeout": "5m",
        "maxHistory": 2,
        "install": {"crds": "Skip", **action},
        "upgrade": {"crds": "Skip", **action},
        "uninstall": {"deletionPropagation": "background"},
        "driftDetection": {"mode": "enabled", "ignore": [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]},
        "commonMetadata": {"labels": {OWNER_LABEL: names.workspace}},
        "values": _values(names, pool, settings),
    }
    return owned("helm.toolkit.fluxcd.io/v2", "HelmRelease", names.source, owner, {"spec": spec})


def pool_selector(workspace: str, workload_kind: str) -> dict[str, str]:
    """Return the labels of the pods that answer requests: of a StatefulSet, only the leader does."""
    selector = {POD_LABEL: workspace}
    if workload_kind == "StatefulSet":
        selector[POD_INDEX_LABEL] = "0"
    return selector


def _values(names: Names, pool: PoolValues, settings: PlanSettings) -> dict[str, Any]:
    layout = find_layout(settings.chart.chart, settings.chart.version)
    return layout.values_for(
        {
            "match_labels": dict(pool.selector),
            "target_ports": [{"number": pool.port}],
            "resources": dict(settings.picker_resources),
            "failure_mode": "FailOpen",
            "provider": pool.provider,
            "metrics_secret": f"{names.endpoint_picker}-metrics",
            "image_pull_policy": "IfNotPresent",
        }
    )
