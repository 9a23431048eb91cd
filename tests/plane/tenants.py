"""Users with rights in one namespace, and nothing else."""

import json
import secrets
from collections.abc import Iterable
from typing import Any

from e2e.cluster import Cluster
from e2e.waiting import until

WORKSPACES = {
    "apiGroups": ["kaito.sh"],
    "resources": ["workspaces", "inferencesets"],
    "verbs": ["get", "list", "create", "update", "patch", "delete"],
}


def rule(verb: str, resource: str) -> dict[str, Any]:
    """Return the rule that gives one right; `resource` is its name, with the API group behind a dot unless it is the core's."""
    plural, _, group = resource.partition(".")
    return {"apiGroups": [group], "resources": [plural], "verbs": [verb]}


class Tenant:
    """A user who may write Workspaces and InferenceSets of a namespace, and what further rules allow there."""

    def __init__(self, cluster: Cluster, namespace: str, *rules: dict[str, Any]) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.user = f"tenant-{secrets.token_hex(3)}"
        group = "rbac.authorization.k8s.io"
        head = {"apiVersion": f"{group}/v1", "metadata": {"name": self.user}}
        role = {**head, "kind": "Role", "rules": [WORKSPACES, *rules]}
        subjects = [{"kind": "User", "apiGroup": group, "name": self.user}]
        binding = {
            **head,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": group, "kind": "Role", "name": self.user},
            "subjects": subjects,
        }
        cluster.kubectl("apply", "-n", namespace, "-f", "-", input="\n---\n".join(map(json.dumps, (role, binding))))
        until(self._has_rights, f"the rights of {self.user}")

    def _has_rights(self) -> bool:
        """Say whether the API server knows role and binding by now; it learns of them as every watcher does."""
        asked = {"namespace": self.namespace, "verb": "get", "group": "kaito.sh", "resource": "workspaces"}
        spec = {"user": self.user, "resourceAttributes": asked}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        create = ("create", "-f", "-", "-o", "jsonpath={.status.allowed}")
        return self.cluster.kubectl(*create, input=json.dumps(review)) == "true"

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Return the answer on one line, with `ok` in front if it was accepted."""
        result = self.cluster.kubectl_result(f"--as={self.user}", "-n", self.namespace, *arguments, input=text)
        return " ".join(f"{'' if result.returncode else 'ok '}{result.stdout}{result.stderr}".split())

    def create(self, documents: Iterable[dict[str, Any]], *arguments: str) -> str:
        """Create objects."""
        return self.kubectl("create", "-f", "-", *arguments, text="\n---\n".join(map(json.dumps, documents)))

    def apply(self, document: dict[str, Any]) -> str:
        """Apply an object."""
        return self.kubectl("apply", "-f", "-", text=json.dumps(document))

    def patch(self, name: str, change: dict[str, Any], *arguments: str, kind: str = "workspace") -> str:
        """Change a Workspace, or an object of another kind."""
        return self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(change), *arguments)
