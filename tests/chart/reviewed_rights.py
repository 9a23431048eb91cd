"""The reviewed list of what the chart lets the controller do: its rights by settings, and what its policies refuse.

`python -m tests.chart.reviewed_rights` writes the list again; read the difference before it is committed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chart.helm import GATE, render

FILE = Path(__file__).with_name("reviewed_rights.txt")
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "gate on": GATE,
    "gate going off": {"gatewayRemoval": True},
    "gate on, chosen namespaces": {**GATE, "scope": {"namespaces": ["team-a"]}},
    "gate on, chosen namespaces and their Gateways": {**GATE, "scope": {"namespaces": ["team-a"], "gatewaysEverywhere": False}},
    "gate on, body-based routers": {**GATE, "bodyBasedRouting": {"mode": "managed"}},
    "gate on, autoscaling": {**GATE, "autoscaling": {"enabled": True}},
    "gate on, list of models": {**GATE, "modelIndex": {"enabled": True}},
    "gate on, autoscaling by a Prometheus": {
        **GATE,
        "autoscaling": {"enabled": True, "prometheus": {"url": "http://prometheus.example:9090"}},
    },
    "gate on, no disruption budgets": {**GATE, "modelServer": {"disruptionBudget": {"enabled": False}}},
    "gate on, companion": {**GATE, "mode": "companion"},
    "gate on, all options": {
        **GATE,
        "probe": {"secret": {"namespace": "gateways", "name": "probe"}},
        "rbac": {
            "kthena": True,
            "aggregateRoutes": True,
            "workloadKinds": [{"apiGroup": "leaderworkerset.x-k8s.io", "resource": "leaderworkersets"}],
        },
    },
}
_ROLES = frozenset({"Role", "ClusterRole"})


def reviewed() -> str:
    """Return the list as the chart is now."""
    lines = []
    for title, values in SETTINGS.items():
        lines += [f"# Rights: {title}", *_rights(render({**values, "flux2": {"enabled": False}})), ""]
    managed = _refused(SETTINGS["gate on, autoscaling"])
    for name, refusals in managed.items():
        lines += [f"# Refused: {name}", *refusals, ""]
    for name, refusals in _refused(SETTINGS["gate on, list of models"]).items():
        if refusals != managed[name]:
            lines += [f"# Refused with the list of models: {name}", *refusals, ""]
    for name, refusals in _refused(SETTINGS["gate on, companion"]).items():
        if refusals != managed[name]:
            lines += [f"# Refused in companion mode: {name}", *refusals, ""]
    return "\n".join(lines)


def _refused(values: dict[str, Any]) -> dict[str, list[str]]:
    policies = [manifest for manifest in render(values) if manifest["kind"] == "ValidatingAdmissionPolicy"]
    refused = {policy["metadata"]["name"]: list(_refusals(policy["spec"])) for policy in policies}
    assert len(refused) == len(policies), "two policies have the same name"
    return refused


def _rights(manifests: list[dict[str, Any]]) -> list[str]:
    return sorted(line for each in manifests if each["kind"] in _ROLES for line in _lines_of_role(each))


def _lines_of_role(role: dict[str, Any]) -> Iterator[str]:
    place = role["metadata"].get("namespace", "the cluster")
    for rule in role["rules"]:
        names = f" named {', '.join(rule['resourceNames'])}" if "resourceNames" in rule else ""
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                title = f"{resource}.{group}" if group else resource
                yield f"{role['metadata']['name']} in {place}: {title}{names}: {' '.join(rule['verbs'])}"


def _refusals(spec: dict[str, Any]) -> Iterator[str]:
    rules = spec["matchConstraints"]["resourceRules"]
    kinds = [f"{resource}.{group}".rstrip(".") for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]]
    users = [condition["expression"] for condition in spec.get("matchConditions", ())]
    operations = sorted({operation for rule in rules for operation in rule["operations"]})
    yield f"who: {' and '.join(users) or 'everyone'}"
    yield f"what: {' '.join(operations)} of {' '.join(kinds)}"
    for variable in spec.get("variables", ()):
        yield f"variables.{variable['name']} = {variable['expression']}"
    for validation in spec["validations"]:
        yield f"unless: {validation['expression']}"
        yield f"  says: {validation.get('message') or validation['messageExpression']}"


if __name__ == "__main__":
    FILE.write_text(reviewed())
