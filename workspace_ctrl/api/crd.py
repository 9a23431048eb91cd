"""The CustomResourceDefinition, generated from the typed models."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from workspace_ctrl.api.labels import GROUP, KIND, PLURAL, STORAGE_VERSION
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.api.workspace import Workspace

SERVED_VERSIONS: Final = ("v1alpha1", STORAGE_VERSION)
"""KAITO serves both; conversion is None, so both have the same schema."""

_DROPPED = frozenset({"title", "default", "$defs"})
_ROW = ".status.conditions[?(@.type=={!r})]"


def crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition of the Workspace."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": "workspace",
                "shortNames": ["wk", "wks"],
                "categories": ["workspace"],
            },
            "versions": [_version(name) for name in SERVED_VERSIONS],
        },
    }


def _version(name: str) -> dict[str, Any]:
    schema = structural_schema(Workspace.model_json_schema(by_alias=True))
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": "Version of the API."},
        "kind": {"type": "string", "description": "Workspace."},
        "metadata": {"type": "object"},
        **schema["properties"],
        "status": _without_defaults(structural_schema(TypeAdapter(WorkspaceStatus).json_schema(by_alias=True))),
    }
    return {
        "name": name,
        "served": True,
        "storage": name == STORAGE_VERSION,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": schema},
    }


def _columns() -> list[dict[str, Any]]:
    def column(name: str, path: str, *, wide: bool = False, type_: str = "string") -> dict[str, Any]:
        return {"name": name, "type": type_, "jsonPath": path} | ({"priority": 1} if wide else {})

    def status(type_: str) -> str:
        return _ROW.format(type_).replace("'", '"') + ".status"

    return [
        column("Instance", ".resource.instanceType"),
        column("Kind", ".status.workload.kind"),
        column("ResourceReady", status("ResourceReady")),
        column("InferenceReady", status("InferenceReady")),
        column("GatewayReady", status("GatewayReady")),
        column("URL", ".status.gateway.url"),
        column("Age", ".metadata.creationTimestamp", type_="date"),
        column("Reason", status("Ready").removesuffix(".status") + ".reason", wide=True),
        column("State", ".status.state", wide=True),
        column("TargetNodeCount", ".status.targetNodeCount", wide=True, type_="integer"),
    ]


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
