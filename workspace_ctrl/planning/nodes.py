"""Where model-server pods may run."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from workspace_ctrl.api.workspace import LabelSelector, LabelSelectorRequirement, Resource

INSTANCE_TYPE_LABEL: Final = "node.kubernetes.io/instance-type"

TOLERATIONS: Final[tuple[Mapping[str, str], ...]] = (
    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
)
"""For the usual taints of GPU nodes; the second one is KAITO's."""


def node_affinity(resource: Resource) -> dict[str, Any]:
    """Return the affinity that requires the selector's labels and the instance type, and prefers the preferred nodes.

    If the user names nodes, the instance type is not required.
    """
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
