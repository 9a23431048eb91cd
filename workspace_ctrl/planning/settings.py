"""What the installation decides for all its Workspaces, as far as planning needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from workspace_ctrl.records.charts import ChartId

DEFAULT_MODEL_SERVER_IMAGE = "docker.io/vllm/vllm-openai:v0.11.2"
"""vLLM's own image, in a version that serves every preset of the catalog."""

DEFAULT_PICKER_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
"""The chart itself asks for 4 CPUs and 8 GiB, with which the endpoint picker stays Pending on small nodes."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How Flux checks the signature of a chart."""

    provider: str
    """cosign or notation."""
    secret: str = ""
    """Secret with the keys, in the Workspace's namespace; cosign works without one, with Sigstore's public service."""


@dataclass(frozen=True, slots=True)
class ChartSource:
    """Where the chart that installs pool and endpoint picker comes from."""

    name: str = "default"
    """By which Workspaces choose it."""
    url: str = "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool"
    version: str = "v1.5.0"
    """Tag in the registry; it also chooses the layout of the values."""
    digest: str = ""
    """`sha256:...` of the manifest, where the chart is pinned: then the tag is not asked for."""
    layout: str = ""
    """Name of the chart whose values it takes, where that is not its own: of a fork under another name."""
    insecure: bool = False
    """Plain HTTP, for registries of tests and demos."""
    secret: str = ""
    """Secret of type kubernetes.io/dockerconfigjson, in the Workspace's namespace, by which Flux logs in."""
    cert_secret: str = ""
    """Secret with ca.crt, or tls.crt and tls.key, in the Workspace's namespace."""
    verification: Verification | None = None

    @property
    def chart(self) -> str:
        """Name of the chart, the last part of its address."""
        return self.url.rpartition("/")[2]

    @property
    def id(self) -> ChartId:
        """What it is fetched as."""
        return ChartId(self.url, self.version, self.digest, self.layout, self.insecure)

    @property
    def values_of(self) -> str:
        """Name of the chart whose layout its values have."""
        return self.layout or self.chart


@dataclass(frozen=True, slots=True)
class GatewayChoice:
    """A Gateway named by the installation."""

    namespace: str
    name: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class PickerSettings:
    """What the installation decides of every endpoint picker."""

    resources: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_PICKER_RESOURCES)
    """Resources of its container, as in a pod."""
    replicas: int = 1
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Values of the chart, as the chart lays them out."""
    allowed_values: tuple[str, ...] = ()
    """Dotted paths of values that Workspaces may set besides those that every Workspace may."""
    allow_values_from: bool = False
    """Whether Workspaces may name ConfigMaps and Secrets with values, whose content nobody checks."""


BODY_ROUTER_CHART: Final = ChartSource(
    name="bodyBasedRouting", url="oci://registry.k8s.io/gateway-api-inference-extension/charts/body-based-routing"
)


@dataclass(frozen=True, slots=True)
class BodyRoutingSettings:
    """Body-based routers: what turns the model's name in a request's body into the header by which it is led to the model."""

    managed: bool = False
    """Whether each Gateway that is used by that header gets one."""
    chart: ChartSource = BODY_ROUTER_CHART
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Values of the chart."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The installation's decisions."""

    gateway_extension: bool = False
    """The feature gate gatewayAPIInferenceExtension: off means the workload only."""
    gateway: GatewayChoice | None = None
    """The Gateway of all Workspaces that name none."""
    charts: tuple[ChartSource, ...] = (ChartSource(),)
    """The first is that of all Workspaces that name none."""
    picker: PickerSettings = field(default_factory=PickerSettings)
    body_routing: BodyRoutingSettings = field(default_factory=BodyRoutingSettings)
    model_server_image: str = DEFAULT_MODEL_SERVER_IMAGE
    request_timeout: str = "300s"
    """Longest answer through the Gateway; without one, some classes cut answers off after 15 s."""

    @property
    def chart(self) -> ChartSource:
        """The chart of all Workspaces that name none."""
        return self.charts[0]

    @property
    def manages_body_routers(self) -> bool:
        """Whether Gateways get body-based routers from us."""
        return self.gateway_extension and self.body_routing.managed
