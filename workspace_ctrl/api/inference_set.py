"""The InferenceSet as typed models: equal copies of a model behind one pool and one route.

Fields and meaning follow KAITO's InferenceSet (v1beta1); `spec.gateway` is ours, the same as that of a Workspace. An InferenceSet is
planned as the Workspace of one copy, and how that is copied.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from workspace_ctrl.api.api_model import WORKSPACE_NAME_PATTERN, ApiModel, rules
from workspace_ctrl.api.autoscaling_spec import MOST_REPLICAS, Autoscaling, check_autoscaling, only_at_zero
from workspace_ctrl.api.errors import SpecError, field_path, value_problem
from workspace_ctrl.api.inference_spec import Inference
from workspace_ctrl.api.labels import OF_SET_ALONE
from workspace_ctrl.api.names import WORKSPACE_NAME_RULE
from workspace_ctrl.api.value_limits import check_values
from workspace_ctrl.api.workspace import (
    INSTANCE_TYPE_IS_FIXED,
    PARTITION_IS_FIXED,
    GatewaySpec,
    LabelSelector,
    Partition,
    Resource,
    Workspace,
    parse_workspace,
)

_NO_REFERENCE: Final = (
    "spec.template.inference.workloadRef selects existing pods, which are not copied; "
    "use Workspaces for them, or set preset or template"
)


def _count_or_percentage(value: object) -> object:
    is_count = type(value) is int and value > 0
    if not (is_count or (isinstance(value, str) and re.fullmatch("([1-9][0-9]?|100)%", value))):
        raise ValueError("must be a positive number, or a percentage such as 25%")
    return value


class TemplateMetadata(ApiModel):
    """Metadata of the template."""

    labels: dict[str, str] | None = Field(
        default=None, description="No effect: KAITO's labels of Workspaces, which are not made here."
    )
    annotations: dict[str, str] | None = Field(
        default=None, description="Annotations for the model server, as on the InferenceSet itself, whose own take precedence."
    )


class SetResource(ApiModel):
    """The nodes of each copy."""

    instance_type: str | None = Field(
        default=None,
        max_length=128,
        description="Instance type of the nodes, such as Standard_NC24ads_A100_v4, for which the model is sized. Default: the GPUs in the "
        "labels of the matching nodes (nvidia.com/gpu.product, .memory, .count).",
    )
    partition: Partition | None = Field(
        default=None, description="Part of a node's GPUs for each pod of a preset. Default: all that the model can use."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            INSTANCE_TYPE_IS_FIXED,
            PARTITION_IS_FIXED,
        )
    )


class SetTemplate(ApiModel):
    """One copy of the model."""

    metadata: TemplateMetadata | None = Field(default=None, description="Metadata of the template.")
    resource: SetResource = Field(default_factory=SetResource, description="The nodes of each copy.")
    inference: Inference = Field(description="The model to serve: a preset, or a pod template.")

    model_config = ConfigDict(json_schema_extra=rules(("!has(self.inference.workloadRef)", _NO_REFERENCE)))


class RollingUpdate(ApiModel):
    """How copies are replaced when the template changes."""

    max_unavailable: Annotated[Any, AfterValidator(_count_or_percentage)] = Field(
        default=1,
        description="Number of copies that may be replaced at a time, or their percentage.",
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            **rules(
                (
                    "type(self) == int ? int(self) > 0 : string(self).matches('^([1-9][0-9]?|100)%$')",
                    "spec.updateStrategy.rollingUpdate.maxUnavailable must be a positive number, or a percentage such as 25%",
                )
            ),
        },
    )
    partition: int | None = Field(default=None, ge=0, le=MOST_REPLICAS, description="No effect: all copies are replaced.")


class UpdateStrategy(ApiModel):
    """How copies are replaced when the template changes."""

    type: Literal["RollingUpdate", "OnDelete"] = Field(
        default="RollingUpdate", description="Always handled as RollingUpdate; OnDelete has no effect."
    )
    rolling_update: RollingUpdate | None = Field(default=None, description="How many copies are replaced at a time. Default: one.")


class MaintenanceWindow(ApiModel):
    """When KAITO upgrades."""

    schedule: str = Field(max_length=128, description="Cron expression.")
    duration: str = Field(default="4h", max_length=32, description="How long the window stays open.")


class AutoUpgrade(ApiModel):
    """KAITO's upgrades of the model server's image: accepted, but without effect."""

    enabled: bool = Field(default=False, description="No effect: the image changes only with the controller's settings.")
    strategy: Literal["InPlace", "Surge"] = Field(default="InPlace", description="No effect.")
    maintenance_window: MaintenanceWindow | None = Field(default=None, description="No effect.")


class InferenceSetSpec(ApiModel):
    """What is served, and how often."""

    replicas: int = Field(
        default=1,
        ge=0,
        le=MOST_REPLICAS,
        description="Number of copies of the model; `kubectl scale` and autoscalers change it, this controller never does. With 0, no "
        "request is answered, unless spec.autoscaling holds them.",
    )
    label_selector: LabelSelector = Field(description="Selects the nodes that may serve the model.")
    node_count_limit: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Most nodes that all copies may need together; copies beyond it are not created. 0 for no limit.",
    )
    template: SetTemplate = Field(description="One copy of the model.")
    update_strategy: UpdateStrategy | None = Field(default=None, description="How copies are replaced when the template changes.")
    auto_upgrade: AutoUpgrade | None = Field(
        default=None, description="KAITO's upgrades of the model server's image: accepted, but without effect."
    )
    gateway: GatewaySpec | None = Field(default=None, description="How the model is reached through a Gateway.")
    autoscaling: Autoscaling | None = Field(
        default=None, description="How KEDA, which has to be installed, scales the copies by load. Default: they are not scaled."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.labelSelector == oldSelf.labelSelector", "resource.labelSelector cannot be changed; create a new Workspace"),
        )
    )


class InferenceSet(ApiModel):
    """Serves equal copies of a model on GPU nodes and routes requests to them through a Gateway."""

    spec: InferenceSetSpec = Field(description="What is served, and how often.")

    model_config = ConfigDict(
        json_schema_extra=rules((f"self.metadata.name.matches('{WORKSPACE_NAME_PATTERN}')", f"metadata.name {WORKSPACE_NAME_RULE}"))
    )


@dataclass(frozen=True, slots=True)
class Copies:
    """How often an InferenceSet serves its model, and how its copies are replaced."""

    wanted: int
    """Number of copies that the spec asks for."""
    node_limit: int = 0
    """Most nodes of all copies together; 0 for no limit."""
    max_unavailable: int | str = 1
    """Number of copies that are replaced at a time, or their percentage as text."""
    notes: tuple[str, ...] = ()
    """Fields without effect, as messages for the author."""
    autoscaling: Autoscaling | None = None
    """How KEDA scales them; None if they are not scaled."""
    has_maximum: bool = True
    """Whether the author has set the largest number of them, and not the limit of nodes alone."""

    def on(self, nodes: int) -> int:
        """Return the number of copies, each on so many `nodes`, as far as the limit allows them."""
        return min(self.wanted, self.node_limit // nodes) if self.node_limit else self.wanted

    def checked(self, nodes: int) -> "Copies":
        """Return these copies, of so many `nodes` each.

        Raises:
            SpecError: copies are wanted, but the limit does not allow a single one.
        """
        if self.wanted and not self.on(nodes):
            problem = f"is {self.node_limit}, but each copy of the model needs {nodes} nodes"
            raise SpecError("spec.nodeCountLimit", problem, f"set at least {nodes}, or use larger nodes")
        return self

    def notes_on(self, nodes: int) -> tuple[str, ...]:
        """Return the messages for the author, if each copy needs so many `nodes`: fewer copies than wanted, and fields without effect."""
        return (*self._limited(nodes), *self.notes)

    def _limited(self, nodes: int) -> Iterator[str]:
        each = "1 node" if nodes == 1 else f"{nodes} nodes"
        allows = f"spec.nodeCountLimit: {self.node_limit} allows"
        most = self.node_limit // nodes
        if self.on(nodes) != self.wanted:
            yield f"{allows} {self.on(nodes)} of {self.wanted} replicas of {each} each; raise it for more"
        elif self.node_limit and self.has_maximum and self.autoscaling is not None and self.autoscaling.max_replicas > most:
            never = f"so the maximum of autoscaling, {self.autoscaling.max_replicas}, is never reached"
            yield f"{allows} {most} replicas of {each} each, {never}; raise it, or lower the maximum"


def parse_inference_set(name: str, raw: Mapping[str, Any]) -> tuple[Workspace, Copies]:
    """Return one copy of the InferenceSet in `raw`, as the spec of a Workspace, and how it is copied; `raw` has the `spec` as JSON.

    Raises:
        SpecError: a field has the wrong type, or two fields contradict each other; with the paths of a Workspace for fields of its spec.
    """
    check_values(raw)
    try:
        spec = InferenceSet.model_validate(dict(raw)).spec
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SpecError(field_path(first["loc"]), value_problem(first)) from None
    if spec.template.inference.workload_ref is not None:
        path, _, words = _NO_REFERENCE.partition(" ")
        problem, _, remedy = words.partition("; ")
        raise SpecError(path, problem, remedy)
    if spec.autoscaling is not None:
        check_autoscaling(spec.autoscaling, "spec.autoscaling")
    return parse_workspace(name, _one_copy(raw["spec"])), _copies(spec)


def _one_copy(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the Workspace that is one copy."""
    template = spec["template"]
    given = template.get("resource") or {}
    resource = {name: given[name] for name in ("instanceType", "partition") if name in given} | {
        "labelSelector": spec["labelSelector"]
    }
    fields = {"resource": resource, "inference": template["inference"], "gateway": spec.get("gateway")}
    return {field: value for field, value in fields.items() if value is not None}


def _copies(spec: InferenceSetSpec) -> Copies:
    update = spec.update_strategy.rolling_update if spec.update_strategy is not None else None
    unavailable = update.max_unavailable if update is not None else 1
    return Copies(spec.replicas, spec.node_count_limit or 0, unavailable, tuple(_without_effect(spec)), spec.autoscaling)


def _without_effect(spec: InferenceSetSpec) -> Iterator[str]:
    """Yield a message for each field without effect."""
    if spec.auto_upgrade is not None and spec.auto_upgrade.enabled:
        image = "the image of the model server is a setting of the installation"
        yield f"spec.autoUpgrade has no effect: this controller does not upgrade by itself; {image}"
    strategy = spec.update_strategy
    if strategy is not None and strategy.type == "OnDelete":
        yield "spec.updateStrategy.type: OnDelete has no effect; copies are replaced as with RollingUpdate"
    if strategy is not None and strategy.rolling_update is not None and strategy.rolling_update.partition:
        yield "spec.updateStrategy.rollingUpdate.partition has no effect; all copies are replaced"
    if spec.template.metadata is not None and spec.template.metadata.labels:
        yield "spec.template.metadata.labels has no effect: they are those of KAITO's Workspaces, which are not made here"
    metadata = spec.template.metadata
    misplaced = sorted(OF_SET_ALONE & set((metadata.annotations if metadata is not None else None) or {}))
    if misplaced:
        verb, them = ("have", "them") if len(misplaced) > 1 else ("has", "it")
        yield f"spec.template.metadata.annotations: {', '.join(misplaced)} {verb} no effect there; set {them} on the InferenceSet itself"
    if spec.autoscaling is not None and spec.autoscaling.min_replicas:
        yield from only_at_zero(spec.autoscaling)


_PLACES: Final[Mapping[type[ApiModel], tuple[str, str]]] = {
    Resource: ("resource", "spec.template.resource"),
    Inference: ("inference", "spec.template.inference"),
    GatewaySpec: ("gateway", "spec.gateway"),
}
"""Part of a Workspace's spec → its field there, and in an InferenceSet."""
_FIELDS: Final[Mapping[str, str]] = {
    **dict(_PLACES.values()),
    **{
        f"{field}.{to_camel(name)}": f"{place}.{to_camel(name)}"
        for model, (field, place) in _PLACES.items()
        for name in model.model_fields
    },
    "resource.labelSelector": "spec.labelSelector",
}
_IN_TEXT: Final = re.compile(
    r"(?<![\w./-])(?P<field>" + "|".join(re.escape(field) for field in _FIELDS if "." in field) + r")(?!\w)"
    r"|^(?P<whole>resource|inference|gateway)(?= (?:has no effect|needs|is|cannot|must)\b)"
    r"|\b(?P<article>[Tt]he|[Tt]his|[Aa]|new) Workspace\b(?! [a-z0-9-]+/)"
)


def in_set_words(text: str) -> str:
    """Return a message about a Workspace and its fields as one about an InferenceSet and its fields."""
    return _IN_TEXT.sub(_in_set_words, text)


def _in_set_words(found: re.Match[str]) -> str:
    article = found["article"]
    if article is not None:
        return f"{'an' if article == 'a' else 'An' if article == 'A' else article} InferenceSet"
    return _FIELDS[found["field"] or found["whole"]]
