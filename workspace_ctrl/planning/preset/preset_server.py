"""The model server of a preset: checked, sized, and configured."""

from collections.abc import Iterator

from workspace_ctrl.api.labels import (
    INFERENCE_PORT,
    MODEL_FIGURES_ANNOTATION,
    NODE_GPUS_ANNOTATION,
)
from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.planning.chart.flux_objects import pool_selector
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preset.copies import notes_on, shared_claim_note
from workspace_ctrl.planning.preset.node_gpus import node_gpus
from workspace_ctrl.planning.preset.preset_pods import PresetServer
from workspace_ctrl.planning.preset.preset_workload import weights_claim, workloads
from workspace_ctrl.planning.preset.sized_preset import PresetRequest, sized_preset
from workspace_ctrl.planning.vllm.model_figures import SizedModel, model_of
from workspace_ctrl.planning.workload.model_server import ModelServer
from workspace_ctrl.planning.workload.services import headless_service, is_public, network_policy, service
from workspace_ctrl.records.workspaces import WorkspaceRecord

__all__ = ["PresetRequest", "preset_server"]


def preset_server(request: PresetRequest, settings: PlanSettings) -> ModelServer:
    """Return the model server of a preset.

    Raises:
        SpecError: the model is not known or does not fit, or a field is not supported.
        UnresolvedError: the ConfigMap does not exist, or has to be read first, or the model's figures are not known yet.
    """
    sized, found = _model(request, settings), node_gpus(request.resource, request.records.workloads, request.records.nodes)
    server = sized_preset(request, sized.model, found, settings)
    owner, sizing = request.record.meta, server.sizing
    remembered = {NODE_GPUS_ANNOTATION: found.remembered, MODEL_FIGURES_ANNOTATION: sized.remembered}
    manifest, *further = workloads(owner, server, remembered)
    replicas = server.copies.on(sizing.nodes) if server.copies is not None else None
    noted = notes_on(server.copies, sizing.nodes)
    return ModelServer(
        port=INFERENCE_PORT,
        workload=manifest,
        copies=tuple(further),
        others=_others(request.record, server, manifest["kind"]),
        model_names=(sized.model.name, *(adapter.source.name for adapter in server.adapters)),
        node_count=sizing.nodes * (replicas if replicas is not None else 1),
        replicas=replicas,
        sizing="; ".join(filter(None, (sizing.explanation, found.assumed, sized.explanation, *noted))),
        assumed=found.assumed,
        notes=(
            *server.config.notes,
            *found.notes,
            *sized.notes,
            *noted,
            *shared_claim_note(server),
            *_unused_count(request.resource, sizing.nodes),
        ),
        look_up=sized.look_up,
    )


def _others(record: WorkspaceRecord, server: PresetServer, kind: str) -> tuple[Manifest, ...]:
    """Return the objects beside the workload, which is of that `kind`."""
    owner, derived = record.meta, server.names
    claim, of_several = weights_claim(owner, server), server.multi_node
    return (
        *([claim] if claim is not None else []),
        *([headless_service(owner, derived, of_several.ports), network_policy(owner, derived)] if of_several is not None else []),
        service(owner, derived, pool_selector(derived.workspace, kind), public=is_public(record)),
    )


def _model(request: PresetRequest, settings: PlanSettings) -> SizedModel:
    records = request.records
    remembered = (workload.model_figures for workload in records.workloads if workload.model_figures)
    return model_of(request.preset, remembered, records.hub_answer, settings)


def _unused_count(resource: Resource, nodes: int) -> Iterator[str]:
    """Yield a warning if the user has set a number of nodes and the model is sized for another one; 1 is KAITO's default."""
    if "count" in resource.model_fields_set and resource.count not in {1, nodes}:
        yield f"resource.count: {resource.count} has no effect; the model is sized for {nodes}"
