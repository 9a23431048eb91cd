"""The links at the gateway: the Gateway itself, the pool with its endpoint picker, the route, and pods that can answer.

Only the words of the class's own controller count, for the very Gateway that was chosen and for the current generation: an entry that an
earlier Gateway or another controller left behind says nothing (docs/concepts/readiness.md).
"""

from workspace_ctrl.api.conditions import Status
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


def endpoint_picker_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the endpoint picker runs.

    Neither the HelmRelease nor any status of gateway, route or pool shows a dead endpoint picker, so its Deployment is watched.
    """
    name = LinkName.ENDPOINT_PICKER
    picker = snapshot.endpoint_picker
    if picker is None:
        expected = f"Deployment {decisions.names.endpoint_picker}" if decisions.names else "its Deployment"
        return _missing(name, snapshot, "EndpointPickerNotFound", expected)
    if picker.has_leader:
        return Link.true(name, "EndpointPickerRunning", f"{picker.ref} has {picker.ready_replicas} replicas ready")
    if picker.replicas == 0:
        return Link.broken(name, "EndpointPickerScaledToZero", f"{picker.ref} is scaled to 0, so nothing picks endpoints")
    for type_, bad in (("ReplicaFailure", Status.TRUE), ("Progressing", Status.FALSE)):
        condition = picker.condition(type_)
        if condition is not None and condition.status == bad:
            return Link.broken(name, condition.reason, f"{picker.ref}: {condition.message}")
    counts = f"{picker.ready_replicas} of {picker.replicas} replicas ready"
    return Link.waiting(name, "EndpointPickerStarting", f"{picker.ref}: {counts}")


def pool_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the InferencePool is there, and the Gateway's controller has accepted it."""
    problem = decisions.problem(LinkName.POOL)
    if problem is not None:
        return Link.of_problem(problem)
    pool = snapshot.pool
    if pool is None or pool.meta.deleting:
        expected = f"InferencePool {decisions.names.release}" if decisions.names else "the InferencePool"
        return _missing(LinkName.POOL, snapshot, "InferencePoolNotFound", expected)
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


def _missing(name: LinkName, snapshot: Snapshot, reason: str, expected: str) -> Link:
    """Return the link of a chart object that is not there: being installed, or deleted after it was."""
    release, source = snapshot.release, snapshot.source
    if release is not None and source is not None and release.has_installed(source.digest):
        return Link.broken(name, reason, f"{expected} is not there, although {release.ref} says that it is installed")
    return Link.waiting(name, reason, f"{expected} is not there yet")


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
