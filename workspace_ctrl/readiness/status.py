"""The status of a Workspace: a summary of the links of its chain.

GatewayReady is True only if every link holds, and otherwise False with the reason of the first link that does not hold. No code path
skips a link. `Ready`, `Reconciling` and `Stalled` follow kstatus, so that Flux, Argo CD and `kubectl wait` understand them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from workspace_ctrl.api.conditions import Condition, ConditionType, Status, carry_times, format_time
from workspace_ctrl.api.status import ChartStatus, GatewayStatus, ProbeStatus, WorkloadStatus, WorkspaceStatus
from workspace_ctrl.api.text import printable
from workspace_ctrl.readiness.address import internal_url, urls_of
from workspace_ctrl.readiness.body_routers import blocking_link, body_routing_link
from workspace_ctrl.readiness.chart import release_link, source_link
from workspace_ctrl.readiness.endpoint_picker import endpoint_picker_link
from workspace_ctrl.readiness.gateway import REFS_UNRESOLVED, endpoints_link, gateway_link, pool_link, pool_of, route_link, route_of
from workspace_ctrl.readiness.link import Link
from workspace_ctrl.readiness.objectives import objectives_link, objectives_of
from workspace_ctrl.readiness.probe import probe_link, probe_targets
from workspace_ctrl.readiness.removal import removal_waits
from workspace_ctrl.readiness.workload import inference_condition, resource_condition, workload_link, workload_of
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.probes import ProbeTarget
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord

_MOST_NODES = 1000
"""Limit in a status, whose size the API server limits; anyone who may create pods can name any node in them."""
_DETAILS = {
    ConditionType.CHART_READY: (LinkName.SOURCE, LinkName.RELEASE),
    ConditionType.ENDPOINT_PICKER_READY: (LinkName.ENDPOINT_PICKER,),
    ConditionType.ROUTE_READY: (LinkName.GATEWAY, LinkName.POOL, LinkName.ROUTE),
    ConditionType.ENDPOINTS_READY: (LinkName.ENDPOINTS,),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What one evaluation of the chain has found."""

    links: tuple[Link, ...]
    """All links but that of requests through the Gateway, which follows from `probe_targets`."""
    probe_targets: tuple[ProbeTarget, ...] = ()
    """Where to send requests now; nowhere while a link does not hold."""


def evaluate(snapshot: Snapshot, decisions: Decisions) -> Report:
    """Return the links from the Workspace to a request, in their order; without the gateway side, only the workload's."""
    accepted = workload_link(decisions)
    if not decisions.gateway_wanted:
        return Report((accepted,))
    links = (
        accepted,
        gateway_link(decisions, snapshot),
        *(() if decisions.named_pool is not None else _chart_links(snapshot, decisions)),
        *_attachment_links(snapshot, decisions),
        *((blocked,) if (blocked := blocking_link(decisions, snapshot)) is not None else ()),
        endpoints_link(decisions, snapshot),
    )
    return Report(links, probe_targets(decisions, snapshot) if all(link.holds for link in links) else ())


def chain(report: Report, snapshot: Snapshot, decisions: Decisions) -> tuple[Link, ...]:
    """Return all links, that of requests through the Gateway included, which `snapshot` knows of by now."""
    is_probed = decisions.gateway_wanted and snapshot.probing
    return (*report.links, probe_link(decisions, snapshot)) if is_probed else report.links


def _attachment_links(snapshot: Snapshot, decisions: Decisions) -> tuple[Link, Link]:
    """Return the links of pool and route; a rejected route is first, because controllers reject the pool then only because of it."""
    pool, route = pool_link(decisions, snapshot), route_link(decisions, snapshot)
    is_refused = route.status is Status.FALSE and route.reason != REFS_UNRESOLVED
    return (route, pool) if is_refused and pool_of(decisions, snapshot) is not None else (pool, route)


def _chart_links(snapshot: Snapshot, decisions: Decisions) -> tuple[Link, ...]:
    """Return the links of the chart."""
    return (
        source_link(decisions, snapshot),
        release_link(decisions, snapshot),
        endpoint_picker_link(decisions, snapshot),
    )


def status(workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions, report: Report, now: datetime) -> WorkspaceStatus:
    """Return the status that `workspace` should have; equal to the one it has when nothing changed.

    `report` is the evaluation of the same decisions and objects; `snapshot` has the newest result of requests as well.
    """
    links = chain(report, snapshot, decisions)
    generation = workspace.meta.generation
    conditions = carry_times(workspace.status.conditions, _conditions(workspace, snapshot, decisions, links), generation, now)
    return WorkspaceStatus(
        observed_generation=generation,
        target_node_count=decisions.node_count or None,
        worker_nodes=tuple(sorted({pod.node for pod in snapshot.pods if pod.node})[:_MOST_NODES]),
        workload=_workload(snapshot, decisions),
        gateway=_gateway(snapshot, decisions, workspace.status.gateway, now) if decisions.gateway_wanted else None,
        conditions=conditions,
    )


def removal_status(workspace: WorkspaceRecord, snapshot: Snapshot, now: datetime) -> WorkspaceStatus:
    """Return the status of a Workspace that is being deleted: not ready, and what the deletion is waiting for."""
    message = "; ".join(filter(None, ("being deleted", removal_waits(snapshot, workspace.meta.uid))))
    new = [
        Condition(type_, Status.FALSE, "Deleting", message)
        for type_ in (ConditionType.READY, ConditionType.WORKSPACE_SUCCEEDED, ConditionType.GATEWAY_READY)
    ]
    generation = workspace.meta.generation
    return WorkspaceStatus(
        observed_generation=generation, conditions=carry_times(workspace.status.conditions, new, generation, now)
    )


def _conditions(workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions, links: Sequence[Link]) -> Iterator[Condition]:
    inference = inference_condition(snapshot, decisions, links[0])
    broken = _first_broken(links)
    yield from _summary(links[0], inference, broken, decisions)
    yield _of_link(ConditionType.WORKLOAD_ACCEPTED, links[0])
    yield resource_condition(snapshot)
    yield inference
    if not decisions.gateway_wanted:
        waits = removal_waits(snapshot, workspace.meta.uid)
        if waits:
            yield Condition(ConditionType.GATEWAY_READY, Status.FALSE, "Removing", f"gateway disabled; {waits}")
        return
    for type_, names in _DETAILS.items():
        members = [link for link in links if link.name in names]
        if members:
            yield _of_link(type_, _first_broken(members) or members[-1])
    for type_, link in (
        (ConditionType.BODY_ROUTING_READY, body_routing_link(decisions, snapshot)),
        (ConditionType.OBJECTIVES_READY, objectives_link(decisions, snapshot)),
    ):
        if link is not None:
            yield _of_link(type_, link)
    yield _gateway_ready(broken, links[-1], decisions)


def _summary(accepted: Link, inference: Condition, broken: Link | None, decisions: Decisions) -> Iterator[Condition]:
    """Yield Ready, WorkspaceSucceeded, and Reconciling or Stalled: model server ready and, if wanted, reachable through the Gateway."""
    if not accepted.holds or not inference.is_true:
        reason, message = inference.reason, inference.message
    elif broken is not None:
        reason, message = broken.reason, broken.message
    else:
        text = _usage(decisions) if decisions.gateway_wanted else "model server is ready"
        yield Condition(ConditionType.READY, Status.TRUE, "Ready", text)
        yield Condition(ConditionType.WORKSPACE_SUCCEEDED, Status.TRUE, "workspaceSucceeded", "workspace succeeds")
        return
    yield Condition(ConditionType.READY, Status.FALSE, reason, message)
    if broken is not None and broken.terminal:
        yield Condition(ConditionType.STALLED, Status.TRUE, broken.reason, broken.message)
    else:
        yield Condition(ConditionType.RECONCILING, Status.TRUE, reason, message)
    yield Condition(ConditionType.WORKSPACE_SUCCEEDED, Status.FALSE, reason, message)


def _usage(decisions: Decisions) -> str:
    """Return how to reach the model, for people."""
    url = next(iter(urls_of(decisions.parents, decisions.hostnames, decisions.path)), "")
    name = f"; model name: {decisions.model_names[0]}" if decisions.model_names else ""
    return f"model is served at {url}{name}" if url else f"model is served, but the Gateway reports no address{name}"


def _gateway_ready(broken: Link | None, last: Link, decisions: Decisions) -> Condition:
    if broken is not None:
        return Condition(ConditionType.GATEWAY_READY, Status.FALSE, broken.reason, broken.message)
    gateways = " and ".join(dict.fromkeys(str(parent.gateway.ref) for parent in decisions.parents))
    tried = f"; {last.message}" if last.name is LinkName.PROBE else ""
    text = f"model is served through {gateways}{tried}"
    return Condition(ConditionType.GATEWAY_READY, Status.TRUE, "GatewayConfigured", text)


def _first_broken(links: Iterable[Link]) -> Link | None:
    return next((link for link in links if not link.holds), None)


def _of_link(type_: ConditionType, link: Link) -> Condition:
    return Condition(type_, link.status, link.reason, link.message)


def _workload(snapshot: Snapshot, decisions: Decisions) -> WorkloadStatus | None:
    if not decisions.sizing and decisions.reference is None:
        return None
    workload = workload_of(snapshot, decisions)
    own_name = decisions.names.workload if decisions.names else None
    return WorkloadStatus(
        kind=decisions.workload_kind or None,
        name=(decisions.reference.name or None) if decisions.reference else own_name,
        replicas=workload.replicas if workload else None,
        ready_replicas=workload.ready_replicas if workload else None,
        sizing=printable(decisions.sizing) or None,
    )


def _gateway(snapshot: Snapshot, decisions: Decisions, before: GatewayStatus | None, now: datetime) -> GatewayStatus:
    source, release, companion = snapshot.source, snapshot.release, snapshot.companion
    route, pool = route_of(decisions, snapshot), pool_of(decisions, snapshot)
    chart = ChartStatus(version=source.tag or None, digest=source.digest or None) if source and release else None
    urls = urls_of(decisions.parents, decisions.hostnames, decisions.path) if route is not None else ()
    return GatewayStatus(
        url=next(iter(urls), None),
        urls=urls,
        internal_url=internal_url(decisions, snapshot.gateway_services) if route is not None else None,
        model_names=decisions.model_names,
        gateways=tuple(dict.fromkeys(parent.gateway.key for parent in decisions.parents)),
        route=route.ref.name if route else None,
        pool=pool.ref.name if pool else None,
        companion=f"{companion.meta.ref.kind}/{companion.meta.ref.name}" if companion else None,
        endpoint_picker=snapshot.endpoint_picker.ref.name if snapshot.endpoint_picker else None,
        objectives=objectives_of(decisions, snapshot),
        chart=chart,
        body_based_routing=_by_body(snapshot, before),
        last_probe=_last_probe(snapshot, before.last_probe if before is not None else None, now),
    )


def _by_body(snapshot: Snapshot, before: GatewayStatus | None) -> bool | None:
    """Return whether requests are routed by their body; the last known value is kept while there is no new one."""
    if not snapshot.probing:
        return None
    found = snapshot.probe.by_body if snapshot.probe is not None else None
    return before.body_based_routing if found is None and before is not None else found


def _last_probe(snapshot: Snapshot, before: ProbeStatus | None, now: datetime) -> ProbeStatus | None:
    """Return the result of probing; an unchanged result keeps its time."""
    result = snapshot.probe
    if result is None:
        return before if snapshot.probing else None
    if before is not None and (before.outcome, before.code, before.url) == (result.outcome, result.code, result.url):
        return before
    return ProbeStatus(
        outcome=result.outcome, url=result.url, code=result.code, message=printable(result.message), since=format_time(now)
    )
