"""The links at the Gateway: the Gateway itself, the pool, the route, and ready pods.

A status entry counts only if the controller of the GatewayClass wrote it, for the chosen Gateway and the current generation. Entries of
earlier Gateways or other controllers are ignored (docs/concepts/readiness.md).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.api.labels import POD_INDEX_LABEL, POD_LABEL, STATUS_REQUEST_ANNOTATION
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.model.attachment_status import reports_missing_picker, status_from
from workspace_ctrl.model.plan_decisions import LinkName, Parent, Problem
from workspace_ctrl.model.snapshot import SiblingPool
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.chart import Installation, missing_object
from workspace_ctrl.readiness.failure_reasons import SCALED_TO_ZERO, held_reason, scaled_to_zero
from workspace_ctrl.records.gateways import GatewayProxy, HTTPRoute, InferencePool, KthenaModelServer
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import Pod

REFS_UNRESOLVED: Final = "HTTPRouteRefsUnresolved"
"""Reason of a route whose backend, the pool, is not found or not supported."""
_REMEDIES: Final = {"EndpointPickerRefMissing": "; set spec.endpointPickerRef, without which this Gateway does not use a pool"}
"""Reason that a controller reports → what to do."""

WAITING_FOR_GATEWAY: Final = "WaitingForGateway"
"""Reason of a pool or route for which the Gateway's controller has not reported status yet."""
SILENT: Final = "GatewayControllerSilent"
POOL_MISSING: Final = "InferencePoolNotFound"
_POOL_UNRESOLVED: Final = "InferencePoolRefsUnresolved"
POOL_OUTDATED: Final = "InferencePoolStatusOutdated"
"""Reason of a pool whose controller still reports that the endpoint picker's Service does not exist, although it does."""
_OUR_LABELS: Final = frozenset({POD_LABEL, POD_INDEX_LABEL})
_UNKNOWN_KIND: Final = "InvalidKind"
"""Reason of the Gateway API for a backend of a kind that the controller does not know."""


@dataclass(frozen=True, slots=True)
class ObservedPool:
    """The pool, and whether its endpoint picker can be found."""

    record: InferencePool | None
    """None if it does not exist."""
    has_picker: bool = False
    """Whether the Service that it names as its endpoint picker exists; False also if that is not known."""


def gateway_link(parents: Sequence[Parent], proxies: Sequence[GatewayProxy], named_route: ObjectRef | None) -> Link:
    """Return whether the Gateways are chosen, and the data plane of each is programmed and runs.

    Istio sets Programmed before its proxy runs, and leaves it when the proxy is gone. So if the Gateway's controller has created a
    Deployment for the Gateway, one of its replicas must be ready.
    """
    if not parents:
        words = f"waiting for {named_route}" if named_route else "waiting until the workload is accepted"
        return Link.waiting(LinkName.GATEWAY, "GatewayNotChosen", words)
    links = [_programmed(parent, proxies) for parent in parents]
    return _first_not_holding(links) or _all_hold(LinkName.GATEWAY, links)


def _programmed(parent: Parent, proxies: Sequence[GatewayProxy]) -> Link:
    gateway = parent.gateway
    if not parent.writes_status:
        return Link.true(LinkName.GATEWAY, "GatewayFound", f"{gateway.ref} found; {parent.class_title} writes no status")
    programmed = gateway.condition("Programmed")
    if programmed is None or not programmed.is_true or not programmed.speaks_of(gateway.meta.generation):
        return Link.of_condition(LinkName.GATEWAY, gateway.ref, programmed, "GatewayNotProgrammed")
    for listener in parent.listeners:
        # A Gateway stays Programmed when a single listener loses its certificate.
        refusal = listener.refusal(gateway.meta.generation)
        if refusal is not None:
            words = f"listener {listener.name} of {gateway.ref}: {refusal.message}"
            return Link.broken(LinkName.GATEWAY, refusal.reason or "ListenerNotProgrammed", words)
    serving = [proxy.workload for proxy in proxies if proxy.serves(gateway.ref)]
    if serving and not any(proxy.ready_replicas for proxy in serving):
        return Link.broken(LinkName.GATEWAY, "GatewayProxyNotReady", f"{serving[0].ref} of {gateway.ref} has no ready replica")
    return Link.true(LinkName.GATEWAY, "GatewayProgrammed", f"{gateway.ref} of class {gateway.class_name} is programmed")


def pool_link(
    observed: ObservedPool, parents: Sequence[Parent], companion: KthenaModelServer | None, chart: Installation, expected: str
) -> Link:
    """Return whether the InferencePool exists, and the controller of each Gateway has accepted it.

    A status that the controller would not write now, as it has not looked again since, has a reason of its own. `companion` is the object
    that a GatewayClass may need in addition, and `expected` the pool, as kind and name.
    """
    pool = observed.record
    if pool is None or pool.meta.deleting:
        return missing_object(LinkName.POOL, chart, POOL_MISSING, expected)
    kind = next((parent.companion for parent in parents if parent.companion), "")
    if kind and companion is None:
        return Link.waiting(LinkName.POOL, f"{kind}NotCreated", f"{kind}, which the GatewayClass needs, has not been created yet")
    link = attachments(LinkName.POOL, pool, parents)
    is_missed = link.reason == _POOL_UNRESOLVED and any(reports_missing_picker(pool, parent) for parent in parents)
    return _without_picker(link, pool, exists=observed.has_picker) if is_missed else link


def _without_picker(link: Link, pool: InferencePool, *, exists: bool) -> Link:
    """Return the link of a pool whose controller has not found the endpoint picker's Service, with how to have it look again."""
    picker = ObjectRef("Service", pool.ref.namespace, pool.picker_service)
    request = f"{STATUS_REQUEST_ANNOTATION}=$(date +%s)"
    command = f"kubectl annotate inferencepool {pool.ref.name} -n {pool.ref.namespace} --overwrite {request}"
    if exists:
        words = f"but {picker} exists, and the Gateway's controller has not looked again; if this stays, have it do so: {command}"
        return Link.broken(link.name, POOL_OUTDATED, f"{link.message}; {words}")
    return Link.broken(link.name, link.reason, f"{link.message}; once {picker} exists, have it looked for again: {command}")


def route_link(route: HTTPRoute | None, parents: Sequence[Parent]) -> Link:
    """Return whether the HTTPRoute exists, and the controller of each Gateway has accepted it."""
    if route is None or route.meta.deleting:
        return Link.waiting(
            LinkName.ROUTE, "HTTPRouteNotCreated", "HTTPRoute has not been created yet; waiting for the InferencePool"
        )
    return attachments(LinkName.ROUTE, route, parents)


def endpoints_link(
    pool: InferencePool | None,
    pods: Sequence[Pod],
    siblings: Sequence[SiblingPool] = (),
    zero: ObjectRef | None = None,
    held: str = "",
) -> Link:
    """Return whether at least one ready pod matches the selector that the observed pool has.

    `siblings` are the pools that a user's route names in the same rule: Gateways choose among them by weight alone, so that one without
    pods fails its part of the requests (with Istio, all of them). `zero` is the InferenceSet, if it is scaled to 0, and `held` that
    requests wait for its first copy; empty if they do not.
    """
    if held and pool is not None:
        return Link.true(LinkName.ENDPOINTS, held_reason(int(zero is None)), held)
    if zero is not None:
        return Link.broken(LinkName.ENDPOINTS, SCALED_TO_ZERO, scaled_to_zero(zero))
    if pool is None:
        return Link.waiting(LinkName.ENDPOINTS, POOL_MISSING, "InferencePool has not been created yet")
    return _ready_pods(pool, pods, siblings)


def _ready_pods(pool: InferencePool, pods: Sequence[Pod], siblings: Sequence[SiblingPool]) -> Link:
    matching = [pod for pod in pods if not pod.has_ended and pod.matches(pool.selector)]
    ready = [pod for pod in matching if pod.ready]
    empty = next((sibling for sibling in siblings if sibling.is_empty), None)
    if ready and empty is not None:
        words = f"0 pods of {empty.ref} are ready, which is in the same rule of the route; set its weight to 0, or start its pods"
        return Link.broken(LinkName.ENDPOINTS, "NoReadyEndpoints", words)
    if ready:
        return Link.true(LinkName.ENDPOINTS, "EndpointsReady", f"{len(ready)} of {len(matching)} pods of {pool.ref} are ready")
    foreign = {} if matching else _foreign_labels(pool, pods)
    if foreign:
        remove = json.dumps({"spec": {"selector": {"matchLabels": dict.fromkeys(foreign)}}}, separators=(",", ":"))
        command = f"kubectl patch inferencepool {pool.ref.name} -n {pool.ref.namespace} --type=merge -p '{remove}'"
        labels = ", ".join(f"{key}={value}" for key, value in foreign.items())
        words = f"the selector of {pool.ref} requires {labels}, which no pod has; if that was added by hand, remove it: {command}"
        return Link.broken(LinkName.ENDPOINTS, "SelectorMatchesNoPod", printable(words)).ended()
    return Link.broken(LinkName.ENDPOINTS, "NoReadyEndpoints", f"0 of {len(matching)} pods of {pool.ref} are ready")


def _foreign_labels(pool: InferencePool, pods: Sequence[Pod]) -> Mapping[str, str]:
    """Return those labels of a pool's selector because of which it matches none of the Workspace's living pods."""
    living = [pod for pod in pods if not pod.has_ended]
    return {
        key: value
        for key, value in pool.selector.items()
        if living and key not in _OUR_LABELS and all(pod.labels.get(key) != value for pod in living)
    }


def attachments(name: LinkName, attached: HTTPRoute | InferencePool, parents: Sequence[Parent]) -> Link:
    """Return whether the controller of each Gateway has accepted an object, as the link `name`."""
    if not parents:
        return Link.waiting(name, "GatewayNotChosen", f"{attached.ref} is waiting for a Gateway")
    links = [_attachment(name, attached, parent) for parent in parents]
    notes = [note for parent in parents if name is LinkName.ROUTE for note in (parent.note, *_restrictions(parent)) if note]
    return _first_not_holding(links) or _all_hold(name, links, notes)


def _restrictions(parent: Parent) -> Iterator[str]:
    """Yield what is invalid of listeners that serve all the same; whether requests are answered is for the probe to say."""
    gateway = parent.gateway
    for listener in parent.listeners if parent.writes_status else ():
        restriction = listener.restriction(gateway.meta.generation)
        if restriction is not None:
            yield f"listener {listener.name} of {gateway.ref}: {restriction.reason}: {restriction.message}"


def _attachment(name: LinkName, attached: HTTPRoute | InferencePool, parent: Parent) -> Link:
    """Return what the controller of one Gateway reports; if it has not accepted the object, with the way out where that is known."""
    kind, gateway = attached.ref.kind, parent.gateway.ref
    listener_problem = parent.listener_problem if isinstance(attached, HTTPRoute) else None
    if not parent.writes_status:
        return _blocked(listener_problem) or Link.true(
            name, f"{kind}Found", f"{attached.ref} found; {parent.class_title} writes no status"
        )
    entry = status_from(parent, attached)
    if entry is None:
        return _blocked(listener_problem) or _unheard(name, f"{parent.controller} has not reported status for {attached.ref} yet")
    for type_, reason in (("Accepted", f"{kind}NotAccepted"), ("ResolvedRefs", f"{kind}RefsUnresolved")):
        condition = entry.condition(type_)
        if condition is None and type_ == "ResolvedRefs" and not _has_references(attached):
            continue
        if condition is None or not condition.speaks_of(attached.meta.generation):
            return _blocked(listener_problem) or _unheard(name, f"{attached.ref}: {type_} is for an older generation")
        if condition.status != Status.TRUE:
            words = f"{attached.ref}: {condition.reason}: {condition.message}{_REMEDIES.get(condition.reason, '')}"
            if name is LinkName.ROUTE and not parent.takes_timeouts and "timeouts" in condition.message.lower():
                words = f"{words}; remove spec.rules[].timeouts, and set timeoutSec in a {parent.timeout_policy} for the pool"
            if condition.reason == _UNKNOWN_KIND and parent.pool_remedy:
                return Link.broken(name, reason, f"{words}; {parent.class_title}: {parent.pool_remedy}").ended()
            return _blocked(listener_problem if type_ == "Accepted" else None) or Link.broken(name, reason, words)
    return Link.true(name, f"{kind}Accepted", f"{attached.ref} is accepted by {gateway}")


def _has_references(attached: HTTPRoute | InferencePool) -> bool:
    """Whether an object refers to others, so that its controller has to resolve them; a pool need not name an endpoint picker."""
    return not isinstance(attached, InferencePool) or attached.has_picker


def _blocked(listener_problem: Problem | None) -> Link | None:
    return Link.of_problem(listener_problem) if listener_problem is not None else None


def _unheard(name: LinkName, words: str) -> Link:
    return Link.waiting(name, WAITING_FOR_GATEWAY, words)


def silent(link: Link, parents: Sequence[Parent]) -> Link:
    """Return a link that has waited for the status from a Gateway's controller for over a minute as a broken one, with a remedy."""
    advice = dict.fromkeys(f"{parent.class_title}: {_remedy(parent)}" for parent in parents if parent.pool_remedy)
    words = "; ".join((f"{link.message}, for over a minute", *advice))
    return Link.broken(link.name, SILENT, words).ended()


def _remedy(parent: Parent) -> str:
    more = f"; if it reports those of other Workspaces, {parent.lost_status_remedy}" if parent.lost_status_remedy else ""
    return f"{parent.pool_remedy}{more}"


def _first_not_holding(links: Sequence[Link]) -> Link | None:
    """Return the first link that is False, else the first that is Unknown, else None."""
    broken = (link for link in links if link.status is Status.FALSE)
    return next(broken, None) or next((link for link in links if not link.holds), None)


def _all_hold(name: LinkName, links: Sequence[Link], notes: Sequence[str] = ()) -> Link:
    return Link.true(name, links[0].reason, "; ".join(dict.fromkeys((*(link.message for link in links), *notes))))
