"""The Workspace as typed models: the CRD is generated from them, and every spec is parsed with them.

Fields and meaning follow KAITO's Workspace (v1beta1), so that its manifests apply unchanged; `gateway` is ours. There is no `spec`:
`resource`, `inference`, `tuning` and `gateway` are top-level fields.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from workspace_ctrl.api.api_model import (
    MIG_PROFILE_PATTERN,
    MODEL_NAME_PATTERN,
    PRESERVE,
    TIMEOUT_PATTERN,
    WORKSPACE_NAME_PATTERN,
    ApiModel,
    rules,
)
from workspace_ctrl.api.endpoint_picker_spec import Chart, EndpointPicker
from workspace_ctrl.api.errors import SpecError, field_path, value_problem
from workspace_ctrl.api.gateway_spec import (
    FALLBACK_RULE,
    NO_TIMEOUT,
    Group,
    Hostname,
    HTTPRouteReference,
    Match,
    ModelName,
    Objective,
    Pool,
    Probe,
)
from workspace_ctrl.api.inference_spec import NO_WORKLOADS_PATTERN, WORKLOAD_REF_RULE, Inference, WorkloadRef
from workspace_ctrl.api.labels import wrong_label
from workspace_ctrl.api.names import WORKSPACE_NAME_RULE, is_valid
from workspace_ctrl.api.traffic.canary_spec import CANARY_RULE, check_canary, rule_error
from workspace_ctrl.api.value_limits import check_values

_MOST_FURTHER_ERRORS: Final = 9


class LabelSelectorRequirement(ApiModel):
    """One expression of a label selector."""

    key: str = Field(max_length=316, description="Label key that the selector applies to.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="Operator of the requirement.")
    values: list[str] | None = Field(default=None, max_length=64, description="Values for In and NotIn.")


class LabelSelector(ApiModel):
    """Selects objects by their labels."""

    match_labels: dict[str, str] | None = Field(default=None, description="Labels that a node must have.")
    match_expressions: list[LabelSelectorRequirement] | None = Field(
        default=None, max_length=32, description="Requirements that the labels of a node must meet."
    )


class Partition(ApiModel):
    """The part of a node's GPUs that each pod gets (KAITO's)."""

    mode: Literal["mig", "accelerator"] = Field(
        description="`mig`: one instance of a partitioned GPU; `accelerator`: some of the node's GPUs."
    )
    profile: str | None = Field(
        default=None,
        max_length=32,
        pattern=MIG_PROFILE_PATTERN,
        description="MIG profile, such as 1g.10gb; required for mode mig.",
    )
    count: int | None = Field(default=None, ge=1, le=64, description="Number of GPUs or MIG instances of each pod. Default: 1.")

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.profile) == (self.mode == 'mig')",
                "resource.partition needs profile for mode mig, and only for it; set mode mig and a profile, or remove the profile",
            ),
        )
    )


INSTANCE_TYPE_IS_FIXED: Final = (
    "has(self.instanceType) == has(oldSelf.instanceType) && (!has(self.instanceType) || self.instanceType == oldSelf.instanceType)",
    "resource.instanceType cannot be changed; create a new Workspace",
)
"""Rule of a model with that field, and its message."""
PARTITION_IS_FIXED: Final = (
    "has(self.partition) == has(oldSelf.partition) && (!has(self.partition) || self.partition == oldSelf.partition)",
    "resource.partition cannot be changed; create a new Workspace",
)
"""Rule of a model with that field, and its message."""


class Resource(ApiModel):
    """The nodes that serve the model."""

    count: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Number of pods with a template; number of nodes if the size of model or GPUs is not known; otherwise computed.",
    )
    instance_type: str | None = Field(
        default=None,
        max_length=128,
        description="Instance type of the nodes, such as Standard_NC24ads_A100_v4, for which the model is sized. Default: the GPUs in the "
        "labels of the matching nodes (nvidia.com/gpu.product, .memory, .count).",
    )
    label_selector: LabelSelector = Field(description="Selects the nodes that may serve the model.")
    preferred_nodes: list[str] | None = Field(
        default=None, max_length=256, description="Names of preferred nodes; each must also match labelSelector."
    )
    partition: Partition | None = Field(
        default=None, description="Part of a node's GPUs for each pod of a preset. Default: all that the model can use."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            INSTANCE_TYPE_IS_FIXED,
            ("self.count == oldSelf.count", "resource.count cannot be changed; create a new Workspace"),
            PARTITION_IS_FIXED,
            ("self.labelSelector == oldSelf.labelSelector", "resource.labelSelector cannot be changed; create a new Workspace"),
        )
    )


class ParentRef(ApiModel):
    """A Gateway, or one listener of it."""

    name: str = Field(min_length=1, max_length=253, description="Name of the Gateway.")
    namespace: str | None = Field(
        default=None, max_length=63, description="Namespace of the Gateway. Default: that of the Workspace."
    )
    section_name: str | None = Field(
        default=None, max_length=253, description="Name of the listener. Default: all that accept the route."
    )


class GatewaySpec(ApiModel):
    """How the model is reached through a Gateway."""

    enabled: bool = Field(
        default=True, description="Whether the model is attached to a Gateway; `false` leaves only the model server."
    )
    parent_refs: list[ParentRef] | None = Field(
        default=None,
        max_length=8,
        description="The Gateways to attach to. Default: the controller's setting, else the Gateway labelled "
        "kaito.sh/inference-gateway=true, else the only one, in the Workspace's namespace and those in the controller's settings.",
    )
    hostnames: list[Hostname] | None = Field(
        default=None, max_length=16, description="Host names of the model. Default: those of the listeners."
    )
    match: Match | None = Field(default=None, description="Which requests are routed to the model. Default: those under its path.")
    model_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=MODEL_NAME_PATTERN,
        description="Model name that requests use. Default: that of the preset, else the one that the model server reports.",
    )
    aliases: list[ModelName] | None = Field(
        default=None,
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="Further model names that requests can use. The model server of a preset is started with them; another one has to "
        "serve them itself. With match.header, requests with these names in the header X-Gateway-Model-Name are matched, too.",
    )
    timeout: str | None = Field(
        default=None,
        max_length=32,
        pattern=TIMEOUT_PATTERN,
        json_schema_extra={"nullable": True},
        description="Request timeout, such as 300s; 0s for no limit; null, or `none` for tools that drop null, for the Gateway's default. "
        "Default: the controller's setting.",
    )
    http_route_ref: HTTPRouteReference | None = Field(
        default=None,
        description="An existing HTTPRoute to use instead of a generated one; it must route to the pool and is never modified. Its "
        "Gateways, host names and matches are used.",
    )
    group: Group | None = Field(
        default=None, description="The endpoint that this model shares with others, such as other versions of it. Default: none."
    )
    pool: Pool | None = Field(default=None, description="The InferencePool behind the route.")
    probe: Probe | None = Field(
        default=None,
        description="The request that shows that the model is reached. Default: the controller's setting, /v1/models.",
    )
    endpoint_picker: EndpointPicker | None = Field(default=None, description="The endpoint picker.")
    objectives: list[Objective] | None = Field(
        default=None, max_length=16, description="Priorities that requests can select, at most 16, with unique names."
    )
    chart: Chart | None = Field(
        default=None, description="The chart that installs pool and endpoint picker. Default: the controller's setting."
    )
    service_account_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="ServiceAccount in the Workspace's namespace that Flux uses to install the chart. Default: Flux's own.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.httpRouteRef) || !(has(self.parentRefs) || has(self.hostnames) || has(self.match) || has(self.timeout))",
                "gateway.httpRouteRef cannot be combined with parentRefs, hostnames, match and timeout; remove those",
            ),
            (
                "!has(self.objectives) || self.objectives.all(one, self.objectives.exists_one(other, other.name == one.name))",
                "gateway.objectives need unique names; rename the duplicates",
            ),
        )
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_no_timeout(cls, given: object) -> object:
        """Distinguish a timeout of null from a missing one."""
        if isinstance(given, Mapping) and "timeout" in given and given["timeout"] is None:
            return {**given, "timeout": NO_TIMEOUT}
        return given

    @property
    def pool_ref(self) -> str:
        """Name of the referenced pool; empty if there is none."""
        return self.pool.ref.name if self.pool is not None and self.pool.ref is not None else ""


class Tuning(ApiModel):
    """KAITO's fine-tuning: part of the schema, so that its manifests can be applied, but not supported."""

    preset: dict[str, Any] | None = Field(default=None, description="The model to tune.", json_schema_extra=PRESERVE)
    method: str | None = Field(default=None, max_length=32, description="Method of tuning: lora or qlora.")
    config: str | None = Field(default=None, max_length=253, description="ConfigMap with settings of the tuning.")
    input: dict[str, Any] | None = Field(default=None, description="Source of the training data.", json_schema_extra=PRESERVE)
    output: dict[str, Any] | None = Field(default=None, description="Destination of the result.", json_schema_extra=PRESERVE)


class Workspace(ApiModel):
    """Serves a model on GPU nodes and routes requests to it through a Gateway."""

    resource: Resource | None = Field(default=None, description="The nodes that serve the model; not used with workloadRef.")
    inference: Inference | None = Field(default=None, description="The model to serve: a preset, a pod template, or existing pods.")
    tuning: Tuning | None = Field(
        default=None,
        description="KAITO's fine-tuning. Part of the schema, but not supported; the status says so.",
    )
    gateway: GatewaySpec | None = Field(default=None, description="How the model is reached through a Gateway.")

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.inference) != has(self.tuning)",
                "a Workspace needs exactly one of inference and tuning; add inference, or remove tuning",
            ),
            (
                "has(self.inference) == has(oldSelf.inference)",
                "a Workspace cannot change between inference and tuning; create a new Workspace",
            ),
            (
                "has(self.resource) || (has(self.inference) && has(self.inference.workloadRef))",
                "resource is required; select the nodes with resource.labelSelector",
            ),
            (f"self.metadata.name.matches('{WORKSPACE_NAME_PATTERN}')", f"metadata.name {WORKSPACE_NAME_RULE}"),
        )
    )

    @property
    def aliases(self) -> tuple[str, ...]:
        """Further model names that requests can use."""
        return tuple(self.gateway.aliases or ()) if self.gateway is not None else ()


def parse_workspace(name: str, raw: Mapping[str, Any]) -> Workspace:
    """Return the Workspace in `raw`, the top-level fields as JSON.

    The rules of the CRD are checked here again, because the object may have been stored with an older or different CRD.

    Raises:
        SpecError: a field has the wrong type, or two fields contradict each other.
    """
    if not is_valid(name):
        raise SpecError("metadata.name", WORKSPACE_NAME_RULE)
    check_values(raw)
    try:
        workspace = Workspace.model_validate(dict(raw))
    except ValidationError as error:
        raise _all_errors(error) from None
    if (workspace.inference is None) == (workspace.tuning is None):
        raise SpecError("", "a Workspace needs exactly one of inference and tuning", "add inference, or remove tuning")
    if workspace.inference is not None:
        _check_inference(workspace.inference)
    if workspace.resource is not None and workspace.resource.partition is not None:
        _check_partition(workspace.resource.partition)
    if workspace.gateway is not None:
        check_gateway(workspace.gateway)
        _check_group_name(name, workspace.gateway.group)
    if workspace.resource is None and (workspace.inference is None or workspace.inference.workload_ref is None):
        raise SpecError("resource", "is required", "select the nodes with resource.labelSelector")
    return workspace


def _all_errors(error: ValidationError) -> SpecError:
    """Return the first error, with those of other fields."""
    found: dict[str, SpecError] = {}
    for entry in error.errors(include_url=False, include_input=False):
        path = field_path(entry["loc"])
        found.setdefault(path, SpecError(path, value_problem(entry)))
    first, *others = found.values()
    return replace(first, others=tuple(others[:_MOST_FURTHER_ERRORS]))


def _check_partition(partition: Partition) -> None:
    if (partition.profile is not None) != (partition.mode == "mig"):
        problem = "needs profile for mode mig, and only for it"
        raise SpecError("resource.partition", problem, "set mode mig and a profile, or remove the profile")


def check_gateway(gateway: GatewaySpec) -> None:
    """Check the rules between the fields of `gateway`.

    Raises:
        SpecError: two of them contradict each other.
    """
    replaced = (gateway.parent_refs, gateway.hostnames, gateway.match, gateway.timeout)
    if gateway.http_route_ref is not None and any(field is not None for field in replaced):
        problem = "cannot be combined with parentRefs, hostnames, match and timeout"
        raise SpecError("gateway.httpRouteRef", problem, "remove those")
    if gateway.group is not None:
        _check_group(gateway.group)
    if len(set(gateway.aliases or ())) != len(gateway.aliases or ()):
        raise SpecError("gateway.aliases", "need unique names", "remove the duplicates")
    names = [objective.name for objective in gateway.objectives or ()]
    if len(set(names)) != len(names):
        raise SpecError("gateway.objectives", "need unique names", "rename the duplicates")


def _check_group(group: Group) -> None:
    if group.fallback and group.weight is not None:
        raise rule_error(FALLBACK_RULE)
    if group.canary is None:
        return
    if group.fallback or group.weight is not None:
        raise rule_error(CANARY_RULE)
    check_canary(group.canary)


def _check_group_name(name: str, group: Group | None) -> None:
    if group is not None and group.name == name:
        problem = "is the name of this Workspace, whose own route has it"
        raise SpecError("gateway.group.name", problem, "name the group differently")


def _check_inference(inference: Inference) -> None:
    if len(inference.sources) != 1:
        problem = "needs exactly one of preset, template and workloadRef"
        raise SpecError("inference", problem, "set one, and remove the others")
    names = [adapter.source.name for adapter in inference.adapters or ()]
    if len(set(names)) != len(names):
        raise SpecError("inference.adapters", "need unique names", "rename the duplicates")
    volume, path = inference.weights_volume, "inference.weightsVolume"
    if volume is not None and inference.preset is None:
        raise SpecError(path, "needs a preset", "remove it, or mount a volume in the template")
    if inference.resources is not None and inference.preset is None:
        raise SpecError(
            "inference.resources", "needs a preset", "remove it, or set the resources of the containers in the template"
        )
    if volume is not None and volume.claim_name is not None and (volume.storage_class_name, volume.size) != (None, None):
        raise SpecError(path, "allows either claimName, or storageClassName and size", "remove the other")
    if inference.workload_ref is not None:
        _check_workload_ref(inference.workload_ref)


def _check_workload_ref(reference: WorkloadRef) -> None:
    path = "inference.workloadRef"
    if (reference.kind is None) != (reference.name is None):
        raise SpecError(path, "needs kind and name together", "add the one that is missing")
    if reference.kind is None and not (reference.selector and reference.target_port):
        remedy = "set kind and name of an object, or selector and targetPort"
        raise SpecError(path, "selects no pods", remedy)
    is_workload = not re.match(NO_WORKLOADS_PATTERN, reference.api_version) or (
        (reference.api_version, reference.kind) == ("v1", "ReplicationController")
    )
    if reference.kind is not None and not is_workload:
        problem, _, remedy = WORKLOAD_REF_RULE.partition("; ")
        raise SpecError(f"{path}.apiVersion", problem, remedy)
    wrong = wrong_label(reference.selector or {})
    if wrong:
        raise SpecError(f"{path}.selector", f"contains {wrong!r}, which is not a valid label", "set labels of the pods")
