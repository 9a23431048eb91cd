"""Validation of the values that a Workspace may set.

Charts insert some values into their templates without quotes, so a line break could inject another object, which Flux would apply with its
own rights. Values that the charts pass through their YAML encoder may contain any text; all others must be on one line.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.catalog.charts import ChartValue
from workspace_ctrl.planning.resource_requirements import resources_problem

_FILE_NAME = r"[A-Za-z0-9][-A-Za-z0-9._]{0,63}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_MOST_REPLICAS = 100
MOST_LEVELS: Final = 5
"""Levels of mappings and lists that a value may have below a path of `endpointPicker.allowedValues`: what the admission policy looks into
(`workspace-ctrl.isPlain` in charts/workspace-ctrl/templates/_releases.tpl), because CEL has no recursion."""
_QUOTED: Final = 64
"""Characters of a name or a value that a message quotes."""
RESERVED_FILES: Final = frozenset({"default-plugins.yaml", "payload-agnostic.yaml"})
"""Files that charts put into the same ConfigMap; a second one of that name makes it invalid for Flux."""
_RESERVED_VARIABLES: Final = frozenset({"NAMESPACE", "POD_NAME"})

Shape = Callable[[Any], str]
"""Returns the problem of a value, as the end of a sentence that begins with its path; empty if it is valid."""


def is_one_line(value: object) -> bool:
    """Whether no text in `value`, keys included, contains a line break."""
    return all(text.isprintable() for text in _texts(value))


def has_template(value: object) -> bool:
    """Whether a text in `value`, keys included, can be a template of Helm, which reads Secrets with Flux's rights where a chart runs it."""
    return any("{{" in text for text in _texts(value))


def levels(value: object) -> int:
    """Return how many levels of mappings and lists a value has; 0 for a text, a number or null."""
    if isinstance(value, Mapping):
        return 1 + max(map(levels, value.values()), default=0)
    return 1 + max(map(levels, value), default=0) if isinstance(value, list) else 0


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _affinity(value: object) -> str:
    return "" if isinstance(value, Mapping) else "must be an affinity as in a pod spec"


def _tolerations(value: object) -> str:
    right = isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)
    return "" if right else "must be a list of tolerations as in a pod spec"


def _environment(value: object) -> str:
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        return "must be a list of environment variables with name and value"
    names: set[str] = set(_RESERVED_VARIABLES)
    for entry in value:
        name = entry.get("name")
        if not isinstance(name, str) or not re.fullmatch(_VARIABLE, name):
            return "must use variable names of letters, digits and underscores"
        if set(entry) != {"name", "value"} or not isinstance(entry["value"], str):
            return f"must set {name} to a string value; valueFrom is not allowed"
        if name in names:
            return f"must not set {name}, which is already set"
        names.add(name)
    return ""


def _file_name(value: object) -> str:
    return "" if isinstance(value, str) and re.fullmatch(_FILE_NAME, value) else "must be a file name, such as my-plugins.yaml"


def _files(value: object) -> str:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        return "must map file names to their content"
    wrong = next((name for name in value if _file_name(name) or name in RESERVED_FILES), None)
    if wrong is None:
        return ""
    return f"must not contain file {excerpt(str(wrong), _QUOTED)!r}; use a name such as my-plugins.yaml"


def _replicas(value: object) -> str:
    right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_REPLICAS
    return "" if right else f"must be a number from 1 to {_MOST_REPLICAS}"


SHAPES: Final[Mapping[ChartValue, Shape]] = {
    ChartValue.AFFINITY: _affinity,
    ChartValue.TOLERATIONS: _tolerations,
    ChartValue.ENVIRONMENT: _environment,
    ChartValue.PLUGINS_FILE: _file_name,
    ChartValue.PLUGINS: _files,
    ChartValue.REPLICAS: _replicas,
    ChartValue.RESOURCES: resources_problem,
}
"""Value → its validation. These are the values that every Workspace may set."""
