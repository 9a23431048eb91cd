"""The group of a Workspace in a simulated cluster, in which all members that are given are ready."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import KIND, POD_LABEL, SET_KIND
from workspace_ctrl.api.names import names
from workspace_ctrl.model.groups import GroupRecords, MemberRecords
from workspace_ctrl.planning.chart.source import chart_name
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preview_cluster import workspace_record
from workspace_ctrl.planning.resolved_workspace import parse_spec
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.workspaces import WorkspaceRecord


def simulated_groups(
    workspace: WorkspaceRecord, others: Sequence[Mapping[str, Any]], settings: PlanSettings
) -> tuple[GroupRecords, ...]:
    """Return the group of a Workspace with the other members among `others`; empty if it has none."""
    if not workspace.group:
        return ()
    beside = {record.key: record for record in _beside(workspace, others) if record.key != workspace.key}
    found = [workspace, *(record for record in beside.values() if record.group == workspace.group)]
    members = sorted(found, key=lambda member: (member.created, member.meta.ref.name))
    namesake = beside.get((workspace.meta.ref.namespace, workspace.group))
    return (
        GroupRecords(
            workspace.group,
            tuple(_ready(member, settings) for member in members),
            namesake=namesake.meta.ref if namesake is not None else None,
        ),
    )


def _beside(workspace: WorkspaceRecord, others: Sequence[Mapping[str, Any]]) -> Iterator[WorkspaceRecord]:
    """Yield the Workspaces and InferenceSets among `others` that are in the same namespace."""
    for raw in others:
        with suppress(SpecError):  # the verdict on that object reports it
            record = workspace_record(raw) if raw.get("kind") in {KIND, SET_KIND} else None
            if record is not None and record.meta.ref.namespace == workspace.meta.ref.namespace:
                yield record


def _ready(member: WorkspaceRecord, settings: PlanSettings) -> MemberRecords:
    namespace, name = member.key
    labels = {POD_LABEL: name}
    return MemberRecords(
        member,
        pools=(InferencePool(Meta(ObjectRef("InferencePool", namespace, _pool(member, settings))), selector=labels),),
        pods=(Pod(Meta(ObjectRef("Pod", namespace, name)), labels=labels, ready=True),),
    )


def _pool(member: WorkspaceRecord, settings: PlanSettings) -> str:
    try:
        spec = parse_spec(member, settings)[0].gateway
    except SpecError:
        spec = None  # planning reports the problem
    chart = chart_name(spec.chart if spec is not None else None, settings)
    return (spec.pool_ref if spec is not None else "") or names(member.meta.ref.name, chart).release
