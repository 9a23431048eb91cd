"""Requests and limits of a container: their validation, and how those of several authors become one."""

import re
from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.printable_text import excerpt

_QUANTITY: Final = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?"
_RESOURCE_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9._/]{0,251}[A-Za-z0-9])?"
_QUOTED: Final = 64
"""Characters of a value that a message quotes."""


def resources_problem(value: object) -> str:
    """Return what is wrong with requests and limits, as the end of a sentence that begins with their path; empty if they are valid."""
    if not isinstance(value, Mapping) or not set(value) <= {"requests", "limits"}:
        return "must contain only requests and limits"
    for quantities in value.values():
        if not isinstance(quantities, Mapping):
            return "must map names to quantities, such as memory: 1Gi"
        for name, quantity in quantities.items():
            if not re.fullmatch(_RESOURCE_NAME, str(name)) or isinstance(quantity, bool):
                return "must map names to quantities, such as memory: 1Gi"
            if not re.fullmatch(_QUANTITY, str(quantity)):
                return f"has {excerpt(str(quantity), _QUOTED)!r} for {name}; use a quantity, such as 1Gi"
    return ""


def completed(given: object, ours: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` completed by `ours`, with consistent pairs: if only one of a pair is given, the other follows it.

    Otherwise a request of ours could be above a limit that is given.
    """
    pairs = given if isinstance(given, Mapping) else {}
    requests, limits = dict(pairs.get("requests") or {}), dict(pairs.get("limits") or {})
    limited = ours.get("limits") or {}
    for name, limit in list(limits.items()):
        requests.setdefault(name, limit)
    for name, request in requests.items():
        if name in limited:
            limits.setdefault(name, request)
    found = {"requests": requests, "limits": limits}
    return {kind: {**_others(ours.get(kind) or {}, requests), **mine} for kind, mine in found.items()}


def _others(quantities: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: quantity for name, quantity in quantities.items() if name not in given}
