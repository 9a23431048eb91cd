"""Fields and annotations without effect: no reason for a rejection, but probably a mistake of the author."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel

from workspace_ctrl.api.errors import field_path
from workspace_ctrl.api.inference import Inference, Preset
from workspace_ctrl.api.inference_set import InferenceSet
from workspace_ctrl.api.labels import (
    ADOPT_ANNOTATION,
    BYPASS_ANNOTATION,
    LOAD_BALANCER_ANNOTATION,
    RUNTIME_ANNOTATION,
    SET_KIND,
    STATUS_ANNOTATION,
    USER_ANNOTATIONS,
)
from workspace_ctrl.api.workspace import GatewaySpec, Workspace
from workspace_ctrl.catalog.data_files import suggestion

PREFIXES: Final = ("kaito.sh/", "workspace-ctrl/")
"""Prefixes of the annotations for this controller."""
OWN_PREFIXES: Final = ("workspace-ctrl/",)
"""Prefixes of the annotations that no other controller knows."""
_KNOWN: Final = frozenset({*USER_ANNOTATIONS, STATUS_ANNOTATION})
_MOST: Final = 10
"""Number of unknown fields, and of unknown annotations, that are listed; a manifest of another kind has hundreds."""
_LONGEST: Final = 64
"""Longest value of a user in a message, in characters."""
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
    }
)


_OF_EVERY_OBJECT: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_OF_OTHER_APIS: Final[Mapping[tuple[str, str], str]] = {
    ("parentRefs", "kind"): "a parent is always a Gateway; name the Gateway itself",
    ("parentRefs", "group"): "a parent is always a Gateway; name the Gateway itself",
    ("parentRefs", "port"): "name the listener with sectionName",
    ("source", "volume"): "did you mean volumeSource?",
}
"""What to do about fields that similar objects of other APIs have, by the field above and their own name."""


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


def unknown_annotations(annotations: Mapping[str, str], prefixes: tuple[str, ...] = PREFIXES) -> Iterator[str]:
    """Yield a message for each unknown annotation with one of the prefixes."""
    found = sorted(key for key in annotations if key.startswith(prefixes) and key not in _KNOWN)
    for key in found[:_MOST]:
        remedy = suggestion(key.partition("/")[2][:_LONGEST], USER_ANNOTATIONS, f"known are {', '.join(USER_ANNOTATIONS)}")
        yield f"unknown annotation {key[:_LONGEST]}; {remedy}"
    if len(found) > _MOST:
        yield f"{len(found) - _MOST} more unknown annotations"


def annotations_without_effect(annotations: Mapping[str, str], inference: Inference) -> Iterator[str]:
    """Yield a message for each annotation without effect, because of its value or of other fields."""
    runtime, public = annotations.get(RUNTIME_ANNOTATION), annotations.get(LOAD_BALANCER_ANNOTATION)
    if runtime not in {None, "vllm", "transformers"}:  # transformers is rejected
        yield _said(RUNTIME_ANNOTATION, runtime, "the model server is vllm" if inference.preset else "it is only for presets")
    if public is not None and inference.workload_ref is not None:
        yield _said(LOAD_BALANCER_ANNOTATION, public, "no Service is created for inference.workloadRef")
    elif public not in {None, "True", "False"}:
        yield _said(LOAD_BALANCER_ANNOTATION, public, 'set "True" for a Service of type LoadBalancer')
    if BYPASS_ANNOTATION in annotations and inference.preset is None:
        yield _said(BYPASS_ANNOTATION, annotations[BYPASS_ANNOTATION], "only presets are sized")
    adopted = annotations.get(ADOPT_ANNOTATION)
    if adopted is not None and not _ADOPTABLE & {word.strip().lower() for word in adopted.split(",")}:
        yield _said(ADOPT_ANNOTATION, adopted, 'set "true", or kinds such as Deployment,Service')


def fields_without_effect(spec: Workspace, inference: Inference, *, gateway_extension: bool) -> Iterator[str]:
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
    if spec.gateway is not None:
        yield from gateway_without_effect(spec.gateway, gateway_extension=gateway_extension)


def _of_preset(preset: Preset) -> Iterator[str]:
    if preset.access_mode is not None:
        yield "inference.preset.accessMode has no effect: it is deprecated in KAITO"
    if preset.preset_options is not None and preset.preset_options.image is not None:
        yield "inference.preset.presetOptions.image has no effect: the image of the model server is a setting of the installation"


def gateway_without_effect(gateway: GatewaySpec, *, gateway_extension: bool) -> Iterator[str]:
    """Yield a message for each field of `gateway` without effect."""
    given = gateway.model_fields_set - {"enabled"}
    if not gateway.enabled:
        if given:
            yield "gateway.enabled is false: the other fields of gateway have no effect"
    elif not gateway_extension:
        yield "gateway has no effect: the feature gate gatewayAPIInferenceExtension is off"
    elif gateway.pool_ref:
        for name, alias in (
            ("endpoint_picker", "endpointPicker"),
            ("chart", "chart"),
            ("service_account_name", "serviceAccountName"),
        ):
            if getattr(gateway, name) is not None:
                yield f"gateway.{alias} has no effect with gateway.pool.ref: no chart is installed"


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
