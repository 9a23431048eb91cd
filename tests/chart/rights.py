"""Rights as (verb, API group, resource): those that the chart gives, and those that calls in an audit log took."""

import functools
from collections.abc import Iterable
from typing import Any

from e2e.cluster import Cluster
from tests.chart.helm import GATE, find, render

Right = tuple[str, str, str]

AGENT = "workspace-ctrl"
"""User agent of the controller, which tells its calls from those of others in its name."""
CREATED = 201
FORBIDDEN = 403
EVERYTHING: dict[str, Any] = {
    **GATE,
    "rbac": {"kthena": True, "workloadKinds": [{"apiGroup": "serving.example.com", "resource": "modelservings"}]},
    "probe": {"secret": {"namespace": "any", "name": "any"}},
    "metrics": {"secure": {"enabled": True}},
    "autoscaling": {"enabled": True, "prometheus": {"url": "http://prometheus.example:9090"}},
}
"""Values by which the chart gives all rights that it can give; a kind of the tests' own among them."""


def granted(values: dict[str, Any]) -> set[Right]:
    """Return the rules of the rendered chart, one by one."""
    manifests = render(values)
    roles = [find(manifests, "ClusterRole", "workspace-ctrl"), find(manifests, "Role", "-leases")]
    roles += [find(manifests, "Role", "-probe")] if "probe" in values else []
    return {
        (verb, group, resource)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(events: Iterable[dict[str, Any]]) -> set[Right]:
    """Return the rights that calls on objects took.

    An apply takes `patch`, and `create` where there was nothing. A watch that begins with the list takes the place of `list`, which
    API servers before 1.32 are asked for.
    """
    found: set[Right] = set()
    for event in events:
        reference = event.get("objectRef") or {}
        resource = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
        if not resource:
            continue
        verbs = {event["verb"]}
        if event["verb"] == "patch" and event["responseStatus"]["code"] == CREATED:
            verbs.add("create")
        if "sendInitialEvents=true" in event["requestURI"]:
            verbs.add("list")
        found |= {(verb, reference.get("apiGroup", ""), resource) for verb in verbs}
    return found


@functools.cache
def grantable() -> frozenset[Right]:
    """Return all rights that the chart can give."""
    return frozenset(granted(EVERYTHING))


def missing(events: Iterable[dict[str, Any]]) -> set[Right]:
    """Return the rights that calls lacked and that the chart never gives.

    The others are lacked for a moment by a controller that is upgraded or removed, whose rights go before it does.
    """
    return used(event for event in events if event["responseStatus"]["code"] == FORBIDDEN) - grantable()


def not_granted(cluster: Cluster, user: str) -> set[Right]:
    """Return what controllers that may do everything have done as `user`, and could not do with the rights that the chart gives."""
    ours = (event for event in cluster.audit_events(user) if event.get("userAgent") == AGENT)
    return used(ours) - grantable()
