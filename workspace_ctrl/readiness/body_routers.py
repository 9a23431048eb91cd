"""Whether requests are routed to a model by the model name in their body, if the installation manages body-based routers.

This has its own condition and is no part of GatewayReady: path and header work without it. The one exception is a router that does not
run although its Gateway sends all requests through it.
"""

from collections.abc import Mapping, Sequence

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.body_router import BodyRouter, BodyRouterState
from workspace_ctrl.model.plan_decisions import LinkName, Parent, Problem, first_problem
from workspace_ctrl.model.probe_results import ProbeResult
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.chart import Installation, release_link, source_link
from workspace_ctrl.records.flux import StageAges

_NOT_READY = "BodyRouterNotReady"


def router_state(
    gateway: str, router: BodyRouter, problems: Sequence[Problem], ages: StageAges, *, connected: bool
) -> BodyRouterState:
    """Return the state of the router of `gateway`, with the messages of its Flux objects where they have one."""
    blocks = connected and not router.runs
    for link in _chart_links(router, problems, ages):
        if not link.holds and not blocks:
            return BodyRouterState(link.status, link.reason, f"body-based router of Gateway {gateway}: {link.message}")
    of_gateway = f"(body-based router of Gateway {gateway})"
    if not router.runs:
        named = router.workload.ref if router.workload is not None else "the Deployment"
        effect = "; all requests of the Gateway go through it and fail" if blocks else ""
        text = f"{named} {of_gateway} has no ready replica{effect}"
        return BodyRouterState(Status.FALSE if blocks else Status.UNKNOWN, _NOT_READY, text, blocks)
    if not connected:
        text = f"body-based router of Gateway {gateway} runs; waiting until it is attached to the Gateway"
        return BodyRouterState(Status.UNKNOWN, "BodyRouterConnecting", text)
    text = f"Gateway {gateway} routes requests by the model name in their body"
    return BodyRouterState(Status.TRUE, "BodyRouterReady", text)


def body_routing_link(parents: Sequence[Parent], routers: Mapping[str, BodyRouterState], probe: ProbeResult | None) -> Link:
    """Return whether the model name in the body is enough to reach the model through each of `parents`, of which there is at least one."""
    links = [_of(parent, routers, probe) for parent in parents]
    broken = (link for link in links if link.status is Status.FALSE)
    return next(broken, None) or next((link for link in links if not link.holds), links[0])


def blocking_link(parents: Sequence[Parent], routers: Mapping[str, BodyRouterState] | None) -> Link | None:
    """Return the link of a router because of which a Gateway of the Workspace answers no request; None if there is none."""
    for parent in parents:
        state = (routers or {}).get(parent.gateway.key)
        if state is not None and state.blocks:
            return _link(state)
    return None


def _chart_links(router: BodyRouter, problems: Sequence[Problem], ages: StageAges) -> tuple[Link, ...]:
    in_source, in_release = first_problem(problems, LinkName.SOURCE), first_problem(problems, LinkName.RELEASE)
    return (
        Link.of_problem(in_source) if in_source is not None else source_link(router.source, ages.source),
        Link.of_problem(in_release)
        if in_release is not None
        else release_link(Installation(router.source, router.release, ages.release)),
    )


def _of(parent: Parent, routers: Mapping[str, BodyRouterState], probe: ProbeResult | None) -> Link:
    gateway = parent.gateway
    if parent.body_router_remedy:
        if probe is not None and probe.by_body:
            text = f"{gateway.ref} routes requests by their body, with a router that workspace-ctrl does not manage"
            return Link.true(LinkName.BODY_ROUTER, "BodyRouterFound", text)
        text = f"body-based routers cannot be installed for {parent.class_title} ({gateway.ref}); {parent.body_router_remedy}"
        return Link.broken(LinkName.BODY_ROUTER, "BodyRouterNotSupported", text)
    state = routers.get(gateway.key)
    if state is None:
        text = f"body-based router of {gateway.ref} has not been created yet"
        return Link.waiting(LinkName.BODY_ROUTER, "BodyRouterNotRequested", text)
    return _link(state)


def _link(state: BodyRouterState) -> Link:
    return Link(LinkName.BODY_ROUTER, state.status, state.reason, state.message)
