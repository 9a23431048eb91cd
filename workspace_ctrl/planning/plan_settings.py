"""The settings of the installation that planning needs; they apply to all Workspaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from workspace_ctrl.catalog.gateway_classes import GatewayClassProfile, find_profile
from workspace_ctrl.model.chart_verdicts import ChartId
from workspace_ctrl.planning.preset.installed_environment import CertificateBundle

DEFAULT_MODEL_SERVER_IMAGE = "docker.io/vllm/vllm-openai:v0.33.0"
"""The official image of vLLM: it serves every preset of the catalog, and is newer than the fixes of known remote vulnerabilities."""

DEFAULT_PICKER_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
"""The charts' defaults request up to 8 CPUs and 8 GiB, with which the endpoint picker stays Pending on small nodes."""


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Mode(StrEnum):
    """Whose Workspaces are: the kind, the model servers, and the status."""

    MANAGED = "managed"
    """Ours: we make the model servers as well."""
    COMPANION = "companion"
    """KAITO's: we read its model servers, and add the gateway side."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How Flux verifies the signature of a chart."""

    provider: str
    """cosign or notation."""
    secret: str = ""
    """Secret with the keys, in the Workspace's namespace; without one, cosign uses Sigstore's public service."""


@dataclass(frozen=True, slots=True)
class ChartSource:
    """Source of the chart that installs pool and endpoint picker."""

    name: str = "default"
    """Name with which Workspaces choose it."""
    url: str = "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool"
    version: str = "v1.5.0"
    """Tag in the registry; it also determines the layout of the values."""
    digest: str = ""
    """`sha256:...` of the manifest to pin the chart; the tag is then not resolved."""
    allowed_digests: tuple[tuple[str, str], ...] = ()
    """Versions, each with a digest that Workspaces may choose for it."""
    layout: str = ""
    """Name of the chart whose values layout applies, if not its own: for a fork under another name."""
    insecure: bool = False
    """Plain HTTP, for registries in tests and demos."""
    secret: str = ""
    """Secret of type kubernetes.io/dockerconfigjson, in the Workspace's namespace, with Flux's registry credentials."""
    cert_secret: str = ""
    """Secret with ca.crt, or tls.crt and tls.key, in the Workspace's namespace."""
    verification: Verification | None = None

    @property
    def chart(self) -> str:
        """Name of the chart, the last part of its URL."""
        return self.url.rpartition("/")[2]

    @property
    def id(self) -> ChartId:
        """Identity of the fetched chart."""
        return ChartId(self.url, self.version, self.digest, self.layout, self.insecure)

    @property
    def values_of(self) -> str:
        """Name of the chart whose values layout applies."""
        return self.layout or self.chart


@dataclass(frozen=True, slots=True)
class GatewayChoice:
    """A Gateway named by the installation, a Workspace, or a route of a user."""

    namespace: str
    name: str
    section: str = ""
    """Name of the listener; empty for all."""
    port: int = field(default=0, kw_only=True)
    """Port of the listeners, which only routes of users can name; 0 for any."""


@dataclass(frozen=True, slots=True)
class PickerSettings:
    """The installation's settings for every endpoint picker."""

    resources: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_PICKER_RESOURCES)
    """Resources of its container, as in a pod."""
    replicas: int = 1
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Values of the chart, in the chart's layout."""
    allowed_values: tuple[str, ...] = ()
    """Dotted paths of values that Workspaces may set in addition to the default ones."""
    allow_values_from: bool = False
    """Whether Workspaces may refer to ConfigMaps and Secrets with values, whose content is not checked."""


ALL_NAMESPACES: Final = "*"
"""Stands for all namespaces in `PlanSettings.gateway_namespaces`."""

BODY_ROUTER_CHART: Final = ChartSource(
    name="bodyBasedRouting", url="oci://registry.k8s.io/gateway-api-inference-extension/charts/body-based-routing"
)


@dataclass(frozen=True, slots=True)
class BodyRoutingSettings:
    """Body-based routers: they copy the model name in a request's body to the header by which the request is routed."""

    managed: bool = False
    """Whether each Gateway with Workspaces that match that header gets one."""
    chart: ChartSource = BODY_ROUTER_CHART
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Values of the chart."""
    service_account: str = ""
    """ServiceAccount in the namespace of the Gateway with which Flux installs the chart; empty for Flux's own default."""


@dataclass(frozen=True, slots=True)
class AutoscalingSettings:
    """Whether InferenceSets are scaled by load, and where KEDA reads it."""

    enabled: bool = False
    """Whether ScaledObjects of KEDA are created."""
    url: str = ""
    """URL, without a trailing slash, at which KEDA reaches the loads that this controller serves."""
    prometheus: str = ""
    """URL of a Prometheus with the metrics of the endpoint pickers, which is used instead; empty for none."""


SAME: Final = "same"
"""In `ModelIndexSettings.namespaces`: only models in the namespace of the Gateway."""
ALL: Final = "all"
"""In `ModelIndexSettings.namespaces`: models in any namespace."""


@dataclass(frozen=True, slots=True)
class ModelIndexSettings:
    """The list of models, which a Service of its own answers on each Gateway with models."""

    enabled: bool = False
    """Whether the Gateways get its route."""
    namespaces: str | tuple[str, ...] = SAME
    """Whose models are listed: `SAME`, `ALL`, or these namespaces."""
    service_namespace: str = ""
    service: str = ""
    """Name of the Service."""
    port: int = 80
    """Port of the Service."""


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """The PodDisruptionBudgets of model servers with several copies."""

    enabled: bool = True
    max_unavailable: int | str = 1
    """Number of copies that may be evicted at a time, or their percentage as text."""


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """By what it is known that only the controller's version changes pods, so that the change waits."""

    version: str
    """Version of this controller."""
    chosen: str
    """Hash of the settings about pods that are not the defaults."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The installation's settings."""

    mode: Mode = Mode.MANAGED
    gateway_extension: bool = False
    """The feature gate gatewayAPIInferenceExtension: off means the workload only."""
    probes: bool = True
    """Whether requests through the Gateways show that models are reached."""
    gateway: GatewayChoice | None = None
    """Default Gateway."""
    gateway_namespaces: tuple[str, ...] = ()
    """Namespaces whose Gateways become the default of Workspaces in other namespaces, if there is no `gateway`."""
    gateway_classes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """controllerName of a GatewayClass → name of the profile that it has here."""
    shared_paths: tuple[str, ...] = ()
    """Path prefixes that Workspaces of all namespaces may use on Gateways of other namespaces; `/` for all."""
    match_reported_names: bool = False
    """Whether routes match names by header that only a model server reports, and not the Workspace's spec."""
    charts: tuple[ChartSource, ...] = (ChartSource(),)
    """The first one is the default."""
    picker: PickerSettings = field(default_factory=PickerSettings)
    body_routing: BodyRoutingSettings = field(default_factory=BodyRoutingSettings)
    autoscaling: AutoscalingSettings = field(default_factory=AutoscalingSettings)
    model_index: ModelIndexSettings = field(default_factory=ModelIndexSettings)
    model_server_image: str = DEFAULT_MODEL_SERVER_IMAGE
    local_weights: str = ""
    """Folder of the nodes with a directory for each model, which pods of presets may mount; empty if they may not."""
    model_server_resources: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """Requests and limits of the containers of presets; what is left out follows from the size of the model."""
    model_server_priority_class: str = ""
    """PriorityClass of the pods of presets; empty for the cluster's default."""
    model_server_env: tuple[tuple[str, str], ...] = ()
    """Further environment variables of the containers of presets, with their values."""
    model_server_ca_bundle: CertificateBundle | None = None
    """Certificates of authorities that presets trust; None for those of the image."""
    budgets: BudgetSettings = field(default_factory=BudgetSettings)
    model_hub: str = ""
    """URL of the hub that has the figures of models that are not in the catalog; empty if none is asked."""
    restricted_fields: bool = True
    """Whether Workspaces may set the fields of `planning/admission/restricted_fields.py`, because an admission policy checks the rights
    of their authors, or because every author may use them."""
    flux_service_account: str = ""
    """ServiceAccount with which Flux installs charts for Workspaces that name none; empty for Flux's own default."""
    request_timeout: str = "300s"
    """Request timeout of the routes; without one, some implementations end responses after 15 s."""
    updates: UpdatePolicy | None = None
    """None if changes of pods by another version of the controller do not wait."""

    def profile_of(self, controller: str | None) -> GatewayClassProfile:
        """Return the requirements of the implementation with that controllerName; None if it is not known."""
        return find_profile(controller, self.gateway_classes)

    @property
    def chart(self) -> ChartSource:
        """The default chart."""
        return self.charts[0]

    @property
    def is_companion(self) -> bool:
        """Whether Workspaces and their model servers are KAITO's."""
        return self.mode is Mode.COMPANION

    @property
    def lists_models(self) -> bool:
        """Whether Gateways get the route of the list of models."""
        return self.gateway_extension and self.model_index.enabled

    @property
    def manages_body_routers(self) -> bool:
        """Whether we install body-based routers."""
        return self.gateway_extension and self.body_routing.managed
