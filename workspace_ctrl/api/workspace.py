"""The Workspace as typed models: the CRD is generated from them, and every spec is read through them.

Fields and meaning follow KAITO's Workspace (v1beta1), so that its manifests apply unchanged; `gateway` is ours. There is no `spec`:
`resource`, `inference`, `tuning` and `gateway` stand at the top.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.names import WORKSPACE_NAME_PATTERN, WORKSPACE_NAME_RULE, is_valid

_PRESERVE: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _rules(*rules: tuple[str, str]) -> dict[str, Any]:
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


class ApiModel(BaseModel):
    """Base of all API models: frozen, camelCase outside, unknown fields left to the API server's schema."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class LabelSelectorRequirement(ApiModel):
    """One expression of a label selector."""

    key: str = Field(max_length=316, description="Label key that the selector applies to.")
    operator: str = Field(description="Relationship of the key to the values; only In is used.")
    values: list[str] | None = Field(default=None, max_length=64, description="Values for In.")


class LabelSelector(ApiModel):
    """Selects nodes by their labels."""

    match_labels: dict[str, str] | None = Field(default=None, description="Labels that a node must have, with these values.")
    match_expressions: list[LabelSelectorRequirement] | None = Field(
        default=None, max_length=32, description="Requirements that a node must meet; operator In."
    )


class Resource(ApiModel):
    """The nodes that serve the model."""

    count: int = Field(default=1, ge=1, description="Number of nodes; used where the model's size is not known.")
    instance_type: str | None = Field(
        default=None,
        max_length=128,
        description="Instance type of the nodes, such as Standard_NC24ads_A100_v4; the model is sized for it.",
    )
    label_selector: LabelSelector = Field(description="Labels of the nodes that may serve the model.")
    preferred_nodes: list[str] | None = Field(
        default=None, max_length=256, description="Names of nodes to prefer; each must also match labelSelector."
    )

    model_config = ConfigDict(
        json_schema_extra=_rules(
            (
                (
                    "has(self.instanceType) == has(oldSelf.instanceType) && "
                    "(!has(self.instanceType) || self.instanceType == oldSelf.instanceType)"
                ),
                "resource.instanceType cannot be changed; create a new Workspace",
            ),
            ("self.count == oldSelf.count", "resource.count cannot be changed; create a new Workspace"),
        )
    )


class PresetOptions(ApiModel):
    """Options of a preset."""

    image: str | None = Field(default=None, description="Deprecated and ignored.")
    image_pull_secrets: list[str] | None = Field(default=None, description="Deprecated and ignored.")
    model_access_secret: str | None = Field(
        default=None,
        max_length=253,
        description="Secret with key HF_TOKEN, for models that Hugging Face serves to registered users only.",
    )


class Preset(ApiModel):
    """A model of the catalog."""

    name: str = Field(max_length=256, description="Name in the catalog, such as phi-4-mini-instruct.")
    access_mode: Literal["public", "private"] | None = Field(default=None, description="Deprecated and ignored.")
    preset_options: PresetOptions | None = Field(default=None, description="Options of the preset.")

    model_config = ConfigDict(
        json_schema_extra=_rules(("self.name == oldSelf.name", "inference.preset.name cannot be changed; create a new Workspace"))
    )


class AdapterSource(ApiModel):
    """Where an adapter's weights come from."""

    name: str = Field(max_length=253, description="Name of the adapter, unique in the Workspace.")
    image: str | None = Field(default=None, description="Image that holds the weights.")
    image_pull_secrets: list[str] | None = Field(default=None, description="Secrets to pull the image with.")
    urls: list[str] | None = Field(default=None, description="Addresses to fetch the weights from.")
    volume_source: dict[str, Any] | None = Field(
        default=None, description="Volume that holds the weights.", json_schema_extra=_PRESERVE
    )


class Adapter(ApiModel):
    """A LoRA adapter."""

    source: AdapterSource = Field(description="Where the weights come from.")
    strength: str | None = Field(default=None, description="Weight of the adapter, a decimal number.")


class Inference(ApiModel):
    """The model to serve."""

    preset: Preset | None = Field(default=None, description="A model of the catalog.")
    template: dict[str, Any] | None = Field(
        default=None, description="Pod template of a model server of your own.", json_schema_extra=_PRESERVE
    )
    config: str | None = Field(
        default=None,
        max_length=253,
        description="ConfigMap with key inference_config.yaml: further settings of the model server.",
    )
    adapters: list[Adapter] | None = Field(
        default=None, max_length=10, description="LoRA adapters, at most 10, each with its own name."
    )

    model_config = ConfigDict(
        json_schema_extra=_rules(
            (
                "has(self.preset) != has(self.template)",
                "inference needs exactly one of preset and template; remove the other",
            ),
        )
    )


class ParentRef(ApiModel):
    """A Gateway, or one listener of it."""

    name: str = Field(min_length=1, max_length=253, description="Name of the Gateway.")
    namespace: str | None = Field(default=None, max_length=63, description="Namespace of the Gateway; default: the Workspace's.")
    section_name: str | None = Field(
        default=None, max_length=253, description="Name of the listener; default: all that admit the route."
    )


class GatewaySpec(ApiModel):
    """How the model is reached from outside."""

    enabled: bool = Field(default=True, description="Whether the model is attached to a Gateway at all.")
    parent_refs: list[ParentRef] | None = Field(
        default=None,
        max_length=1,
        description="The Gateway to attach to. Default: the controller's setting, else the Gateway labelled "
        "kaito.sh/inference-gateway=true, else the only one in the cluster.",
    )


class Workspace(ApiModel):
    """A model to serve: on which nodes, from which model, behind which Gateway."""

    resource: Resource = Field(description="The nodes that serve the model.")
    inference: Inference | None = Field(default=None, description="The model to serve.")
    tuning: dict[str, Any] | None = Field(
        default=None,
        description="Fine-tuning, as KAITO knows it. Accepted by the schema; this controller does not run it and says so in the status.",
        json_schema_extra=_PRESERVE,
    )
    gateway: GatewaySpec | None = Field(default=None, description="How the model is reached from outside.")

    model_config = ConfigDict(
        json_schema_extra=_rules(
            ("has(self.inference) != has(self.tuning)", "a Workspace needs exactly one of inference and tuning"),
            (f"self.metadata.name.matches('{WORKSPACE_NAME_PATTERN}')", f"metadata.name {WORKSPACE_NAME_RULE}"),
        )
    )


def parse_workspace(name: str, raw: Mapping[str, Any]) -> Workspace:
    """Return the Workspace in `raw`, the top-level fields as JSON.

    The rules of the CRD are checked here again: the object may have been stored under an older or another CRD.

    Raises:
        SpecError: a field has the wrong shape, or two fields contradict each other.
    """
    if not is_valid(name):
        raise SpecError("metadata.name", WORKSPACE_NAME_RULE)
    try:
        workspace = Workspace.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SpecError(".".join(str(part) for part in first["loc"]), f"is not valid: {first['msg']}") from None
    if (workspace.inference is None) == (workspace.tuning is None):
        raise SpecError("", "a Workspace needs exactly one of inference and tuning")
    if workspace.inference is not None and (workspace.inference.preset is None) == (workspace.inference.template is None):
        raise SpecError("inference", "needs exactly one of preset and template", "remove the other")
    return workspace
