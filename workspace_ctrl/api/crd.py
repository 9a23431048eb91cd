"""The CustomResourceDefinitions, generated from the typed models."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from workspace_ctrl.api.api_model import ApiModel, pattern_rule
from workspace_ctrl.api.inference_set import InferenceSet, in_set_words
from workspace_ctrl.api.labels import GROUP, KIND, OLDER_VERSIONS, PLURAL, SET_KIND, SET_PLURAL, STORAGE_VERSION
from workspace_ctrl.api.status import NOT_OBSERVED, InferenceSetStatus, WorkspaceStatus
from workspace_ctrl.api.workspace import Workspace

SERVED_VERSIONS: Final = (*OLDER_VERSIONS, STORAGE_VERSION)
"""KAITO serves both; conversion is None, so both have the same schema."""

_DROPPED = frozenset({"title", "default", "$defs"})
_ROW = ".status.conditions[?(@.type=={!r})]"
_SCALE: Final = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """What distinguishes the kinds."""

    plural: str
    short_names: tuple[str, ...]
    model: type[ApiModel]
    status: type[WorkspaceStatus]
    columns: Callable[[], list[dict[str, Any]]]
    scale: Mapping[str, str] | None = None
    words: Callable[[str], str] = str
    """Makes texts of the models, which are those of a Workspace, fit the kind."""


def crd(kind: str = KIND) -> dict[str, Any]:
    """Return the CustomResourceDefinition of the Workspace, or of another one of `KINDS`."""
    row, schema = _KINDS[kind], _schema(kind)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{row.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": _names(kind, row),
            "versions": [_version(name, row, deepcopy(schema)) for name in SERVED_VERSIONS],
        },
    }


def _names(kind: str, row: _Kind) -> dict[str, Any]:
    return {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": row.plural,
        "singular": kind.lower(),
        "shortNames": [*row.short_names],
        "categories": [kind.lower()],
    }


@cache
def _schema(kind: str) -> dict[str, Any]:
    """Return the schema, which is made once; who changes it needs a copy."""
    row = _KINDS[kind]
    schema = structural_schema(row.model.model_json_schema(by_alias=True))
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": "Version of the API."},
        "kind": {"type": "string", "description": f"{kind}."},
        "metadata": {"type": "object"},
        **schema["properties"],
        "status": _status_schema(row.status),
    }
    found: dict[str, Any] = _in_words(schema, row.words)
    return found


def _status_schema(model: type[WorkspaceStatus]) -> dict[str, Any]:
    """Return the schema of a status; one that nobody has written yet is for no generation."""
    schema = _without_defaults(structural_schema(TypeAdapter(model).json_schema(by_alias=True)))
    return schema | {"default": {"observedGeneration": NOT_OBSERVED}}


def _version(name: str, row: _Kind, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "served": True,
        "storage": name == STORAGE_VERSION,
        "subresources": {"status": {}} | ({"scale": dict(row.scale)} if row.scale is not None else {}),
        "additionalPrinterColumns": row.columns(),
        "schema": {"openAPIV3Schema": schema},
    }


def _column(name: str, path: str, *, wide: bool = False, type_: str = "string") -> dict[str, Any]:
    return {"name": name, "type": type_, "jsonPath": path} | ({"priority": 1} if wide else {})


def _status_column(type_: str) -> dict[str, Any]:
    return _column(type_, _ROW.format(type_).replace("'", '"') + ".status")


def _last_columns() -> list[dict[str, Any]]:
    return [
        _column("URL", ".status.gateway.url"),
        _column("Age", ".metadata.creationTimestamp", type_="date"),
        _column("Reason", _ROW.format("Ready").replace("'", '"') + ".reason", wide=True),
    ]


def _columns() -> list[dict[str, Any]]:
    return [
        _column("Instance", ".resource.instanceType"),
        _column("Kind", ".status.workload.kind"),
        *map(_status_column, ("ResourceReady", "InferenceReady", "GatewayReady")),
        *_last_columns(),
        _column("State", ".status.state", wide=True),
        _column("TargetNodeCount", ".status.targetNodeCount", wide=True, type_="integer"),
    ]


def _set_columns() -> list[dict[str, Any]]:
    return [_column("Ready", ".status.ready"), _status_column("GatewayReady"), *_last_columns()]


_KINDS: Final[Mapping[str, _Kind]] = {
    KIND: _Kind(PLURAL, ("wk", "wks"), Workspace, WorkspaceStatus, _columns),
    SET_KIND: _Kind(SET_PLURAL, ("is", "isets"), InferenceSet, InferenceSetStatus, _set_columns, scale=_SCALE, words=in_set_words),
}
KINDS: Final = tuple(_KINDS)


def _in_words(value: Any, words: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON
    """Return a schema with its descriptions and messages in the words of a kind."""
    if isinstance(value, list):
        return [_in_words(entry, words) for entry in value]
    if not isinstance(value, dict):
        return value
    is_text = {name: name in _TEXTS and isinstance(entry, str) for name, entry in value.items()}
    return {name: words(entry) if is_text[name] else _in_words(entry, words) for name, entry in value.items()}


_TEXTS: Final = frozenset({"description", "message"})


def structural_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pydantic JSON schema as a structural schema: references inlined, optional fields not required."""
    definitions: Mapping[str, Any] = schema.get("$defs", {})

    def convert(node: Mapping[str, Any]) -> dict[str, Any]:
        node = _resolved(node, definitions)
        if node.get("x-kubernetes-preserve-unknown-fields"):
            return {
                key: value for key, value in node.items() if key in {"type", "description", "x-kubernetes-preserve-unknown-fields"}
            }
        result = {key: value for key, value in node.items() if key not in _DROPPED}
        if node.get("default") is not None:
            result["default"] = node["default"]
        if "pattern" in result:
            result["x-kubernetes-validations"] = [pattern_rule(result.pop("pattern")), *result.get("x-kubernetes-validations", ())]
        if "properties" in node:
            result["properties"] = {name: convert(child) for name, child in node["properties"].items()}
        if isinstance(node.get("items"), Mapping):
            result["items"] = convert(node["items"])
        if isinstance(node.get("additionalProperties"), Mapping):
            result["additionalProperties"] = convert(node["additionalProperties"])
        return result

    return convert(schema)


def _without_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a status, without defaults: missing fields stay missing."""
    children = {name: _without_defaults(child) for name, child in schema.get("properties", {}).items()}
    result = {key: value for key, value in schema.items() if key != "default"}
    result |= {"properties": children} if children else {}
    return result | ({"items": _without_defaults(schema["items"])} if "items" in schema else {})


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return `node` with its reference resolved, and without the null that pydantic adds to optional fields."""
    flat = dict(node)
    choices = [choice for choice in flat.pop("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        flat = {**choices[0], **flat}
    reference = flat.pop("$ref", None)
    if reference is None:
        return flat
    target = dict(definitions[reference.rsplit("/", 1)[1]])
    return _resolved({**target, **flat}, definitions)
