"""The links at the gateway: the Gateway itself, the pool, the route, and pods that can answer.

Only the words of the class's own controller count, for the very Gateway that was chosen and for the current generation: an entry that an
earlier Gateway or another controller left behind says nothing (docs/concepts/readiness.md).
"""

from collections.abc import Sequence
from typing import Final

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.readiness.endpoint_picker import missing
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.decisions import Decisions, LinkName, Parent, Problem
from workspace_ctrl.records.gateways import HTTPRoute, InferencePool
from workspace_ctrl.records.snapshot import Snapshot

REFS_UNRESOLVED: Final = "HTTPRouteRefsUnresolved"
"""Reason of a route whose backend, the pool, is not found or not understood."""


def gateway_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether there are Gateways to attach to, and the data plane of each is programmed and runs.

    Istio says Programmed before its proxy runs, and goes on saying so when the proxy is gone; so where the Gateway's controller has made a
    Deployment for it, one of its replicas must be ready.
    """
    problem = decisions.problem(LinkName.GATEWAY)
    if problem is not None:
        return Link.of_problem(problem)
    if not decisions.parents:
        words = f"waits for {decisions.named_route}" if decisions.named_route else "waits for the workload to be accepted"
        return Link.waiting(LinkName.GATEWAY, "GatewayNotChosen", words)
    links = [_programmed(parent, snapshot) for parent in decisions.parents]
    return _first_not_holding(links) or _all_hold(LinkName.GATEWAY, links)


def _programmed(parent: Parent, snapshot: Snapshot) -> Link:
    gateway = parent.gateway
    if not parent.writes_status:
        return Link.true(LinkName.GATEWAY, "GatewayFound", f"{gateway.ref} is there; {parent.class_title} does not say more")
    programmed = gateway.condition("Programmed")
    if programmed is None or not programmed.is_true or not programmed.speaks_of(gateway.meta.generation):
        return Link.of_condition(LinkName.GATEWAY, gateway.ref, programmed, "GatewayNotProgrammed")
    for listener in parent.listeners:
        # The Gateway as a whole stays programmed when one listener has lost its certificate.
        refusal = listener.refusal(gateway.meta.generation)
        if refusal is not None:
            words = f"listener {listener.name} of {gateway.ref}: {refusal.message}"
            return Link.broken(LinkName.GATEWAY, refusal.reason or "ListenerNotProgrammed", words)
    proxies = [proxy.workload for proxy in snapshot.gateway_proxies if proxy.serves(gateway.ref)]
    if proxies and not any(proxy.ready_replicas for proxy in proxies):
        return Link.broken(LinkName.GATEWAY, "GatewayProxyNotReady", f"{proxies[0].ref} of {gateway.ref} has no ready replica")
    return Link.true(LinkName.GATEWAY, "GatewayProgrammed", f"{gateway.ref} of class {gateway.class_name} is programmed")


def pool_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the InferencePool is there, and the controller of each Gateway has accepted it."""
    problem = decisions.problem(LinkName.POOL)
    if problem is not None:
        return Link.of_problem(problem)
    pool = pool_of(decisions, snapshot)
    if pool is None or pool.meta.deleting:
        expected = f"InferencePool {decisions.names.release}" if decisions.names else "the InferencePool"
        return missing(LinkName.POOL, snapshot, "InferencePoolNotFound", str(decisions.named_pool or expected))
    kind = next((parent.companion for parent in decisions.parents if parent.companion), "")
    if kind and snapshot.companion is None:
        return Link.waiting(LinkName.POOL, f"{kind}NotCreated", f"the {kind} that the Gateway's class needs is not there yet")
    return _attachments(LinkName.POOL, pool, decisions)


def route_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether the HTTPRoute is there, and the controller of each Gateway has accepted it."""
    problem = decisions.problem(LinkName.ROUTE)
    if problem is not None:
        return Link.of_problem(problem)
    route = route_of(decisions, snapshot)
    if route is None or route.meta.deleting:
        return Link.waiting(LinkName.ROUTE, "HTTPRouteNotCreated", "the HTTPRoute waits for the InferencePool")
    return _attachments(LinkName.ROUTE, route, decisions)


def route_of(decisions: Decisions, snapshot: Snapshot) -> HTTPRoute | None:
    """Return the route that leads to the pool: somebody else's where one is named, else ours."""
    return snapshot.named_route if decisions.named_route is not None else snapshot.route


def pool_of(decisions: Decisions, snapshot: Snapshot) -> InferencePool | None:
    """Return the pool of the pods: somebody else's where one is named, else the chart's."""
    return snapshot.named_pool if decisions.named_pool is not None else snapshot.pool


def endpoints_link(decisions: Decisions, snapshot: Snapshot) -> Link:
    """Return whether at least one ready pod answers for the pool, by the selector that the pool really has."""
    pool = pool_of(decisions, snapshot)
    if pool is None:
        return Link.waiting(LinkName.ENDPOINTS, "InferencePoolNotFound", "the pool that selects the pods is not there yet")
    matching = [pod for pod in snapshot.pods if pod.matches(pool.selector)]
    ready = [pod for pod in matching if pod.ready]
    if ready:
        return Link.true(LinkName.ENDPOINTS, "EndpointsReady", f"{len(ready)} of {len(matching)} pods of {pool.ref} are ready")
    return Link.broken(LinkName.ENDPOINTS, "NoReadyEndpoints", f"none of {len(matching)} pods of {pool.ref} is ready")


def _attachments(name: LinkName, attached: HTTPRoute | InferencePool, decisions: Decisions) -> Link:
    if not decisions.parents:
        return Link.waiting(name, "WaitingForGateway", f"{attached.ref} waits for a Gateway")
    links = [_attachment(name, attached, parent) for parent in decisions.parents]
    notes = [parent.note for parent in decisions.parents if parent.note and name is LinkName.ROUTE]
    return _first_not_holding(links) or _all_hold(name, links, notes)


def _attachment(name: LinkName, attached: HTTPRoute | InferencePool, parent: Parent) -> Link:
    """Return what the controller of one Gateway says; where it does not accept, with what can be done about it.

    A pool's entries name Gateways only, a route's also the listener.
    """
    kind, gateway = attached.ref.kind, parent.gateway.ref
    section = parent.section if name is LinkName.ROUTE else None
    obstacle = parent.obstacle if name is LinkName.ROUTE else None
    if not parent.writes_status:
        return _blocked(obstacle) or Link.true(
            name, f"{kind}Found", f"{attached.ref} is there; {parent.class_title} does not say more"
        )
    entry = attached.parent_status(gateway, parent.controller, section)
    if entry is None:
        return _blocked(obstacle) or _unheard(name, f"{parent.controller} has said nothing of {attached.ref} yet")
    for type_, reason in (("Accepted", f"{kind}NotAccepted"), ("ResolvedRefs", f"{kind}RefsUnresolved")):
        condition = entry.condition(type_)
        if condition is None or not condition.speaks_of(attached.meta.generation):
            return _blocked(obstacle) or _unheard(name, f"{attached.ref}: {type_} does not speak of the newest spec yet")
        if condition.status != Status.TRUE:
            words = f"{attached.ref}: {condition.reason}: {condition.message}"
            return _blocked(obstacle if type_ == "Accepted" else None) or Link.broken(name, reason, words)
    return Link.true(name, f"{kind}Accepted", f"{attached.ref} is accepted by {gateway}")


def _blocked(obstacle: Problem | None) -> Link | None:
    return Link.of_problem(obstacle) if obstacle is not None else None


def _unheard(name: LinkName, words: str) -> Link:
    return Link.waiting(name, "WaitingForGateway", words)


def _first_not_holding(links: Sequence[Link]) -> Link | None:
    """Return the first link that is broken, else the first that is still being made, else None."""
    broken = (link for link in links if link.status is Status.FALSE)
    return next(broken, None) or next((link for link in links if not link.holds), None)


def _all_hold(name: LinkName, links: Sequence[Link], notes: Sequence[str] = ()) -> Link:
    return Link.true(name, links[0].reason, "; ".join(dict.fromkeys((*(link.message for link in links), *notes))))
