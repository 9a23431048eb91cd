"""The links at the gateway: the Gateway itself, the pool, the route, and pods that can answer.

Only the words of the class's own controller count, for the very Gateway that was chosen and for the current generation: an entry that an
earlier Gateway or another controller left behind says nothing (docs/concepts/readiness.md).
"""

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.readiness.endpoint_picker import missing
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName, Parent
from workspace_ctrl.records.gateways import Attached
from workspace_ctrl.records.snapshot import Snapshot


def gateway_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether there is one Gateway to attach to, and its data plane is programmed and runs.

    Istio says Programmed before its proxy runs, and goes on saying so when the proxy is gone; so where the Gateway's controller has made a
    Deployment for it, one of its replicas must be ready.
    """
    problem = decisions.problem(LinkName.GATEWAY)
    if problem is not None:
        return Link.of_problem(problem)
    if decisions.parent is None:
        return Link.waiting(LinkName.GATEWAY, "GatewayNotChosen", "waits for the workload to be accepted")
    gateway = decisions.parent.gateway
    programmed = gateway.condition("Programmed")
    if programmed is not None and programmed.is_true and programmed.speaks_of(gateway.meta.generation):
        proxies = [proxy.workload for proxy in snapshot.gateway_proxies if proxy.serves(gateway.ref)]
        if proxies and not any(proxy.ready_replicas for proxy in proxies):
            return Link.broken(LinkName.GATEWAY, "GatewayProxyNotReady", f"{proxies[0].ref} of {gateway.ref} has no ready replica")
        return Link.true(LinkName.GATEWAY, "GatewayProgrammed", f"{gateway.ref} of class {gateway.class_name} is programmed")
    return Link.of_condition(LinkName.GATEWAY, gateway.ref, programmed, "GatewayNotProgrammed")


def pool_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the InferencePool is there, and the Gateway's controller has accepted it."""
    problem = decisions.problem(LinkName.POOL)
    if problem is not None:
        return Link.of_problem(problem)
    pool = snapshot.pool
    if pool is None or pool.meta.deleting:
        expected = f"InferencePool {decisions.names.release}" if decisions.names else "the InferencePool"
        return missing(LinkName.POOL, snapshot, "InferencePoolNotFound", expected)
    return _attachment(LinkName.POOL, pool, decisions.parent, "InferencePool")


def route_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the HTTPRoute is there, and the Gateway's controller has accepted it."""
    problem = decisions.problem(LinkName.ROUTE)
    if problem is not None:
        return Link.of_problem(problem)
    route = snapshot.route
    if route is None or route.meta.deleting:
        return Link.waiting(LinkName.ROUTE, "HTTPRouteNotCreated", "the HTTPRoute waits for the InferencePool")
    return _attachment(LinkName.ROUTE, route, decisions.parent, "HTTPRoute")


def endpoints_link(snapshot: Snapshot) -> Link:
    """Return whether at least one ready pod answers for the pool, by the selector that the pool really has."""
    pool = snapshot.pool
    if pool is None:
        return Link.waiting(LinkName.ENDPOINTS, "InferencePoolNotFound", "the pool that selects the pods is not there yet")
    matching = [pod for pod in snapshot.pods if pod.matches(pool.selector)]
    ready = [pod for pod in matching if pod.ready]
    if ready:
        return Link.true(LinkName.ENDPOINTS, "EndpointsReady", f"{len(ready)} of {len(matching)} pods of {pool.ref} are ready")
    return Link.broken(LinkName.ENDPOINTS, "NoReadyEndpoints", f"none of {len(matching)} pods of {pool.ref} is ready")


def _attachment(name: LinkName, attached: Attached, parent: Parent | None, kind: str) -> Link:
    if parent is None:
        return Link.waiting(name, "WaitingForGateway", f"{attached.ref} waits for a Gateway")
    entry = attached.parent_status(parent.gateway.ref, parent.controller)
    if entry is None:
        return Link.waiting(name, "WaitingForGateway", f"{parent.controller} has said nothing of {attached.ref} yet")
    for type_, reason in (("Accepted", f"{kind}NotAccepted"), ("ResolvedRefs", f"{kind}RefsUnresolved")):
        condition = entry.condition(type_)
        if condition is None or not condition.speaks_of(attached.meta.generation):
            return Link.waiting(name, "WaitingForGateway", f"{attached.ref}: {type_} does not speak of the newest spec yet")
        if condition.status != Status.TRUE:
            return Link.broken(name, reason, f"{attached.ref}: {condition.reason}: {condition.message}")
    return Link.true(name, f"{kind}Accepted", f"{attached.ref} is accepted by {parent.gateway.ref}")
