"""Fields, annotations and labels without effect: no reason for a rejection, but probably a mistake of the author.

What KAITO has and this controller ignores is in a table, `catalog/data/kaito.yaml`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel

from workspace_ctrl.api.errors import field_path
from workspace_ctrl.api.gateway_spec import Pool
from workspace_ctrl.api.inference_set import InferenceSet
from workspace_ctrl.api.inference_spec import Inference, Preset
from workspace_ctrl.api.labels import (
    ADOPT_ANNOTATION,
    BYPASS_ANNOTATION,
    CANARY_ANNOTATION,
    GATEWAY_ANNOTATION,
    KAITO_SCALING,
    KEDA_PAUSES,
    KEY_PREFIXES,
    LOAD_BALANCER_ANNOTATION,
    LOCAL_WEIGHTS_ANNOTATION,
    PAUSE_ANNOTATION,
    PERFORMANCE_ANNOTATION,
    POD_LABEL,
    RUNTIME_ANNOTATION,
    SET_KIND,
    STATUS_ANNOTATION,
    UPDATE_ALWAYS,
    UPDATE_ANNOTATION,
    USER_ANNOTATIONS,
)
from workspace_ctrl.api.workspace import GatewaySpec, Workspace
from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.catalog.kaito import find_entry, ignored, kaito_annotations, kaito_fields, kaito_labels
from workspace_ctrl.catalog.presets import is_preset
from workspace_ctrl.planning.adoption import adopted
from workspace_ctrl.planning.chart.overruled_values import overruled_values
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.vllm.performance_mode import PERFORMANCE_MODES

OWN_PREFIXES: Final = ("workspace-ctrl/",)
"""Prefixes of the annotations that no other controller knows."""
_MOST: Final = 10
"""Number of unknown fields, unknown annotations and keys of one message that are listed; a manifest of another kind has hundreds."""
_LONGEST: Final = 64
"""Longest value of a user in a message, in characters."""
_ALIKE: Final = 0.7
"""Likeness of two keys, both with their prefix, from which one is suggested for the other."""
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+\S*")
_CANARY_WISH: Final = re.compile(r"(promote|abort)-\S+")
_ADOPTABLE: Final = frozenset(
    {
        "true",
        "deployment",
        "statefulset",
        "service",
        "persistentvolumeclaim",
        "ocirepository",
        "helmrelease",
        "httproute",
        "inferenceobjective",
        "inferenceobjective.llm-d.ai",
        "modelserver",
        "networkpolicy",
        "poddisruptionbudget",
        "scaledobject",
    }
)


_ANNOTATIONS: Final = frozenset({*USER_ANNOTATIONS, GATEWAY_ANNOTATION, LOCAL_WEIGHTS_ANNOTATION, *KAITO_SCALING})
_OF_EVERY_OBJECT: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_OF_OTHER_APIS: Final[Mapping[tuple[str, str], str]] = {
    ("parentRefs", "kind"): "a parent is always a Gateway; name the Gateway itself",
    ("parentRefs", "group"): "a parent is always a Gateway; name the Gateway itself",
    ("parentRefs", "port"): "name the listener with sectionName",
    ("resource", "labelSelector"): "of an InferenceSet it is spec.labelSelector",
    ("resource", "count"): "the nodes of a copy follow from the size of the model; spec.replicas is the number of copies",
    ("spec", "inference"): "of an InferenceSet it is spec.template.inference",
    ("spec", "resource"): "of an InferenceSet it is spec.template.resource",
    ("template", "gateway"): "of an InferenceSet it is spec.gateway",
    ("spec", "group"): "of an InferenceSet it is spec.gateway.group",
    ("spec", "aliases"): "of an InferenceSet it is spec.gateway.aliases",
    ("spec", "disruptionBudget"): "modelServer.disruptionBudget in the settings of the installation is that of all models",
    ("gateway", "weight"): "it is in group: gateway.group.weight",
    ("gateway", "fallback"): "it is in group: gateway.group.fallback",
    ("gateway", "canary"): "it is in group: gateway.group.canary",
    ("preset", "aliases"): "it is gateway.aliases",
    ("presetOptions", "modelWeightsPVC"): "use inference.weightsVolume.claimName",
    ("presetOptions", "modelWeightsSubPath"): "inference.weightsVolume is mounted as a whole",
}
"""What to do about fields that similar objects of other APIs, or Workspaces, have, by the field above and their own name."""


FieldPath = tuple[int | str, ...]


def unknown_fields(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each field of the Workspace or InferenceSet `raw`, at any depth, that the API does not have."""
    fields = {key: value for key, value in raw.items() if key not in _OF_EVERY_OBJECT}
    found = [*unknown_paths(InferenceSet if raw.get("kind") == SET_KIND else Workspace, fields)]
    for path, known in found[:_MOST]:
        closest = _of_another_api(path) or suggestion(str(path[-1])[:_LONGEST], known, "")
        yield f"unknown field {field_path(path)}" + (f"; {closest}" if closest else "")
    if len(found) > _MOST:
        yield f"{len(found) - _MOST} more unknown fields"


def metadata_without_effect(annotations: Mapping[str, str], labels: Mapping[str, str]) -> Iterator[str]:
    """Yield a message for the annotations and labels without effect, whatever the spec is: unknown ones, and those of KAITO."""
    yield from unknown_annotations(annotations)
    for entry, keys in ignored(annotations, kaito_annotations() if annotations else {}):
        yield f"{_listed('annotation', keys)} ignored: {entry.reason}"
    for entry, keys in ignored(labels, kaito_labels() if labels else {}):
        yield f"{_listed('label', keys)} ignored: {entry.reason}"
    misplaced = sorted(key for key in labels if key in _ANNOTATIONS)
    if misplaced:
        yield f"{_listed('label', misplaced)} ignored: only annotations have an effect"


def scaling_without_effect(annotations: Mapping[str, str]) -> Iterator[str]:
    """Yield a message for the annotations of a Workspace that are only for InferenceSets."""
    found = sorted(key for key in annotations if key in {*KAITO_SCALING, *KEDA_PAUSES, PAUSE_ANNOTATION})
    if found:
        yield f"{_listed('annotation', found)} ignored: only InferenceSets are scaled by load; use one, with spec.autoscaling"


def decisions_without_effect(annotations: Mapping[str, str], kind: str) -> Iterator[str]:
    """Yield a message for the annotations by which an author decides about pods and canaries, if nobody reads their value.

    A version or a revision that is not the present one is no mistake: it is what remains of an earlier decision.
    """
    update, wish = annotations.get(UPDATE_ANNOTATION), annotations.get(CANARY_ANNOTATION)
    if update is not None and kind == SET_KIND:
        yield _said(UPDATE_ANNOTATION, update, "pods of InferenceSets wait for nothing")
    elif update is not None and update != UPDATE_ALWAYS and not _VERSION.fullmatch(update):
        yield _said(UPDATE_ANNOTATION, update, f"set a version of the controller, such as 0.2.0, or {UPDATE_ALWAYS}")
    if wish is not None and not _CANARY_WISH.fullmatch(wish):
        yield _said(CANARY_ANNOTATION, wish, "use `workspace-ctrl promote` or `workspace-ctrl abort`, which set it")


def annotations_without_effect(annotations: Mapping[str, str], inference: Inference) -> Iterator[str]:
    """Yield a message for each annotation without effect, because of its value or of other fields."""
    runtime, public = annotations.get(RUNTIME_ANNOTATION), annotations.get(LOAD_BALANCER_ANNOTATION)
    if runtime not in {None, "vllm", "transformers"}:  # transformers is rejected
        yield _said(RUNTIME_ANNOTATION, runtime, "the model server is vllm" if inference.preset else "it is only for presets")
    if public is not None and inference.workload_ref is not None:
        yield _said(LOAD_BALANCER_ANNOTATION, public, "no Service is created for inference.workloadRef")
    elif public is not None and public.lower() not in {"true", "false"}:
        yield _said(LOAD_BALANCER_ANNOTATION, public, 'set "true" for a Service of type LoadBalancer')
    if BYPASS_ANNOTATION in annotations and inference.preset is None:
        yield _said(BYPASS_ANNOTATION, annotations[BYPASS_ANNOTATION], "only presets are sized")
    for key in (PERFORMANCE_ANNOTATION, LOCAL_WEIGHTS_ANNOTATION):
        if key in annotations and inference.preset is None:
            yield _said(key, annotations[key], "it is only for presets")
    mode = annotations.get(PERFORMANCE_ANNOTATION)
    if mode is not None and inference.preset is not None and mode not in PERFORMANCE_MODES:
        yield _said(PERFORMANCE_ANNOTATION, mode, f"set one of {', '.join(PERFORMANCE_MODES)}")
    kinds = annotations.get(ADOPT_ANNOTATION)
    if kinds is not None and not _ADOPTABLE & adopted(kinds):
        yield _said(ADOPT_ANNOTATION, kinds, 'set "true", or kinds such as Deployment,Service')


def fields_without_effect(spec: Workspace, inference: Inference, settings: PlanSettings) -> Iterator[str]:
    """Yield a message for each field without effect, because of other fields or of the installation."""
    if spec.resource is not None and inference.workload_ref is not None:
        yield "resource has no effect with inference.workloadRef"
    if inference.preset is not None:
        yield from _of_preset(inference.preset)
    else:
        if spec.resource is not None and spec.resource.partition is not None and inference.template is not None:
            yield "resource.partition has no effect without a preset; request the GPUs in the template"
        for name, given in (("config", inference.config), ("adapters", inference.adapters)):
            if given:
                yield f"inference.{name} has no effect without a preset"
    if inference.template is not None:
        yield from _of_template(inference.template)
    if spec.gateway is not None:
        yield from gateway_without_effect(spec.gateway, settings, starts_with_aliases=inference.preset is not None)


def _of_template(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is left out of a pod template, which has no schema in the CRD."""
    unknown = sorted(str(key)[:_LONGEST] for key in template if key not in {"metadata", "spec"})
    if unknown:
        verb = "have" if len(unknown) > 1 else "has"
        keys = ", ".join(f"inference.template.{key}" for key in unknown[:_MOST]) + (" and more" if len(unknown) > _MOST else "")
        yield f"{keys} {verb} no effect: a pod template has metadata and spec"
    metadata = template.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    if isinstance(labels, Mapping) and POD_LABEL in labels:
        yield f"the label {POD_LABEL} of inference.template is replaced by the name of the Workspace, by which its pods are found"


def _of_preset(preset: Preset) -> Iterator[str]:
    image = preset.preset_options.image if preset.preset_options is not None else None
    for path, value in (("inference.preset.accessMode", preset.access_mode), ("inference.preset.presetOptions.image", image)):
        entry = kaito_fields()[path]
        if value is not None and entry.is_said(value):
            yield f"{path} is ignored: {entry.reason}"
    if preset.size is not None and is_preset(preset.name):
        yield f"inference.preset.size has no effect: {preset.name} is in the catalog, whose figures are used"


def gateway_without_effect(gateway: GatewaySpec, settings: PlanSettings, *, starts_with_aliases: bool = False) -> Iterator[str]:
    """Yield a message for each field of `gateway` without effect; `starts_with_aliases` if the model server is started with the aliases."""
    has_effect = starts_with_aliases and bool(gateway.aliases)
    given = gateway.model_fields_set - ({"enabled", "aliases"} if has_effect else {"enabled"})
    exception = ", but for aliases, with which the model server is started" if has_effect else ""
    if not gateway.enabled:
        if given:
            yield f"gateway.enabled is false: the other fields of gateway have no effect{exception}"
    elif not settings.gateway_extension:
        if given or not has_effect:
            yield f"gateway has no effect{exception}: the feature gate gatewayAPIInferenceExtension is off"
    else:
        if gateway.probe is not None and not settings.probes:
            yield "gateway.probe has no effect: the installation sends no requests (probe.mode in its settings is off)"
        if gateway.pool is not None and gateway.pool.ref is not None:
            yield from _beside_a_named_pool(gateway, gateway.pool)
        else:
            yield from overruled_values(gateway, settings)


def _beside_a_named_pool(gateway: GatewaySpec, pool: Pool) -> Iterator[str]:
    for name, alias in (
        ("endpoint_picker", "endpointPicker"),
        ("chart", "chart"),
        ("service_account_name", "serviceAccountName"),
    ):
        if getattr(gateway, name) is not None:
            yield f"gateway.{alias} has no effect with gateway.pool.ref: no chart is installed"
    if pool.failure_mode is not None:
        yield "gateway.pool.failureMode has no effect with gateway.pool.ref; set endpointPickerRef.failureMode of that InferencePool"


def unknown_annotations(annotations: Mapping[str, str], prefixes: tuple[str, ...] = KEY_PREFIXES) -> Iterator[str]:
    """Yield a message for each unknown annotation with one of the prefixes."""
    known = [*USER_ANNOTATIONS, *(key for key in kaito_annotations() if key not in USER_ANNOTATIONS)]
    found = sorted(key for key in annotations if key.startswith(prefixes) and not _is_known(key))
    for key in found[:_MOST]:
        remedy = suggestion(key[:_LONGEST], known, f"known are {', '.join(USER_ANNOTATIONS)}", _ALIKE)
        yield f"unknown annotation {key[:_LONGEST]}; {remedy}"
    if len(found) > _MOST:
        yield "and more unknown annotations"


def _is_known(key: str) -> bool:
    return key in USER_ANNOTATIONS or key == STATUS_ANNOTATION or find_entry(key, kaito_annotations()) is not None


def _listed(what: str, keys: Sequence[str]) -> str:
    """Return the subject of a sentence, with its verb: the first of `keys`, and how many there are."""
    names = ", ".join(key[:_LONGEST] for key in keys[:_MOST]) + (" and more" if len(keys) > _MOST else "")
    return f"{what}s {names} are" if len(keys) > 1 else f"{what} {names} is"


def unknown_paths(model: type[BaseModel], raw: Mapping[str, Any], path: FieldPath = ()) -> Iterator[tuple[FieldPath, list[str]]]:
    """Yield each field that `model` does not have: its path, and the known fields beside it."""
    inside = {field.alias or name: _model_of(field.annotation) for name, field in model.model_fields.items()}
    for key, value in raw.items():
        within = inside.get(key)
        if key not in inside:
            yield (*path, str(key)), list(inside)
        elif within is not None:
            for place, entry in _entries(value):
                yield from unknown_paths(within, entry, (*path, key, *place))


def _of_another_api(path: FieldPath) -> str:
    named = [part for part in path if isinstance(part, str)]
    return _OF_OTHER_APIS.get((named[-2], named[-1]), "") if len(named) > 1 else ""


def _entries(value: object) -> Iterator[tuple[tuple[int, ...], Mapping[str, Any]]]:
    """Yield the objects that `value` is or holds, each with its index in a list."""
    if isinstance(value, Mapping):
        yield (), value
    elif isinstance(value, list):
        yield from (((index,), entry) for index, entry in enumerate(value) if isinstance(entry, Mapping))


def _model_of(annotation: object) -> type[BaseModel] | None:
    """Return the model in a type such as `list[Adapter] | None`; None if there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_of(part)) is not None), None)


def _said(key: str, value: str | None, why: str) -> str:
    return f'annotation {key}: "{(value or "")[:_LONGEST]}" has no effect; {why}'
