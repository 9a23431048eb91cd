"""The model server of a preset: checked, sized, and configured."""

from collections.abc import Iterator

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_spec import gib
from workspace_ctrl.api.labels import (
    INFERENCE_PORT,
    MODEL_FIGURES_ANNOTATION,
    NODE_GPUS_ANNOTATION,
)
from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preset.node_gpus import node_gpus
from workspace_ctrl.planning.preset.preset_pods import PresetServer
from workspace_ctrl.planning.preset.preset_workload import weights_claim, workloads
from workspace_ctrl.planning.preset.sized_preset import PresetRequest, sized_preset
from workspace_ctrl.planning.vllm.model_figures import SizedModel, model_of
from workspace_ctrl.planning.workload.model_server import ModelServer
from workspace_ctrl.planning.workload.services import between_pods, service_of
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
    noted = server.copies.notes_on(sizing.nodes) if server.copies is not None else ()
    return ModelServer(
        port=INFERENCE_PORT,
        workload=manifest,
        copies=tuple(further),
        others=_others(request.record, server, manifest["kind"]),
        model_names=_model_names(sized.model.name, server),
        node_count=sizing.nodes * (replicas if replicas is not None else 1),
        replicas=replicas,
        sizing="; ".join(filter(None, (sizing.explanation, found.assumed, sized.explanation, *noted))),
        assumed=found.assumed,
        notes=(
            *server.config.notes,
            *found.notes,
            *sized.notes,
            *noted,
            *_shared_claim_note(server),
            *_small_claim_note(server),
            *_unused_count(request.resource, sizing.nodes),
        ),
        look_up=sized.look_up,
    )


def _model_names(name: str, server: PresetServer) -> tuple[str, ...]:
    """Return all names that the model server knows, the model's own first.

    Raises:
        SpecError: an alias is the name of the model or of an adapter.
    """
    adapters = tuple(adapter.source.name for adapter in server.adapters)
    taken = next((alias for alias in server.aliases if alias in {name, *adapters}), None)
    if taken is not None:
        raise SpecError("gateway.aliases", f"has {taken}, which is a name of this model or of an adapter already", "remove it")
    return (name, *server.aliases, *adapters)


def _others(record: WorkspaceRecord, server: PresetServer, kind: str) -> tuple[Manifest, ...]:
    """Return the objects beside the workload, which is of that `kind`."""
    owner, derived = record.meta, server.names
    claim, of_several = weights_claim(owner, server), server.multi_node
    return (
        *([claim] if claim is not None else []),
        *(between_pods(owner, derived, of_several.ports) if of_several is not None else []),
        service_of(record, derived, kind),
    )


def _shared_claim_note(server: PresetServer) -> Iterator[str]:
    """Yield that copies on several nodes cannot share the claim that is created for their weights, where that is a problem."""
    volume = server.inference.weights_volume
    if volume is None or volume.claim_name or server.is_multi_node or server.copies is None or server.copies.wanted <= 1:
        return
    shared = "inference.weightsVolume creates one ReadWriteOnce claim, so all copies have to run on one node"
    yield f"{shared}; set claimName to a ReadWriteMany claim, or remove it"


def _small_claim_note(server: PresetServer) -> Iterator[str]:
    """Yield that the weights do not fit on the claim that is created for them; its volume may still be larger than requested."""
    volume, weights = server.inference.weights_volume, server.model.weights_gib
    if volume is not None and volume.size is not None and gib(volume.size) < weights:
        yield (
            f"inference.weightsVolume.size: {volume.size} is less than the {weights:.1f} GiB of weights, and their download ends when the "
            "volume is full; set more, or remove size for a fifth more than the weights"
        )


def _model(request: PresetRequest, settings: PlanSettings) -> SizedModel:
    records = request.records
    remembered = (workload.model_figures for workload in records.workloads if workload.model_figures)
    return model_of(request.preset, remembered, records.hub_answer, settings)


def _unused_count(resource: Resource, nodes: int) -> Iterator[str]:
    """Yield a warning if the user has set a number of nodes and the model is sized for another one; 1 is KAITO's default."""
    if "count" in resource.model_fields_set and resource.count not in {1, nodes}:
        yield f"resource.count: {resource.count} has no effect; the model is sized for {nodes}"
