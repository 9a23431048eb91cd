"""What follows from a Workspace or InferenceSet and the settings alone: its parsed spec, and the external objects on which it depends."""

from dataclasses import dataclass, field, replace

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies, parse_inference_set
from workspace_ctrl.api.labels import SET_KIND
from workspace_ctrl.api.workspace import GatewaySpec, Workspace, parse_workspace
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.admission.fields_without_effect import (
    annotations_without_effect,
    fields_without_effect,
    metadata_without_effect,
)
from workspace_ctrl.planning.admission.restricted_fields import check_restricted_fields
from workspace_ctrl.planning.chart.source import chart_name
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.workload.server_from_spec import dependencies_of
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class ResolvedWorkspace:
    """A parsed Workspace or InferenceSet, or the problem because of which it cannot be parsed."""

    gateway_wanted: bool = False
    dependencies: Dependencies = field(default_factory=Dependencies)
    """The external objects that the spec names; what the state of the cluster adds to them is part of the desired state."""
    spec: Workspace | None = None
    """Of an InferenceSet, that of one copy."""
    copies: Copies | None = None
    """How an InferenceSet copies it; None for a Workspace."""
    problem: Problem | None = None
    notes: tuple[str, ...] = ()
    """What of the Workspace has no effect, as warnings for its author."""


def resolve(workspace: WorkspaceRecord, settings: PlanSettings) -> ResolvedWorkspace:
    """Return the parsed `workspace`; of one that is being deleted, nothing is wanted any more."""
    if workspace.meta.deleting:
        return ResolvedWorkspace(dependencies=Dependencies(namespace=True))
    wanted, spec = settings.gateway_extension, None
    try:
        spec, copies = parse_spec(workspace)
        check_restricted_fields(workspace, spec, settings)
        wanted = wanted and (spec.gateway is None or spec.gateway.enabled)
        dependencies = replace(dependencies_of(spec), namespace=True)
        if wanted:
            dependencies = _with_gateway(dependencies, spec.gateway, settings)
    except SpecError as error:
        notes = _notes(workspace, spec, settings)
        return ResolvedWorkspace(wanted, Dependencies(namespace=True), problem=invalid_spec(error), notes=notes)
    return ResolvedWorkspace(wanted, dependencies, spec, copies, notes=_notes(workspace, spec, settings))


def invalid_spec(error: SpecError) -> Problem:
    """Return the problem of a Workspace whose spec is rejected: only an edit of it helps."""
    return Problem(LinkName.SPEC, "InvalidSpec", str(error), terminal=True, field=error.path)


def _notes(workspace: WorkspaceRecord, spec: Workspace | None, settings: PlanSettings) -> tuple[str, ...]:
    notes = [*metadata_without_effect(workspace.annotations, workspace.labels)]
    if spec is not None and spec.inference is not None:
        notes += annotations_without_effect(workspace.annotations, spec.inference)
        notes += fields_without_effect(spec, spec.inference, gateway_extension=settings.gateway_extension)
    return tuple(notes)


def parse_spec(workspace: WorkspaceRecord) -> tuple[Workspace, Copies | None]:
    """Return the spec of a Workspace, or of one copy of an InferenceSet with how it is copied.

    Raises:
        SpecError: it is rejected.
    """
    if workspace.meta.unreadable:
        raise SpecError("", f"the Workspace cannot be read: {workspace.meta.unreadable}", "make it smaller")
    name, fields = workspace.meta.ref.name, workspace.fields()
    return parse_inference_set(name, fields) if workspace.meta.ref.kind == SET_KIND else (parse_workspace(name, fields), None)


def _with_gateway(dependencies: Dependencies, spec: GatewaySpec | None, settings: PlanSettings) -> Dependencies:
    own_route = spec.http_route_ref.name if spec is not None and spec.http_route_ref is not None else ""
    chart = chart_name(spec.chart if spec is not None else None, settings)
    return replace(dependencies, route=own_route, pool=spec.pool_ref if spec is not None else "", chart=chart)
