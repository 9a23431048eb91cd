"""Controllers as a ServiceAccount with fewer rights than they could use."""

from collections.abc import Sequence
from typing import Any

ACCOUNT = "restricted"


def role(kind: str, name: str, rules: Sequence[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
    """Return a Role or ClusterRole, and the binding that gives it to the ServiceAccount of `namespace`."""
    group = "rbac.authorization.k8s.io"
    head = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    return [
        {**head, "kind": kind, "rules": [*rules]},
        {**head, "kind": f"{kind}Binding", "roleRef": {"apiGroup": group, "kind": kind, "name": name}, "subjects": [subject]},
    ]
