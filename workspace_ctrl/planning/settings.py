"""What the installation decides for all its Workspaces, as far as planning needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_MODEL_SERVER_IMAGE = "docker.io/vllm/vllm-openai:v0.11.2"
"""vLLM's own image, in a version that serves every preset of the catalog."""

DEFAULT_PICKER_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
"""The chart itself asks for 4 CPUs and 8 GiB, with which the endpoint picker stays Pending on small nodes."""


@dataclass(frozen=True, slots=True)
class ChartSource:
    """Where the chart that installs pool and endpoint picker comes from."""

    url: str = "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool"
    version: str = "v1.5.0"
    """Tag in the registry; it also chooses the layout of the values."""
    insecure: bool = False
    """Plain HTTP, for registries of tests and demos."""

    @property
    def chart(self) -> str:
        """Name of the chart, the last part of its address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class GatewayChoice:
    """A Gateway named by the installation."""

    namespace: str
    name: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The installation's decisions."""

    gateway_extension: bool = False
    """The feature gate gatewayAPIInferenceExtension: off means the workload only."""
    gateway: GatewayChoice | None = None
    """The Gateway of all Workspaces that name none."""
    chart: ChartSource = field(default_factory=ChartSource)
    picker_resources: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_PICKER_RESOURCES)
    """Resources of the endpoint picker's container, as in a pod."""
    model_server_image: str = DEFAULT_MODEL_SERVER_IMAGE
    request_timeout: str = "300s"
    """Longest answer through the Gateway; without one, some classes cut answers off after 15 s."""
