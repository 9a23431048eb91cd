"""Whether requests are led to a model by their body, where the installation looks after that.

It is told by a condition of its own and does not decide on GatewayReady: by path and by header the model is reached without it. The one
exception is a router that does not run although its Gateway leads all requests to it.
"""

from collections.abc import Sequence

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.readiness.chart import release_link, source_link
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.records.body_routers import BodyRouter, BodyRouterState
from workspace_ctrl.records.decisions import Decisions, LinkName, Parent, Problem
from workspace_ctrl.records.flux import StageAges
from workspace_ctrl.records.snapshot import Snapshot

_NOT_READY = "BodyRouterNotReady"


def router_state(
    gateway: str, router: BodyRouter, problems: Sequence[Problem], ages: StageAges, *, connected: bool
) -> BodyRouterState:
    """Return how it stands with the router of `gateway`, in the words of Flux as far as its objects tell."""
    there = Snapshot(source=router.source, release=router.release, ages=ages)
    decisions = Decisions(problems=tuple(problems))
    blocks = connected and not router.runs
    for link in (source_link(decisions, there), release_link(decisions, there)):
        if not link.holds and not blocks:
            return BodyRouterState(link.status, link.reason, f"the body-based router of Gateway {gateway}: {link.message}")
    of_gateway = f"of the body-based router of Gateway {gateway}"
    if not router.runs:
        named = router.workload.ref if router.workload is not None else "the Deployment"
        effect = ", to which the Gateway leads all its requests" if blocks else ""
        text = f"{named} {of_gateway} has no ready replica{effect}"
        return BodyRouterState(Status.FALSE if blocks else Status.UNKNOWN, _NOT_READY, text, blocks)
    if not connected:
        text = f"the body-based router of Gateway {gateway} runs and is being connected with it"
        return BodyRouterState(Status.UNKNOWN, "BodyRouterConnecting", text)
    text = f"requests of Gateway {gateway} with the model's name in their body are led to the model"
    return BodyRouterState(Status.TRUE, "BodyRouterReady", text)


def body_routing_link(decisions: Decisions, snapshot: Snapshot) -> Link | None:
    """Return whether the model is reached by the body of requests alone; None where that is not asked for, or not ours."""
    if snapshot.body_routers is None or not decisions.wants_header or not decisions.parents:
        return None
    links = [_of(parent, snapshot) for parent in decisions.parents]
    broken = (link for link in links if link.status is Status.FALSE)
    return next(broken, None) or next((link for link in links if not link.holds), links[0])


def blocking_link(decisions: Decisions, snapshot: Snapshot) -> Link | None:
    """Return the router that keeps a Gateway of the Workspace from answering anything; None where none does."""
    for parent in decisions.parents if snapshot.body_routers else ():
        state = (snapshot.body_routers or {}).get(parent.gateway.key)
        if state is not None and state.blocks:
            return _link(state)
    return None


def _of(parent: Parent, snapshot: Snapshot) -> Link:
    gateway = parent.gateway
    if parent.body_router_remedy:
        if snapshot.probe is not None and snapshot.probe.by_body:
            text = f"requests of {gateway.ref} are led by their body; what does that is not looked after here"
            return Link.true(LinkName.BODY_ROUTER, "BodyRouterFound", text)
        text = f"none is installed for {parent.class_title}, the class of {gateway.ref}: {parent.body_router_remedy}"
        return Link.broken(LinkName.BODY_ROUTER, "BodyRouterNotSupported", text)
    state = (snapshot.body_routers or {}).get(gateway.key)
    if state is None:
        text = f"the body-based router of {gateway.ref} is not there yet"
        return Link.waiting(LinkName.BODY_ROUTER, "BodyRouterNotRequested", text)
    return _link(state)


def _link(state: BodyRouterState) -> Link:
    return Link(LinkName.BODY_ROUTER, state.status, state.reason, state.message)
