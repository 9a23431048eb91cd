"""A Workspace's options for its endpoint picker and for the chart that installs it with the InferencePool."""

from typing import Any, Literal

from pydantic import Field

from workspace_ctrl.api.api_model import CHART_VERSION_PATTERN, DIGEST_PATTERN, PRESERVE, ApiModel

_NAME_LIMIT = 253


class Chart(ApiModel):
    """The chart that installs pool and endpoint picker: a source from the controller's settings."""

    name: str | None = Field(
        default=None, max_length=_NAME_LIMIT, description="Name of the source in the controller's settings. Default: the first one."
    )
    version: str | None = Field(
        default=None,
        max_length=128,
        pattern=CHART_VERSION_PATTERN,
        description="Version of the chart, a tag such as v1.5.0. Default: that of the source.",
    )
    digest: str | None = Field(
        default=None,
        max_length=71,
        pattern=DIGEST_PATTERN,
        description="Digest of the chart's manifest in the registry; pins the chart even if the tag is moved. Only one that the "
        "controller's settings allow for the version.",
    )


class ValuesReference(ApiModel):
    """A ConfigMap or Secret with values of the chart, if the installation allows it."""

    kind: Literal["ConfigMap", "Secret"] = Field(description="ConfigMap or Secret, in the Workspace's namespace.")
    name: str = Field(min_length=1, max_length=_NAME_LIMIT, description="Its name.")
    values_key: str | None = Field(
        default=None, max_length=_NAME_LIMIT, description="Key that holds the values as YAML. Default: values.yaml."
    )
    optional: bool | None = Field(default=None, description="Whether the object may be missing.")


class EndpointPicker(ApiModel):
    """The endpoint picker, which chooses the pod for each request."""

    replicas: int | None = Field(
        default=None, ge=1, le=100, description="Number of replicas, one of which is the leader. Default: 1."
    )
    resources: dict[str, Any] | None = Field(
        default=None,
        description="Requests and limits of its container. Default: requests of 250m CPU and 512Mi, limit of 2Gi.",
        json_schema_extra=PRESERVE,
    )
    values: dict[str, Any] | None = Field(
        default=None,
        description="Values of the chart, in the chart's layout: affinity, tolerations, environment, plugin configuration, and others that "
        "the installation allows.",
        json_schema_extra=PRESERVE,
    )
    values_from: list[ValuesReference] | None = Field(
        default=None, max_length=8, description="Further values of the chart, if the installation allows it."
    )
