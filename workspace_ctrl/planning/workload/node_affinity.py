"""Where model-server pods may run."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from workspace_ctrl.api.api_model import NAME_PATTERN
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import is_label, wrong_label
from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.api.workspace import LabelSelector, LabelSelectorRequirement, Resource

INSTANCE_TYPE_LABEL: Final = "node.kubernetes.io/instance-type"

_SELECTOR: Final = "resource.labelSelector"
_LONGEST_NODE_NAME: Final = 253
_LONGEST_LABELS: Final = 512
_COMPARED: Final = {"Gt": ">", "Lt": "<"}
"""Operators of numbers, which only a template can have."""
_QUOTED: Final = 64
"""Characters of a user's value that a message quotes."""
TOLERATIONS: Final[tuple[Mapping[str, str], ...]] = (
    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
)
"""For the usual taints of GPU nodes; the second one is KAITO's."""


def node_affinity(resource: Resource) -> dict[str, Any]:
    """Return the affinity that requires the selector's labels and the instance type, and prefers the preferred nodes.

    If the user names nodes, the instance type is not required.

    Raises:
        SpecError: the API server would reject it.
    """
    _check(resource)
    expressions = _expressions(resource.label_selector)
    if resource.instance_type and not resource.preferred_nodes:
        expressions.append({"key": INSTANCE_TYPE_LABEL, "operator": "In", "values": [resource.instance_type]})
    affinity: dict[str, Any] = {}
    if expressions:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    if resource.preferred_nodes:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 100, "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}}
            for name in resource.preferred_nodes
        ]
    return affinity


def required_labels(pod: Mapping[str, Any]) -> str:
    """Return the labels of nodes that the spec of a pod requires, in kubectl's notation of selectors; empty if it requires none.

    A template of a user may have some of its own, and whatever else: what is not as the API has it is left out.
    """
    selected = [f"{key}={value}" for key, value in sorted(_mapping(pod, "nodeSelector").items())]
    required = _mapping(_mapping(_mapping(pod, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution")
    terms = [_mappings(term, "matchExpressions") for term in _mappings(required, "nodeSelectorTerms")]
    alternatives = [", ".join([*selected, *map(_in_words, expressions)]) for expressions in terms or [[]]]
    return excerpt(" or ".join(filter(None, dict.fromkeys(alternatives))), _LONGEST_LABELS)


def _mapping(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = found.get(key)
    return inner if isinstance(inner, Mapping) else {}


def _mappings(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    inner = found.get(key)
    return [entry for entry in inner if isinstance(entry, Mapping)] if isinstance(inner, list | tuple) else []


def _in_words(expression: Mapping[str, Any]) -> str:
    key, operator, given = expression.get("key"), str(expression.get("operator")), expression.get("values")
    values = ",".join(map(str, given)) if isinstance(given, list | tuple) else ""
    match operator:
        case "In":
            return f"{key} in ({values})" if "," in values else f"{key}={values}"
        case "NotIn":
            return f"{key} notin ({values})"
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return f"{key} {_COMPARED[operator]} {values}" if operator in _COMPARED else str(key)


def _check(resource: Resource) -> None:
    selector = resource.label_selector
    wrong = wrong_label(selector.match_labels or {})
    if wrong:
        raise SpecError(f"{_SELECTOR}.matchLabels", f"contains {wrong!r}, which is not a valid label", "set labels of nodes")
    for index, entry in enumerate(selector.match_expressions or ()):
        _check_expression(f"{_SELECTOR}.matchExpressions[{index}]", entry)
    for index, name in enumerate(resource.preferred_nodes or ()):
        if len(name) > _LONGEST_NODE_NAME or not re.fullmatch(NAME_PATTERN, name):
            raise SpecError(f"resource.preferredNodes[{index}]", f"is {excerpt(name, _QUOTED)!r}, which is not the name of a node")


def _check_expression(path: str, entry: LabelSelectorRequirement) -> None:
    needs_values = entry.operator in {"In", "NotIn"}
    if not is_label(entry.key, ""):
        raise SpecError(f"{path}.key", f"is {excerpt(entry.key, _QUOTED)!r}, which is not a valid label key")
    if needs_values and not entry.values:
        raise SpecError(path, f"needs values for operator {entry.operator}", "add some, or use Exists or DoesNotExist")
    if entry.values and not needs_values:
        raise SpecError(path, f"cannot have values with operator {entry.operator}", "remove them, or use In or NotIn")
    wrong = next((value for value in entry.values or () if not is_label(entry.key, value)), None)
    if wrong is not None:
        raise SpecError(f"{path}.values", f"contains {excerpt(wrong, _QUOTED)!r}, which is not a valid label value")


def _expressions(selector: LabelSelector) -> list[dict[str, Any]]:
    labels = [{"key": key, "operator": "In", "values": [value]} for key, value in sorted((selector.match_labels or {}).items())]
    return labels + [_expression(entry) for entry in selector.match_expressions or ()]


def _expression(entry: LabelSelectorRequirement) -> dict[str, Any]:
    values = {"values": list(entry.values)} if entry.values else {}
    return {"key": entry.key, "operator": entry.operator, **values}


def selecting(selector: LabelSelector) -> Callable[[Mapping[str, str]], bool]:
    """Return a function that tells whether the selector matches given labels, by the rules of Kubernetes' label selectors.

    For each object it takes one lookup per requirement, however many values that has.
    """
    wanted = (selector.match_labels or {}).items()
    required = [(entry, frozenset(entry.values or ())) for entry in selector.match_expressions or ()]

    def selects(labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in wanted) and all(_meets(*entry, labels) for entry in required)

    return selects


def _meets(entry: LabelSelectorRequirement, values: frozenset[str], labels: Mapping[str, str]) -> bool:
    value = labels.get(entry.key)
    match entry.operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
