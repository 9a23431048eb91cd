"""The model server of a Workspace as planned: the costly part, which depends on the spec and on external objects alone.

It rarely changes between two passes. So a caller may pass the earlier result, which is reused while its inputs are equal.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.resolved_workspace import invalid_spec
from workspace_ctrl.planning.steps import LookUpModel, Query, UnresolvedError
from workspace_ctrl.planning.workload.argument_names import names_in_arguments
from workspace_ctrl.planning.workload.model_names import check_model_name
from workspace_ctrl.planning.workload.model_server import ModelServer, ServerRecords
from workspace_ctrl.planning.workload.server_from_spec import model_server
from workspace_ctrl.records.managed_fields import Fields
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class PlannedServer:
    """The model server, or the problem or query because of which it is not known."""

    inputs: tuple[Any, ...]
    """All inputs of this result."""
    server: ModelServer | None = None
    problem: Problem | None = None
    query: Query | None = None
    look_up: LookUpModel | None = None
    _manifests: dict[Hashable, tuple[Hashable, Manifest]] = field(default_factory=dict, compare=False)
    _ours: dict[str, tuple[str, Fields, bool]] = field(default_factory=dict, compare=False)

    def manifest(self, name: Hashable, variant: Hashable, make: Callable[[], Manifest]) -> Manifest:
        """Return the manifest that `make` returns; the newest one of each `name`, one of the Workspace's objects, is cached.

        `variant` holds all that the manifest depends on besides the inputs.
        """
        known = self._manifests.get(name)
        if known is None or known[0] != variant:
            known = self._manifests[name] = (variant, make())
        return known[1]

    def is_ours(self, manifest: Manifest, meta: Meta) -> bool:
        """Whether we own every field of `manifest` in the object of `meta`; cached while neither has changed."""
        kind, wanted = ref_of(manifest), applied_hash(manifest)
        known = self._ours.get(str(kind))
        if known is None or known[0] != wanted or known[1] != meta.owned:
            known = self._ours[str(kind)] = (wanted, meta.owned, is_ours(manifest, meta.owned))
        return known[2]


def plan_server(  # noqa: PLR0917 - all inputs
    workspace: WorkspaceRecord,
    spec: Workspace,
    records: ServerRecords,
    settings: PlanSettings,
    known: PlannedServer | None = None,
    copies: Copies | None = None,
) -> PlannedServer:
    """Return the model server that `spec` wants, as often as `copies` says; `known` itself if its inputs are equal."""
    inputs = _inputs(workspace, records)
    if known is not None and known.inputs == inputs:
        return known
    try:
        template = (spec.inference and spec.inference.template) or {}
        server = replace(model_server(workspace, spec, records, settings, copies), arguments=names_in_arguments(template))
        check_model_name(spec, server.model_names)
    except SpecError as error:
        return PlannedServer(inputs, problem=invalid_spec(error))
    except UnresolvedError as error:
        return PlannedServer(inputs, problem=error.problem, query=error.step, look_up=error.look_up)
    return PlannedServer(inputs, server, look_up=server.look_up)


def _inputs(workspace: WorkspaceRecord, records: ServerRecords) -> tuple[Any, ...]:
    reference = records.reference
    return (
        workspace.meta.uid,
        workspace.spec,
        workspace.annotations,
        records.config_map,
        records.config,
        records.scale,
        records.hub_answer,
        None if reference is None else (reference.meta.uid, reference.selector, reference.port),
        records.reference_problem,
        records.single_pods,
        records.nodes,
        bool(records.nodes) and bool(records.workloads),  # nodes with unknown GPUs matter only before there is a workload
        [
            (workload.ref.kind, workload.node_gpus, workload.model_figures, workload.scaled_by_others)
            for workload in records.workloads
            if workload.node_gpus or workload.model_figures or workload.scaled_by_others  # of others, only the existence matters
        ],
    )
