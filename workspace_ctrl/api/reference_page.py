"""The reference pages of Workspace and InferenceSet in docs/reference, generated from the CRDs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.conditions import MEANINGS
from workspace_ctrl.api.crd import SERVED_VERSIONS, crd
from workspace_ctrl.api.inference_set import in_set_words
from workspace_ctrl.api.labels import GATEWAY_LABELS, GROUP, KIND, SET_KIND, STORAGE_VERSION, USER_ANNOTATIONS

_OF_WORKSPACE: Final = f"""\
# Workspace reference

Generated from the models in `workspace_ctrl/api` by `make generate`; `kubectl explain workspace` shows the same texts.

- **Versions**: `{GROUP}/{STORAGE_VERSION}` is stored; {{others}} is served, too, with the same schema. Short names: `wk`, `wks`.
- **From KAITO**: `resource`, `inference` with `preset`, `template`, `config` and `adapters`, `tuning`, and the conditions
  `ResourceReady`, `InferenceReady` and `WorkspaceSucceeded`. As in KAITO there is no `spec`; its manifests apply unchanged.
- **Added by workspace-ctrl**: `inference.preset.size`, `inference.workloadRef`, `inference.weightsVolume`, `inference.resources`,
  `gateway`, and the rest of the status. `resource.instanceType` has no default, so that a model can be sized for the labels of your own
  nodes.
- **Validation**: the API server checks the RULES when a Workspace is applied. Problems that need the catalog or the cluster, such as an
  unknown model or one that does not fit, are reported in the condition `WorkspaceSucceeded` with reason `InvalidSpec`.
"""
_OF_SET: Final = f"""\
# InferenceSet reference

Generated from the models in `workspace_ctrl/api` by `make generate`; `kubectl explain inferenceset` shows the same texts. What it is for:
[InferenceSets](../concepts/inference-sets.md).

- **Versions**: `{GROUP}/{STORAGE_VERSION}` is stored; {{others}} is served, too, with the same schema. Short names: `is`, `isets`.
- **From KAITO**: all fields of `spec` except `gateway`; its manifests apply unchanged. Fields without an effect here say so.
- **Added by workspace-ctrl**: `spec.gateway`, and in `spec.template.inference` the same fields as in a [Workspace](workspace.md).
- **Scaling**: the scale subresource has `.spec.replicas`, `.status.replicas` and `.status.selector`, for `kubectl scale` and autoscalers.
- **Validation**: the API server checks the RULES when an InferenceSet is applied. Problems that need the catalog or the cluster, such as an
  unknown model or one that does not fit, are reported in the condition `WorkspaceSucceeded` with reason `InvalidSpec`.
"""


@dataclass(frozen=True, slots=True)
class _Object:
    """An object in the schema, with its fields."""

    path: str
    schema: Mapping[str, Any]

    def fields(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Yield path, name and schema of each field."""
        for name, schema in self.schema["properties"].items():
            yield f"{self.path}.{name}".removeprefix("."), name, schema


def reference(kind: str = KIND) -> str:
    """Return the page of a kind as Markdown."""
    stored = crd(kind)["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
    objects = list(_objects("", stored))
    paths = {path for entry in objects for path, _, _ in entry.fields()}
    rules = _rules_by_path([entry.schema for entry in objects], paths)
    others = " and ".join(f"`{GROUP}/{name}`" for name in SERVED_VERSIONS if name != STORAGE_VERSION)
    introduction = _OF_SET if kind == SET_KIND else _OF_WORKSPACE
    sections = (_section(entry, rules, kind) for entry in objects)
    return "\n".join([introduction.format(others=others), *sections, *_fixed_words(kind)])


def _objects(path: str, schema: Mapping[str, Any]) -> Iterator[_Object]:
    """Yield the object at `path`, then its nested objects."""
    if "properties" not in schema:
        return
    entry = _Object(path, schema)
    yield entry
    for child_path, _, child in entry.fields():
        yield from _objects(child_path, child)
        if isinstance(child.get("items"), Mapping):
            yield from _objects(f"{child_path}[]", child["items"])


def _rules_by_path(schemas: Sequence[Mapping[str, Any]], paths: set[str]) -> Mapping[str, list[str]]:
    """Return the messages of the rules by the field at their beginning, without it; messages without a field have the empty path."""
    found: dict[str, list[str]] = {}
    for schema in schemas:
        for rule in schema.get("x-kubernetes-validations", ()):
            path, _, rest = rule["message"].partition(" ")
            key, text = (path, rest) if path in paths else ("", rule["message"])
            found.setdefault(key, []).append(text)
    return found


def _section(entry: _Object, rules: Mapping[str, list[str]], kind: str) -> str:
    required = entry.schema.get("required", ())
    rows = [
        (
            f"`{path}`",
            _type(schema),
            _default(schema),
            "<br>".join(_limits(schema, rules.get(path, ()), required=name in required)),
            _text(schema),
        )
        for path, name, schema in entry.fields()
    ]
    own = "".join(f"- {text}\n" for text in rules[""]) + "\n" if not entry.path else ""
    return f"## {entry.path or kind}\n\n{_text(entry.schema)}\n\n{own}" + _table(
        ("FIELD", "TYPE", "DEFAULT", "RULES", "DESCRIPTION"), rows
    )


def _type(schema: Mapping[str, Any]) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        return f"map of {_type(values)}"
    return str(schema["type"])


def _default(schema: Mapping[str, Any]) -> str:
    if "default" not in schema:
        return ""
    default = schema["default"]
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _limits(schema: Mapping[str, Any], messages: Sequence[str], *, required: bool) -> Iterator[str]:
    if required:
        yield "required"
    if "enum" in schema:
        yield "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    yield from _range(schema)
    if schema.get("minLength"):
        yield "not empty"
    for key, unit in (("maxLength", "characters"), ("maxItems", "items"), ("maxProperties", "items")):
        if key in schema:
            yield f"at most {schema[key]} {unit if schema[key] > 1 else unit.removesuffix('s')}"
    for text in schema, schema.get("items", {}):
        yield from (rule["message"] for rule in text.get("x-kubernetes-validations", ()) if text.get("type") == "string")
    if "format" in schema:
        yield f"a {schema['format']}"
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        yield "content is checked on use"
    yield from messages


def _range(schema: Mapping[str, Any]) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        yield f"{least} to {most}"
    elif least is not None:
        yield f"at least {least}"
    elif most is not None:
        yield f"at most {most}"


def _text(schema: Mapping[str, Any]) -> str:
    return " ".join(str(schema.get("description", "Standard Kubernetes field.")).split())


def _fixed_words(kind: str) -> Iterator[str]:
    """Yield the sections on conditions, annotations and labels."""
    words = in_set_words if kind == SET_KIND else str
    meanings = [(f"`{type_}`", words(text)) for type_, text in MEANINGS.items()]
    yield "## Conditions\n\nIn the order in which they are shown.\n\n" + _table(("TYPE", "TRUE MEANS"), meanings)
    annotations = [(f"`{key}`", kind, words(text)) for key, text in USER_ANNOTATIONS.items()]
    text = 'With value `"true"`: Workspaces without `gateway.parentRefs` are attached to this Gateway.'
    labels = [(f"`{key}`", "Gateway", text) for key in GATEWAY_LABELS]
    yield "## Annotations and labels that you may set\n\n" + _table(("KEY", "ON", "MEANING"), [*annotations, *labels])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
