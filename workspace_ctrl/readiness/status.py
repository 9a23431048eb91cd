"""The status of a Workspace or InferenceSet: a summary of the links of its chain.

GatewayReady is True only if every link holds, and otherwise False with the reason of the first link that does not hold. No code path
skips a link. `Ready`, `Reconciling` and `Stalled` follow kstatus, by which Flux and Helm wait; for Argo CD, `examples/argo-cd` reads them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from workspace_ctrl.api.conditions import Condition, ConditionType, Status, carry_times, find, format_time
from workspace_ctrl.api.inference_set import in_set_words
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.status import (
    ChartStatus,
    GatewayStatus,
    InferenceSetStatus,
    KaitoState,
    ProbeStatus,
    WorkloadStatus,
    WorkspaceStatus,
)
from workspace_ctrl.model.plan_decisions import CONDITIONS, Decisions, LinkName
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.address import internal_url, urls_of, wildcard_listeners
from workspace_ctrl.readiness.chain import Report, group_route, held_of, installation_of, pool_of, route_of, with_requests
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.failure_reasons import HELD, NAME_TAKEN, SCALED_TO_ZERO
from workspace_ctrl.readiness.objectives import existing_objectives
from workspace_ctrl.readiness.probe import RESTRICTED
from workspace_ctrl.readiness.removal import removal_waits
from workspace_ctrl.readiness.scaling.autoscaling_status import autoscaling_status
from workspace_ctrl.readiness.traffic.group import group_status
from workspace_ctrl.readiness.workload import (
    copies_condition,
    inference_condition,
    ready_copies,
    referenced_workload,
    resource_condition,
    with_replicas,
    with_wanted_nodes,
)
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import VOLUMES_NOT_MOUNTED, Pod
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import WorkspaceRecord

_MOST_NODES = 1000
"""Limit in a status, whose size the API server limits; anyone who may create pods can name any node in them."""
_MOST_COPIES = 10
"""Limit of the StatefulSets of an InferenceSet that are named."""
_DETAILS: Final = (
    ConditionType.CHART_READY,
    ConditionType.ENDPOINT_PICKER_READY,
    ConditionType.ROUTE_READY,
    ConditionType.ENDPOINTS_READY,
)
_OPTIONAL: Final = {**CONDITIONS, LinkName.BODY_ROUTER: ConditionType.BODY_ROUTING_READY}
"""The router's link among the optional ones is another than that of GatewayReady."""
_WITHOUT_GATEWAY: Final = (
    "model server is ready; no GatewayReady: feature gate gatewayAPIInferenceExtension is off, or gateway.enabled is false"
)


def status(workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions, report: Report, now: datetime) -> WorkspaceStatus:
    """Return the status that `workspace` should have; equal to the one it has when nothing changed.

    `report` is the evaluation of the same decisions and objects; `snapshot` has the newest result of requests as well.
    """
    whole = with_requests(report, snapshot, decisions)
    generation = workspace.meta.generation
    before = workspace.status
    new = _in_words_of(before, _conditions(workspace, snapshot, decisions, whole))
    conditions = carry_times(before.conditions, new, generation, now)
    found = type(before)(
        observed_generation=generation,
        state=_state(workspace.status, conditions),
        target_node_count=decisions.node_count or None,
        worker_nodes=tuple(sorted({pod.node for pod in snapshot.pods if pod.node and not pod.has_ended})[:_MOST_NODES]),
        workload=_workload(snapshot, decisions),
        gateway=_gateway(snapshot, decisions, before.gateway, now) if decisions.gateway_wanted else None,
        pods=decisions.pods or before.pods,
        conditions=conditions,
    )
    if isinstance(found, InferenceSetStatus) and isinstance(before, InferenceSetStatus):
        found = with_replicas(found, before, snapshot.pods, decisions.selector, decisions.replicas)
        scaling = autoscaling_status(decisions.scaling, snapshot.scaled_object, snapshot.cold_start, before.autoscaling, now)
        found = replace(found, autoscaling=scaling)
    return found.without_empty_parts()


def _in_words_of(status: WorkspaceStatus, conditions: Iterable[Condition]) -> Iterable[Condition]:
    """Return conditions with messages that name the fields as the object with that status has them."""
    if not isinstance(status, InferenceSetStatus):
        return conditions
    return [replace(condition, message=in_set_words(condition.message)) for condition in conditions]


def removal_status(workspace: WorkspaceRecord, snapshot: Snapshot, now: datetime) -> WorkspaceStatus:
    """Return the status of a Workspace that is being deleted: not ready, and what the deletion is waiting for."""
    message = "; ".join(filter(None, ("being deleted", _removal_waits(workspace, snapshot))))
    new = [
        Condition(type_, Status.FALSE, "Deleting", message)
        for type_ in (ConditionType.READY, ConditionType.WORKSPACE_SUCCEEDED, ConditionType.GATEWAY_READY)
    ]
    return _without_objects(workspace, new, now)


def name_taken_status(workspace: WorkspaceRecord, holder: ObjectRef, now: datetime, *, gateway_wanted: bool) -> WorkspaceStatus:
    """Return the status of a Workspace or InferenceSet that has the name of one of the other kind, the older `holder`."""
    message = (
        f"{holder} has the same name, is older, and would need objects of the same names, so nothing is created for this "
        f"{workspace.meta.ref.kind}; create it with another name, or delete {holder}"
    )
    new = [
        Condition(type_, status, NAME_TAKEN, message)
        for type_, status in (
            (ConditionType.READY, Status.FALSE),
            (ConditionType.STALLED, Status.TRUE),
            (ConditionType.WORKSPACE_SUCCEEDED, Status.FALSE),
            (ConditionType.WORKLOAD_ACCEPTED, Status.FALSE),
            *([(ConditionType.GATEWAY_READY, Status.FALSE)] if gateway_wanted else []),
        )
    ]
    return _without_objects(workspace, new, now)


def _without_objects(workspace: WorkspaceRecord, new: Iterable[Condition], now: datetime) -> WorkspaceStatus:
    """Return a status with nothing but the `new` conditions."""
    before, generation = workspace.status, workspace.meta.generation
    conditions = carry_times(before.conditions, new, generation, now)
    return type(before)(observed_generation=generation, state=_state(before, conditions), conditions=conditions)


def _state(before: WorkspaceStatus, conditions: Iterable[Condition]) -> KaitoState | None:
    """Return KAITO's summary of a Workspace: one that was ready once is not pending any more."""
    if isinstance(before, InferenceSetStatus):
        return None
    succeeded = find(conditions, ConditionType.WORKSPACE_SUCCEEDED)
    if succeeded is not None and succeeded.is_true:
        return KaitoState.READY
    was_ready = before.state in {KaitoState.READY, KaitoState.NOT_READY}
    return KaitoState.NOT_READY if was_ready else KaitoState.PENDING


def _conditions(workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions, report: Report) -> Iterator[Condition]:
    links, accepted = report.links, report.links[0]
    held = held_of(snapshot, decisions)
    resource = resource_condition(_pods(snapshot, decisions), decisions.zero, held)
    inference = _inference(accepted, workspace, snapshot, decisions)
    broken = report.decisive
    yield from _summary(accepted, inference, broken, decisions)
    yield from _warning(decisions)
    yield _of_link(ConditionType.WORKLOAD_ACCEPTED, accepted)
    yield resource
    yield replace(resource, type=ConditionType.NODES_READY)
    yield inference
    if decisions.gateway_wanted:
        yield from _details(report)
        yield _gateway_ready(broken, links[-1], decisions)
    elif waits := _removal_waits(workspace, snapshot):
        yield Condition(ConditionType.GATEWAY_READY, Status.FALSE, "Removing", f"gateway disabled; {waits}")
    for link in report.optional:
        yield _of_link(_OPTIONAL[link.name], link)


def _pods(snapshot: Snapshot, decisions: Decisions) -> Sequence[Pod]:
    return with_wanted_nodes(snapshot.pods, decisions.node_labels)


def _inference(accepted: Link, workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions) -> Condition:
    """Return InferenceReady."""
    if decisions.inference_set is None:
        workload, expected = _workload_of(snapshot, decisions), _expected_workload(decisions)
        return inference_condition(accepted, workload, _pods(snapshot, decisions), expected)
    before = find(workspace.status.conditions, ConditionType.INFERENCE_READY)
    return copies_condition(
        accepted,
        decisions.inference_set,
        decisions.replicas or 0,
        _copies(snapshot, decisions),
        _pods(snapshot, decisions),
        outdated=decisions.has_outdated_copies,
        was_ready=before is not None and before.is_true,
        held=held_of(snapshot, decisions),
    )


def _details(report: Report) -> Iterator[Condition]:
    for type_ in _DETAILS:
        members = [link for link in report.links if CONDITIONS[link.name] is type_]
        if members:
            yield _of_link(type_, _first_broken(members) or members[-1])


def _summary(accepted: Link, inference: Condition, broken: Link | None, decisions: Decisions) -> Iterator[Condition]:
    """Yield Ready, WorkspaceSucceeded, and Reconciling or Stalled: model server ready and, if wanted, reachable through the Gateway."""
    if not accepted.holds or not inference.is_true:
        reason, message = inference.reason, inference.message
    elif broken is not None:
        reason, message = broken.reason, broken.message
    else:
        text = _usage(decisions) if decisions.gateway_wanted else _WITHOUT_GATEWAY
        text = f"{text}; {inference.message}" if inference.reason in HELD else text
        yield Condition(ConditionType.READY, Status.TRUE, "Ready", text)
        yield Condition(ConditionType.WORKSPACE_SUCCEEDED, Status.TRUE, "workspaceSucceeded", "workspace succeeds")
        return
    yield Condition(ConditionType.READY, Status.FALSE, reason, message)
    if broken is not None and broken.terminal:
        yield Condition(ConditionType.STALLED, Status.TRUE, broken.reason, broken.message)
    elif inference.reason == VOLUMES_NOT_MOUNTED and not inference.is_true:
        yield Condition(ConditionType.STALLED, Status.TRUE, reason, message)
    elif inference.reason != SCALED_TO_ZERO or decisions.zero is None:  # where a user wants no copies, nothing is on its way
        yield Condition(ConditionType.RECONCILING, Status.TRUE, reason, message)
    yield Condition(ConditionType.WORKSPACE_SUCCEEDED, Status.FALSE, reason, message)


def _warning(decisions: Decisions) -> Iterator[Condition]:
    """Yield the warnings for the author as one condition; none if there are none."""
    notes = tuple(dict.fromkeys(decisions.notes))
    if notes:
        listed = notes if len(notes) == 1 else (f"({number}) {text}" for number, text in enumerate(notes, 1))
        reason = "UpdateWaits" if decisions.waiting else "IgnoredOrAssumed"
        yield Condition(ConditionType.WARNING, Status.TRUE, reason, " ".join(listed))


def _usage(decisions: Decisions) -> str:
    """Return how to reach the model, for people."""
    url = next(iter(urls_of(decisions.parents, decisions.hostnames, decisions.path)), "")
    name = f"; model name: {decisions.model_names[0]}" if decisions.model_names else ""
    if url:
        return f"model is served at {url}{name}"
    return f"model is served, but {_wildcards_only(decisions) or 'the Gateway reports no address'}{name}"


def _wildcards_only(decisions: Decisions) -> str:
    """Return which listeners serve only host names with a wildcard, and what to do; empty if there are none."""
    wildcards = wildcard_listeners(decisions.parents, decisions.hostnames)
    return f"{' and '.join(wildcards)}; set gateway.hostnames to the host name that clients use" if wildcards else ""


def _gateway_ready(broken: Link | None, last: Link, decisions: Decisions) -> Condition:
    if broken is not None:
        return Condition(ConditionType.GATEWAY_READY, Status.FALSE, broken.reason, broken.message)
    gateways = " and ".join(dict.fromkeys(str(parent.gateway.ref) for parent in decisions.parents))
    tried = f"; {last.message}" if last.name is LinkName.PROBE or last.reason in HELD else ""
    text = f"model is served through {gateways}{tried}"
    has_url = bool(urls_of(decisions.parents, decisions.hostnames, decisions.path))
    advice = "" if has_url else _wildcards_only(decisions)
    if advice:
        text = f"{text}; {advice}"
    reason = last.reason if last.reason in RESTRICTED else "GatewayConfigured"
    return Condition(ConditionType.GATEWAY_READY, Status.TRUE, reason, text)


def _first_broken(links: Iterable[Link]) -> Link | None:
    return next((link for link in links if not link.holds), None)


def _of_link(type_: ConditionType, link: Link) -> Condition:
    return Condition(type_, link.status, link.reason, link.message)


def _workload_of(snapshot: Snapshot, decisions: Decisions) -> Workload | None:
    """Return the Deployment or StatefulSet of the pods, ours or the referenced one; None if another kind creates the pods."""
    if decisions.reference is None:
        return snapshot.workload(decisions.workload_kind)
    return referenced_workload(decisions.workload_kind, snapshot.reference)


def _expected_workload(decisions: Decisions) -> str:
    """Return kind and name of our own workload; empty for a referenced one."""
    if decisions.reference is not None:
        return ""
    return f"{decisions.workload_kind} {decisions.names.workload}" if decisions.names else decisions.workload_kind


def _removal_waits(workspace: WorkspaceRecord, snapshot: Snapshot) -> str:
    left = snapshot.remaining_chart_objects()
    return removal_waits(workspace.meta.uid, snapshot.route, installation_of(snapshot), snapshot.former.releases, left)


def _workload(snapshot: Snapshot, decisions: Decisions) -> WorkloadStatus | None:
    if not decisions.sizing and decisions.reference is None:
        return None
    if decisions.inference_set is not None:
        return _workload_of_copies(snapshot, decisions)
    workload = _workload_of(snapshot, decisions)
    own_name = decisions.names.workload if decisions.names else None
    return WorkloadStatus(
        kind=decisions.workload_kind or None,
        name=(decisions.reference.name or None) if decisions.reference else own_name,
        replicas=workload.replicas if workload else None,
        ready_replicas=workload.ready_replicas if workload else None,
        sizing=printable(decisions.sizing) or None,
    )


def _workload_of_copies(snapshot: Snapshot, decisions: Decisions) -> WorkloadStatus:
    """Return the Deployment, or the StatefulSets, of an InferenceSet as one."""
    return WorkloadStatus(
        kind=decisions.workload_kind or None,
        name=", ".join(ref.name for ref in decisions.copies[:_MOST_COPIES]) or None,
        replicas=decisions.replicas,
        ready_replicas=ready_copies(_copies(snapshot, decisions)),
        sizing=printable(decisions.sizing) or None,
    )


def _copies(snapshot: Snapshot, decisions: Decisions) -> tuple[Workload, ...]:
    """Return the existing workloads of the wanted copies of an InferenceSet."""
    return tuple(workload for workload in snapshot.workloads if workload.ref in decisions.copies)


def _gateway(snapshot: Snapshot, decisions: Decisions, before: GatewayStatus | None, now: datetime) -> GatewayStatus:
    source, release, companion = snapshot.source, snapshot.release, snapshot.companion
    route, pool = route_of(snapshot, decisions), pool_of(snapshot, decisions)
    chart = ChartStatus(version=source.tag or None, digest=source.digest or None) if source and release else None
    urls = urls_of(decisions.parents, decisions.hostnames, decisions.path) if route is not None else ()
    return GatewayStatus(
        url=next(iter(urls), None),
        urls=urls,
        internal_url=_internal_url(snapshot, decisions) if route is not None else None,
        model_names=decisions.model_names,
        gateways=tuple(dict.fromkeys(parent.gateway.key for parent in decisions.parents)),
        route=route.ref.name if route else None,
        pool=pool.ref.name if pool else None,
        companion=f"{companion.meta.ref.kind}/{companion.meta.ref.name}" if companion else None,
        endpoint_picker=snapshot.endpoint_picker.ref.name if snapshot.endpoint_picker else None,
        objectives=existing_objectives(decisions.objectives, snapshot.objectives, decisions.objective_kinds),
        group=group_status(decisions.group, group_route(snapshot, decisions)),
        chart=chart,
        body_based_routing=_by_body(snapshot, before),
        last_probe=_last_probe(snapshot, before.last_probe if before is not None else None, now),
    )


def _internal_url(snapshot: Snapshot, decisions: Decisions) -> str | None:
    return internal_url(decisions.parents, decisions.hostnames, decisions.path, snapshot.gateway_services)


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
