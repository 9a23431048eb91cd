"""What a Workspace may say of its InferencePool, its endpoint picker and the chart that makes both."""

from typing import Any, Literal

from pydantic import Field

from workspace_ctrl.api.base import PRESERVE, ApiModel

_NAME_LIMIT = 253


class Chart(ApiModel):
    """The chart that installs pool and endpoint picker: one of the sources that the installation lists."""

    name: str | None = Field(
        default=None, max_length=_NAME_LIMIT, description="Name of the source in the controller's settings; default: the first."
    )
    version: str | None = Field(
        default=None,
        max_length=128,
        pattern="^[A-Za-z0-9_][A-Za-z0-9._+-]*$",
        description="Version of the chart, a tag such as v1.5.0; default: the source's.",
    )
    digest: str | None = Field(
        default=None,
        max_length=71,
        pattern="^sha256:[0-9a-f]{64}$",
        description="Digest of the chart's manifest in the registry; pins it, whatever the tag says later.",
    )


class ValuesReference(ApiModel):
    """A ConfigMap or Secret with values of the chart; only where the installation allows it."""

    kind: Literal["ConfigMap", "Secret"] = Field(description="ConfigMap or Secret, in the Workspace's namespace.")
    name: str = Field(min_length=1, max_length=_NAME_LIMIT, description="Its name.")
    values_key: str | None = Field(
        default=None, max_length=_NAME_LIMIT, description="Key that holds the values as YAML; default: values.yaml."
    )
    optional: bool | None = Field(default=None, description="Whether it may be missing.")


class EndpointPicker(ApiModel):
    """The endpoint picker, which chooses the pod for each request."""

    replicas: int | None = Field(default=None, ge=1, le=100, description="Number of its pods, of which one leads; default: 1.")
    resources: dict[str, Any] | None = Field(
        default=None,
        description="Requests and limits of its container. Default: 250m CPU and 512Mi, at most 2Gi.",
        json_schema_extra=PRESERVE,
    )
    values: dict[str, Any] | None = Field(
        default=None,
        description="Values of the chart, as the chart lays them out: affinity, tolerations, environment, plugin configuration, and what "
        "the installation allows besides.",
        json_schema_extra=PRESERVE,
    )
    values_from: list[ValuesReference] | None = Field(
        default=None, max_length=8, description="Further values of the chart; only where the installation allows it."
    )
