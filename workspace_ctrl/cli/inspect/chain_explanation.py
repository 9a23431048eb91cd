"""Which link of the chain is the first broken one, since when, and what that means. Pure.

The objects say more than the status, and sooner. But some things only the controller knows, and its status has them: what the API server
rejects, what other Workspaces claim, and what requests through the Gateway answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.api.conditions import Condition, ConditionType, Status, find
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.catalog.reasons import Reason, find_reason
from workspace_ctrl.cli.inspect.observed_workspace import ObservedWorkspace
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.model.plan_decisions import CONDITIONS, LinkName
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.gateway import SILENT, WAITING_FOR_GATEWAY
from workspace_ctrl.readiness.workload import inference_condition, referenced_workload, resource_condition, with_wanted_nodes

_TITLES: Final = {
    LinkName.SPEC: "workload",
    LinkName.WORKLOAD: "workload",
    LinkName.GATEWAY: "Gateway",
    LinkName.SOURCE: "chart source",
    LinkName.RELEASE: "chart release",
    LinkName.ENDPOINT_PICKER: "endpoint picker",
    LinkName.POOL: "InferencePool",
    LinkName.ROUTE: "HTTPRoute",
    LinkName.BODY_ROUTER: "body-based router",
    LinkName.ENDPOINTS: "endpoints",
    LinkName.PROBE: "request",
}
_OF_SERVERS: Final = (("nodes", ConditionType.RESOURCE_READY), ("model server", ConditionType.INFERENCE_READY))
_NO_ROUTE: Final = frozenset({"HTTPRouteNotCreated", "HTTPRouteNotFound"})
_OF_REQUESTS: Final = frozenset({"ProbeFailed", "ModelNameUnknown", "NotVerified", "ProbePending", "BodyRouterNotReady"})
"""Reasons of GatewayReady that rest on what only the controller knows."""


@dataclass(frozen=True, slots=True)
class ExplainedLink:
    """One line of the chain."""

    title: str
    status: Status
    reason: str
    message: str
    """The words of the object, with its kind and name."""
    since: str = ""
    """Since when, as a timestamp of Kubernetes; empty where it is not known."""
    is_first_broken: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is met."""
        return self.status is Status.TRUE


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole chain."""

    links: tuple[ExplainedLink, ...]
    notes: tuple[str, ...] = ()

    @property
    def broken(self) -> ExplainedLink | None:
        """The first broken link; None if all hold."""
        return next((link for link in self.links if link.is_first_broken), None)

    @property
    def reason(self) -> Reason | None:
        """What is known of the reason of the first broken link."""
        return find_reason(self.broken.reason) if self.broken is not None else None


def explanation(observed: ObservedWorkspace) -> Explanation:
    """Return the chain of a Workspace, with the first broken link marked: that whose reason Ready has, or would have."""
    status = _current(observed.item)
    links = _told(observed, status)
    report = replace(observed.report, links=links)
    server = tuple(_server(observed, links[0], status))
    lines = [_line(link, status) for link in links]
    decisive = _cause(report.decisive, links)
    # Nodes without any pod only wait for the model server.
    broken = next((line for line in (lines[0], *server) if line.status is Status.FALSE), None)
    broken = broken or (lines[0] if not lines[0].holds else None)
    if broken is None and decisive is not None:
        broken = next(line for line, link in zip(lines, links, strict=True) if link is decisive)
    chain = (lines[0], *server, *lines[1:])
    marked = tuple(replace(line, is_first_broken=line is broken) for line in chain)
    return Explanation(marked, tuple(_notes(observed, marked, status)))


def _cause(decisive: Link | None, links: Sequence[Link]) -> Link | None:
    """Return the link because of which `decisive` does not hold: no controller reports status for a pool to which no route leads."""
    if decisive is None or decisive.name is not LinkName.POOL or decisive.reason not in {WAITING_FOR_GATEWAY, SILENT}:
        return decisive
    missing = (link for link in links if link.name is LinkName.ROUTE and not link.holds and link.reason in _NO_ROUTE)
    return next(missing, decisive)


def _current(item: Json) -> WorkspaceStatus:
    """Return the status, if it is for the newest spec."""
    status = parse_status(item.get("status"))
    return status if (status.observed_generation or 0) >= item["metadata"].get("generation", 0) else WorkspaceStatus()


def _told(observed: ObservedWorkspace, status: WorkspaceStatus) -> tuple[Link, ...]:
    """Return the links of the objects, with what only the status says in place of those that are still waiting."""
    if _is_blind(observed, status):
        links = list(_by_status(observed.report.links, status))
    else:
        links = [_of_status(link, observed, status) for link in observed.report.links]
    ready = find(status.conditions, ConditionType.GATEWAY_READY)
    if observed.decisions.gateway_wanted:
        links.append(_request(ready, status, is_whole=all(link.holds for link in links)))
    return tuple(links)


def _is_blind(observed: ObservedWorkspace, status: WorkspaceStatus) -> bool:
    """Whether objects may not be listed, so that the status knows more."""
    return bool(observed.unreadable and status.conditions)


def _by_status(links: Sequence[Link], status: WorkspaceStatus) -> Iterator[Link]:
    """Yield a link for each condition of the status, because objects that may not be listed would seem to be missing."""
    told: set[ConditionType] = set()
    for link in links:
        type_ = CONDITIONS[link.name]
        said = find(status.conditions, type_)
        if said is not None and type_ not in told:
            yield Link(link.name, Status(said.status), said.reason, said.message)
        told.add(type_)


def _of_status(link: Link, observed: ObservedWorkspace, status: WorkspaceStatus) -> Link:
    type_ = CONDITIONS[link.name]
    said = find(status.conditions, type_)
    if said is None or said.status != Status.FALSE or link.status is Status.FALSE:
        return link
    members = [other for other in observed.report.links if CONDITIONS[other.name] is type_]
    first = next((other for other in members if not other.holds), None)
    is_rejected = type_ is ConditionType.WORKLOAD_ACCEPTED  # the API server was not asked here
    if first is link or is_rejected:
        return Link.broken(link.name, said.reason, said.message)
    return link


def _request(ready: Condition | None, status: WorkspaceStatus, *, is_whole: bool) -> Link:
    """Return the last link, of which only a running controller knows."""
    probe = status.gateway.last_probe if status.gateway is not None else None
    if ready is not None and ready.is_true and not is_whole:
        return Link.waiting(LinkName.PROBE, "ProbePending", "answered before this; tried again once all other links hold")
    if ready is not None and ready.is_true:
        return Link.true(LinkName.PROBE, "ProbeAnswered", (probe.message if probe is not None else "") or ready.message)
    if ready is not None and ready.reason in _OF_REQUESTS:
        return Link(LinkName.PROBE, Status(ready.status), ready.reason, ready.message)
    return Link.waiting(LinkName.PROBE, "ProbePending", "only a running controller sends requests, once all other links hold")


def _server(observed: ObservedWorkspace, accepted: Link, status: WorkspaceStatus) -> Iterator[ExplainedLink]:
    """Yield the lines of nodes and model server, which GatewayReady has only by the endpoints."""
    if _is_blind(observed, status):
        said = ((title, find(status.conditions, type_)) for title, type_ in _OF_SERVERS)
        yield from (_of_condition(title, condition, status) for title, condition in said if condition is not None)
        return
    snapshot, decisions = observed.snapshot, observed.decisions
    reference = decisions.reference
    own = snapshot.workload(decisions.workload_kind)
    workload = own if reference is None else referenced_workload(decisions.workload_kind, snapshot.reference)
    name = decisions.names.workload if decisions.names is not None else ""
    expected = "" if reference is not None else f"{decisions.workload_kind or 'workload'} {name}"
    pods = with_wanted_nodes(snapshot.pods, decisions.node_labels)
    inference = inference_condition(accepted, workload, pods, expected)
    if accepted.holds:
        nodes = resource_condition(pods)
        if not nodes.is_true and not inference.is_true and inference.reason != nodes.reason and not pods:
            nodes = replace(nodes, status=Status.UNKNOWN)
        yield _of_condition("nodes", nodes, status)
        yield _of_condition("model server", inference, status)


def _of_condition(title: str, condition: Condition, status: WorkspaceStatus) -> ExplainedLink:
    since = _since(ConditionType(condition.type), condition.status, condition.reason, status)
    return ExplainedLink(title, Status(condition.status), condition.reason, condition.message, since)


def _line(link: Link, status: WorkspaceStatus) -> ExplainedLink:
    since = _since(CONDITIONS[link.name], link.status, link.reason, status)
    return ExplainedLink(_TITLES[link.name], link.status, link.reason, link.message, since)


def _since(type_: ConditionType, value: str, reason: str, status: WorkspaceStatus) -> str:
    """Return since when the condition has that value; empty if the status says something else."""
    said = find(status.conditions, type_)
    is_same = said is not None and said.status == value and (value == Status.TRUE or said.reason == reason)
    return said.last_transition_time if said is not None and is_same else ""


def _notes(observed: ObservedWorkspace, links: Sequence[ExplainedLink], status: WorkspaceStatus) -> Iterator[str]:
    """Yield what the reader has to know of how this was found out."""
    item = observed.item
    if observed.unreadable:
        yield f"you may not list {', '.join(observed.unreadable)}; so the links are those of the status"
    if not parse_status(item.get("status")).conditions:
        yield "no controller has written a status: is it running, and does its scope include this Workspace?"
    elif not status.conditions:
        yield "the status is for an older generation: is the controller running?"
    warning = find(status.conditions, ConditionType.WARNING)
    if warning is not None and warning.reason == "UpdateWaits":  # what the controller compares is not known here
        yield warning.message
    canary = find(status.conditions, ConditionType.CANARY_PROGRESSING)
    if canary is not None and not canary.is_true:
        known = find_reason(canary.reason)
        yield f"{canary.type}: {canary.reason}: {canary.message}{f'; {known.way_out}' if known is not None else ''}"
    broken = next((link for link in links if link.is_first_broken), None)
    ready = find(status.conditions, ConditionType.READY)
    if ready is not None and broken is not None and ready.is_true:
        yield f"the status says Ready since {ready.last_transition_time}, which these objects contradict: is the controller running?"
