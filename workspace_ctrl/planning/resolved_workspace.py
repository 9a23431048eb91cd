"""What follows from a Workspace or InferenceSet and the settings alone: its parsed spec, and the external objects on which it depends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies, parse_inference_set
from workspace_ctrl.api.labels import CANARY_ANNOTATION, GATEWAY_ANNOTATION, SET_KIND, UPDATE_ANNOTATION
from workspace_ctrl.api.names import release_name
from workspace_ctrl.api.workspace import GatewaySpec, Workspace, parse_workspace
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.admission.fields_without_effect import (
    OWN_PREFIXES,
    annotations_without_effect,
    decisions_without_effect,
    fields_without_effect,
    gateway_without_effect,
    metadata_without_effect,
    scaling_without_effect,
    unknown_annotations,
)
from workspace_ctrl.planning.admission.restricted_fields import check_restricted_fields
from workspace_ctrl.planning.autoscaling.kaito_annotations import KAITO_MAXIMUM, autoscaling_of, scaling_annotations_without_effect
from workspace_ctrl.planning.chart.source import chart_name
from workspace_ctrl.planning.companion.kaito_workload import pods_of_kaito, workspace_of_kaito
from workspace_ctrl.planning.gateway.gateway_annotation import gateway_of
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
        spec, copies = parse_spec(workspace, settings)
        check_restricted_fields(workspace, spec, settings)
        wanted = wanted and (spec.gateway is None or spec.gateway.enabled) and not _is_left_alone(workspace, spec, settings)
        dependencies = replace(dependencies_of(spec), namespace=True)
        if wanted:
            dependencies = _with_gateway(dependencies, spec.gateway, settings)
        if wanted and settings.is_companion:
            dependencies = _beside_kaito(dependencies, workspace)
    except SpecError as error:
        notes = _notes(workspace, spec, settings)
        return ResolvedWorkspace(wanted, Dependencies(namespace=True), problem=invalid_spec(error), notes=notes)
    return ResolvedWorkspace(wanted, dependencies, spec, copies, notes=_notes(workspace, spec, settings))


def invalid_spec(error: SpecError) -> Problem:
    """Return the problem of a Workspace whose spec is rejected: only an edit of it helps."""
    return Problem(LinkName.SPEC, "InvalidSpec", str(error), terminal=True, field=error.path)


def _notes(workspace: WorkspaceRecord, spec: Workspace | None, settings: PlanSettings) -> tuple[str, ...]:
    if settings.is_companion:
        return tuple(_companion_notes(workspace, spec, settings))
    notes = [*metadata_without_effect(workspace.annotations, workspace.labels)]
    notes += decisions_without_effect(workspace.annotations, workspace.meta.ref.kind)
    if workspace.meta.ref.kind != SET_KIND:
        notes += scaling_without_effect(workspace.annotations)
    if spec is not None and spec.inference is not None:
        notes += annotations_without_effect(workspace.annotations, spec.inference)
        notes += fields_without_effect(spec, spec.inference, settings)
    return tuple(notes)


def _companion_notes(workspace: WorkspaceRecord, spec: Workspace | None, settings: PlanSettings) -> Iterator[str]:
    """Yield what has no effect in companion mode of that which is not KAITO's."""
    yield from unknown_annotations(workspace.annotations, OWN_PREFIXES)
    for key in (UPDATE_ANNOTATION, CANARY_ANNOTATION):
        if key in workspace.annotations:
            yield f"annotation {key} has no effect beside KAITO, whose model servers are left alone"
    if "gateway" in workspace.fields():
        yield f"gateway has no effect as a field beside KAITO, whose API has none; write it into the annotation {GATEWAY_ANNOTATION}"
    if spec is not None and spec.gateway is not None:
        yield from gateway_without_effect(spec.gateway, settings)


def parse_spec(workspace: WorkspaceRecord, settings: PlanSettings) -> tuple[Workspace, Copies | None]:
    """Return the spec of a Workspace, or of one copy of an InferenceSet with how it is copied; the copies of KAITO's are its own.

    Raises:
        SpecError: it is rejected.
    """
    if workspace.meta.unreadable:
        raise SpecError("", f"the Workspace cannot be read: {workspace.meta.unreadable}", "make it smaller")
    spec, copies = _read(workspace, settings)
    if copies is not None:
        copies = _scaled(copies, workspace.annotations)
    if spec.gateway is None:
        spec = spec.model_copy(update={"gateway": gateway_of(workspace.annotations)})
    return spec, copies


def _scaled(copies: Copies, annotations: Mapping[str, str]) -> Copies:
    """Return `copies` as KAITO's annotations want them scaled, where the spec says nothing of it.

    Raises:
        SpecError: an annotation has no valid value.
    """
    given = copies.autoscaling
    found = given or autoscaling_of(annotations, copies.node_limit)
    unread = scaling_annotations_without_effect(annotations, by_spec=given is not None, autoscaling=found)
    has_maximum = given is not None or KAITO_MAXIMUM in annotations
    return replace(copies, autoscaling=found, has_maximum=has_maximum, notes=(*copies.notes, *unread))


def _read(workspace: WorkspaceRecord, settings: PlanSettings) -> tuple[Workspace, Copies | None]:
    kind, name, fields = workspace.meta.ref.kind, workspace.meta.ref.name, workspace.fields()
    if settings.is_companion:
        return workspace_of_kaito(kind, fields), None
    return parse_inference_set(name, fields) if kind == SET_KIND else (parse_workspace(name, fields), None)


def _beside_kaito(dependencies: Dependencies, workspace: WorkspaceRecord) -> Dependencies:
    """Return `dependencies` with the pods of KAITO, and with the pool of our name, which may be KAITO's."""
    pool = dependencies.pool or release_name(workspace.meta.ref.name)
    return replace(dependencies, pool=pool, pods=pods_of_kaito(workspace.meta))


def _is_left_alone(workspace: WorkspaceRecord, spec: Workspace, settings: PlanSettings) -> bool:
    """Whether a Workspace of KAITO gets no gateway side: it serves no model, or another object owns it, such as an InferenceSet."""
    return settings.is_companion and (spec.inference is None or bool(workspace.meta.controller_uid))


def _with_gateway(dependencies: Dependencies, spec: GatewaySpec | None, settings: PlanSettings) -> Dependencies:
    own_route = spec.http_route_ref.name if spec is not None and spec.http_route_ref is not None else ""
    chart = chart_name(spec.chart if spec is not None else None, settings)
    return replace(dependencies, route=own_route, pool=spec.pool_ref if spec is not None else "", chart=chart)
