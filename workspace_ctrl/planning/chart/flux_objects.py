"""OCIRepository and HelmRelease, with which Flux installs the InferencePool and its endpoint picker.

We apply only the fields that we define. `suspend` and fields with defaults of the API server are left out, so that a suspension by a user
persists, and an unchanged manifest changes nothing. Settings and their reasons: docs/concepts/flux.md.
"""

from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.endpoint_picker_spec import EndpointPicker, ValuesReference
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import OWNER_LABEL, POD_INDEX_LABEL, POD_LABEL
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.catalog.charts import ChartValue, find_layout, registry_tag, value_at
from workspace_ctrl.planning.chart.post_renderers import OwningNamespace, post_renderers
from workspace_ctrl.planning.chart.values import PoolValues, chart_values, has_cluster_role
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.plan_settings import ChartSource, PlanSettings
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.workloads import WorkloadKind

_CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


SOURCE_API: Final = "source.toolkit.fluxcd.io/v1"
RELEASE_API: Final = "helm.toolkit.fluxcd.io/v2"


def oci_repository(owner: Meta, names: Names, chart: ChartSource) -> Manifest:
    """Return the OCIRepository of the chart."""
    return owned(SOURCE_API, "OCIRepository", names.source, owner, {"spec": source_spec(chart)})


def source_spec(chart: ChartSource) -> dict[str, Any]:
    """Return the spec of the OCIRepository of a chart."""
    spec: dict[str, Any] = {
        "url": chart.url,
        "ref": {"digest": chart.digest} if chart.digest else {"tag": registry_tag(chart.version)},
        # A pinned chart never changes; a moved tag is found by one HEAD request at each interval.
        "interval": "1h" if chart.digest else "10m",
        "timeout": "60s",
        # The artifact is then the file of the registry, byte for byte; otherwise Flux repacks it and may omit files.
        "layerSelector": {"mediaType": _CHART_LAYER, "operation": "copy"},
    }
    if chart.insecure:
        spec["insecure"] = True
    if chart.secret:
        spec["secretRef"] = {"name": chart.secret}
    if chart.cert_secret:
        spec["certSecretRef"] = {"name": chart.cert_secret}
    if chart.verification:
        keys = {"secretRef": {"name": chart.verification.secret}} if chart.verification.secret else {}
        spec["verify"] = {"provider": chart.verification.provider, **keys}
    return spec


def release_spec(
    source: str, release: str, labels: Mapping[str, str], values: Mapping[str, Any], *, account: str = ""
) -> dict[str, Any]:
    """Return the spec of the HelmRelease `release` for the chart of the OCIRepository `source`; its objects get `labels`.

    `account` is the ServiceAccount with which Flux installs the chart; empty for Flux's own default.
    """
    # A failed attempt is retried without limit; by default Flux gives up after one failure, even one due to a slow image pull. We watch
    # the installed objects ourselves, so that no worker of Flux is blocked while it waits for them to become ready. The API server judges
    # the fields of what Helm sends, for which Helm asks strictly; its validation by OpenAPI would only read the API server's schemas, for
    # each release anew, to learn that it does so: half of the CPU time of an installation (kubectl's ParamVerifyingSchema, as in Helm).
    action = {
        "disableWait": True,
        "disableOpenAPIValidation": True,
        "disableTakeOwnership": True,
        "strategy": {"name": "RetryOnFailure", "retryInterval": "1m"},
    }
    return {
        "chartRef": {"kind": "OCIRepository", "name": source},
        "releaseName": release,
        "interval": "30m",
        "timeout": "5m",
        "maxHistory": 2,
        "install": {"crds": "Skip", **action},
        "upgrade": {"crds": "Skip", **action},
        "uninstall": {"deletionPropagation": "background"},
        "driftDetection": {"mode": "enabled", "ignore": [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]},
        "commonMetadata": {"labels": dict(labels)},
        "values": values,
    } | ({"serviceAccountName": account} if account else {})


def helm_release(
    owner: Meta,
    names: Names,
    pool: PoolValues,
    *,
    chart: ChartSource,
    gateway: GatewaySpec | None,
    settings: PlanSettings,
    namespace_uid: str = "",
) -> Manifest:
    """Return the HelmRelease of the chart, for the model servers of `pool`; `namespace_uid` is empty if it is not known.

    Raises:
        UnknownChartError: the layout of the chart's values is not known.
        SpecError: the Workspace sets values that it may not set, or that the chart does not support.
    """
    picker = (gateway.endpoint_picker if gateway else None) or EndpointPicker()
    layout = find_layout(chart.values_of, chart.version)
    values = chart_values(layout, names, pool, namespace=owner.ref.namespace, installed=settings.picker, asked=picker)
    account = (gateway.service_account_name if gateway is not None else None) or settings.flux_service_account
    spec = release_spec(names.source, names.release, {OWNER_LABEL: names.workspace}, values, account=account)
    # Values that only Flux reads may turn monitoring on.
    is_owned = bool(namespace_uid) and (has_cluster_role(layout, values) or bool(picker.values_from))
    owning = OwningNamespace(owner.ref.namespace, namespace_uid) if is_owned else None
    replicas = layout.place(ChartValue.REPLICAS)
    renderers = post_renderers(layout, names, pool, value_at(values, replicas) if replicas is not None else 1, owning)
    if renderers:
        spec["postRenderers"] = renderers
    if picker.values_from:
        if not settings.picker.allow_values_from:
            remedy = "use gateway.endpointPicker.values; the controller's setting endpointPicker.allowValuesFrom allows it"
            raise SpecError("gateway.endpointPicker.valuesFrom", "cannot be set by a Workspace", remedy)
        spec["valuesFrom"] = [_values_reference(reference) for reference in picker.values_from]
    return owned(RELEASE_API, "HelmRelease", names.source, owner, {"spec": spec})


def _values_reference(reference: ValuesReference) -> dict[str, Any]:
    """Return the reference for Flux; without a targetPath, whose values would override ours."""
    entry: dict[str, Any] = {"kind": reference.kind, "name": reference.name}
    if reference.values_key is not None:
        entry["valuesKey"] = reference.values_key
    if reference.optional is not None:
        entry["optional"] = reference.optional
    return entry


def pool_selector(workspace: str, workload_kind: str) -> dict[str, str]:
    """Return the labels of the pods that serve requests; of a StatefulSet, only the leader does."""
    selector = {POD_LABEL: workspace}
    if workload_kind == WorkloadKind.STATEFUL_SET:
        selector[POD_INDEX_LABEL] = "0"
    return selector
