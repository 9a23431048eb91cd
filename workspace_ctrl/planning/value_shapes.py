"""The shapes of values that a Workspace may set.

Charts put some values into their templates without quotes, so a line break in one would end its line and could begin another object,
which Flux would apply with its own rights. What the charts pass through their YAML encoder may hold any text; all else is one line.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from workspace_ctrl.api.text import excerpt

_QUANTITY = r"[0-9]+(\.[0-9]+)?([numkMGTPE]|[KMGTPE]i|[eE][0-9]+)?"
_RESOURCE_NAME = r"[A-Za-z0-9]([-A-Za-z0-9._/]{0,251}[A-Za-z0-9])?"
_FILE_NAME = r"[A-Za-z0-9][-A-Za-z0-9._]{0,63}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_MOST_REPLICAS = 100
_QUOTED: Final = 64
"""Characters of a name or a value that a message quotes."""
_RESERVED_FILE = "default-plugins.yaml"
_RESERVED_VARIABLES: Final = frozenset({"NAMESPACE", "POD_NAME"})

Shape = Callable[[Any], str]
"""Returns what is wrong with a value, as the end of a sentence that begins with its path; empty where nothing is."""


def is_one_line(value: object) -> bool:
    """Whether no text in `value`, keys included, can end the line on which a chart puts it."""
    if isinstance(value, Mapping):
        return all(is_one_line(key) and is_one_line(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_one_line(item) for item in value)
    return not isinstance(value, str) or value.isprintable()


def _affinity(value: object) -> str:
    return "" if isinstance(value, Mapping) else "must be an affinity as in a pod"


def _tolerations(value: object) -> str:
    right = isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)
    return "" if right else "must be a list of tolerations as in a pod"


def _environment(value: object) -> str:
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        return "must be a list of variables, each with name and value"
    names: set[str] = set(_RESERVED_VARIABLES)
    for entry in value:
        name = entry.get("name")
        if not isinstance(name, str) or not re.fullmatch(_VARIABLE, name):
            return "must have names of letters, digits and underscores"
        if set(entry) != {"name", "value"} or not isinstance(entry["value"], str):
            return f"may give {name} a text as its value, and nothing else (no valueFrom)"
        if name in names:
            return f"must not set {name}, which is set already"
        names.add(name)
    return ""


def _file_name(value: object) -> str:
    return (
        "" if isinstance(value, str) and re.fullmatch(_FILE_NAME, value) else "must be the name of a file, such as my-plugins.yaml"
    )


def _files(value: object) -> str:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        return "must map names of files to their texts"
    wrong = next((name for name in value if _file_name(name) or name == _RESERVED_FILE), None)
    return (
        f"must not have a file {excerpt(str(wrong), _QUOTED)!r}; take a name such as my-plugins.yaml" if wrong is not None else ""
    )


def _replicas(value: object) -> str:
    right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_REPLICAS
    return "" if right else f"must be a number from 1 to {_MOST_REPLICAS}"


def _resources(value: object) -> str:
    if not isinstance(value, Mapping) or not set(value) <= {"requests", "limits"}:
        return "must have requests and limits, and nothing else"
    for quantities in value.values():
        if not isinstance(quantities, Mapping):
            return "must map names to quantities, such as memory: 1Gi"
        for name, quantity in quantities.items():
            if not re.fullmatch(_RESOURCE_NAME, str(name)) or isinstance(quantity, bool):
                return "must map names to quantities, such as memory: 1Gi"
            if not re.fullmatch(_QUANTITY, str(quantity)):
                return f"has {excerpt(str(quantity), _QUOTED)!r} for {name}; write a quantity, such as 1Gi"
    return ""


SHAPES: Final[Mapping[str, Shape]] = {
    "affinity": _affinity,
    "tolerations": _tolerations,
    "environment": _environment,
    "plugins_file": _file_name,
    "plugins": _files,
    "replicas": _replicas,
    "resources": _resources,
}
"""Decision of a chart's layout → the shape that a Workspace must keep to: these are the values that every Workspace may set."""
