"""Statuses of Workspaces and InferenceSets that the API server refused: no test may leave one, whatever it looks at itself.

They are read from the audit log.

A status that is refused keeps its old conditions, so users read what is no longer true, and a test that waits for something else passes.
"""

import json
from collections.abc import Collection
from typing import Any

from e2e.cluster import Cluster
from tests.chart.rights import AGENT
from workspace_ctrl.api.labels import PLURAL, SET_PLURAL
from workspace_ctrl.kube.client import NOT_APPLICABLE
from workspace_ctrl.kube.errors import ConflictError, RejectedError, error_of

ON_PURPOSE: set[str] = set()
"""Namespaces of the tests that have statuses refused on purpose."""

_STATUS = '"subresource":"status"'
_PLURALS = {PLURAL, SET_PLURAL}
_FIRST_ERROR = 400


def refused_statuses(cluster: Cluster, since: int = 0, *, on_purpose: Collection[str] = ON_PURPOSE) -> list[str]:
    """Return the statuses that the API server refused to any controller since that place of the audit log, with its words.

    An object that is gone, or another one of its name, refuses nothing; nor does one that has changed meanwhile, to which a JSON patch of
    companion mode does not apply. Calls that RBAC forbids are those of tests with fewer rights;
    whether the chart gives all rights is a test of its own.
    """
    refused = (event for event in cluster.audit_events_with(_STATUS, since) if _is_refused(event))
    found = ((event["objectRef"], event["responseStatus"].get("message")) for event in refused)
    return [f"{ref['namespace']}/{ref['name']}: {message}" for ref, message in found if ref["namespace"] not in on_purpose]


def _is_refused(event: dict[str, Any]) -> bool:
    target, answer = event.get("objectRef", {}), event["responseStatus"]
    if event.get("userAgent") != AGENT or target.get("resource") not in _PLURALS or target.get("subresource") != "status":
        return False
    if answer["code"] < _FIRST_ERROR or event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid":
        return False
    if answer.get("message", "").startswith(NOT_APPLICABLE):
        return False
    error = error_of(answer["code"], json.dumps({**answer, "kind": "Status"}).encode())
    return isinstance(error, RejectedError) and not isinstance(error, ConflictError)
