"""The status of a Workspace as typed models: what the controller writes, and part of the CRD."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from workspace_ctrl.api.base import ApiModel
from workspace_ctrl.api.conditions import Condition, ConditionType, parse_conditions

_OUR_TYPES = frozenset(ConditionType)
_CONDITION_LIST: dict[str, Any] = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
}


class ConditionModel(ApiModel):
    """A condition, as the Kubernetes API conventions define it."""

    type: str = Field(max_length=316, description="Type of the condition, such as GatewayReady.")
    status: str = Field(
        json_schema_extra={"enum": ["True", "False", "Unknown"]},
        description="True, False, or Unknown while it is still being found out.",
    )
    reason: str = Field(max_length=1024, description="One word that programs can act on.")
    message: str = Field(max_length=32768, description="One sentence for people.")
    observed_generation: int = Field(default=0, ge=0, description="Generation of the Workspace that the condition speaks of.")
    last_transition_time: str = Field(json_schema_extra={"format": "date-time"}, description="When the status last changed.")


class WorkloadStatus(ApiModel):
    """The model server."""

    kind: str | None = Field(default=None, description="Deployment or StatefulSet, as the API server classified it in a dry-run.")
    name: str | None = Field(default=None, description="Name of the Deployment, StatefulSet or referenced object.")
    replicas: int | None = Field(default=None, description="Number of pods that are wanted.")
    ready_replicas: int | None = Field(default=None, description="Number of pods that are ready.")
    sizing: str | None = Field(default=None, description="How the model was sized for the nodes, with the arithmetic.")


class ChartStatus(ApiModel):
    """The installed chart."""

    version: str | None = Field(default=None, description="Version of the chart that Flux fetched.")
    digest: str | None = Field(default=None, description="Digest of the fetched chart in its registry.")


class GatewayStatus(ApiModel):
    """How the model is reached, and by which objects."""

    url: str | None = Field(default=None, description="Address of the model; /v1/chat/completions follows it.")
    model_names: list[str] | None = Field(default=None, description="Names to put into a request's model field.")
    gateways: list[str] | None = Field(default=None, description="Gateways that the route is attached to, as namespace/name.")
    route: str | None = Field(default=None, description="Name of the HTTPRoute that leads to the model.")
    pool: str | None = Field(default=None, description="Name of the InferencePool that the route leads to.")
    endpoint_picker: str | None = Field(default=None, description="Name of the endpoint picker's Deployment.")
    chart: ChartStatus | None = Field(default=None, description="The chart that installs pool and endpoint picker.")


class WorkspaceStatus(ApiModel):
    """What the controller observed."""

    observed_generation: int | None = Field(default=None, description="Generation of the Workspace that the status speaks of.")
    target_node_count: int | None = Field(default=None, description="Number of nodes that the model needs.")
    worker_nodes: list[str] | None = Field(default=None, description="Names of the nodes that run pods of the model server.")
    workload: WorkloadStatus | None = Field(default=None, description="The model server, or what somebody else deploys.")
    gateway: GatewayStatus | None = Field(default=None, description="How the model is reached, and by which objects.")
    conditions: list[ConditionModel] | None = Field(
        default=None, description="The links of the chain and their summaries.", json_schema_extra=_CONDITION_LIST
    )

    model_config = ConfigDict(extra="ignore")

    def as_object(self) -> dict[str, Any]:
        """Return the status as it stands in the object; what is not known is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def condition_tuple(self) -> tuple[Condition, ...]:
        """Return the conditions as plain records."""
        return parse_conditions(self.as_object().get("conditions"))


def parse_status(raw: object) -> WorkspaceStatus:
    """Return the status in `raw`, without the conditions of others; an unreadable one counts as empty and will be written anew."""
    if not isinstance(raw, Mapping):
        return WorkspaceStatus()
    try:
        status = WorkspaceStatus.model_validate(dict(raw))
    except ValidationError:
        return WorkspaceStatus()
    if status.conditions is None:
        return status
    ours = [condition for condition in status.conditions if condition.type in _OUR_TYPES]
    return status.model_copy(update={"conditions": ours})
