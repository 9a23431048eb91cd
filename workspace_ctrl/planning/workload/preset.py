"""The model server of a preset: checked, sized, and configured."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference import Adapter, Inference, Preset
from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.labels import BYPASS_ANNOTATION, INFERENCE_PORT
from workspace_ctrl.api.names import names
from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.catalog.gpus import NodeGpus
from workspace_ctrl.catalog.presets import ModelFigures, PresetModel, find_preset
from workspace_ctrl.catalog.vllm import Version, version_of
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.vllm.pod_resources import default_requests, pod_resources
from workspace_ctrl.planning.workload.gpus import node_gpus
from workspace_ctrl.planning.workload.model_server import ModelServer, ServerRecords
from workspace_ctrl.planning.workload.preset_pods import PresetServer
from workspace_ctrl.planning.workload.preset_workload import weights_claim, workloads
from workspace_ctrl.planning.workload.services import between_pods, service_of
from workspace_ctrl.planning.workload.sizing import Sizing, Wanted, size, unchecked
from workspace_ctrl.planning.workload.vllm import check_version, multi_node_mode
from workspace_ctrl.planning.workload.vllm_config import EngineConfig, read_engine_config
from workspace_ctrl.records.workspaces import WorkspaceRecord

_PRESET = "inference.preset"


@dataclass(frozen=True, slots=True)
class PresetRequest:
    """A requested preset."""

    record: WorkspaceRecord
    resource: Resource
    inference: Inference
    preset: Preset
    records: ServerRecords
    timeout: str
    """Request timeout of the route."""
    copies: Copies | None = None
    """How an InferenceSet copies it; None for a Workspace."""


def preset_server(request: PresetRequest, settings: PlanSettings) -> ModelServer:
    """Return the model server of a preset.

    Raises:
        SpecError: the model is not known or does not fit, or a field is not supported.
        UnresolvedError: the ConfigMap does not exist, or has to be read first.
    """
    owner, derived = request.record.meta, names(request.record.meta.ref.name)
    model = find_preset(request.preset.name, _size_of(request.preset))
    version = version_of(settings.model_server_image)
    check_version(model, version)
    _check_access(request.preset, model)
    _check_adapters(request.inference.adapters or [], model)
    config = _config(request, version)
    found = node_gpus(request.resource, request.records.workloads, request.records.nodes)
    sizing = _size(request, model, config, found.gpus)
    copies = request.copies.checked(sizing.nodes) if request.copies is not None else None
    multi_node = multi_node_mode(sizing, version)
    server = PresetServer(
        owner=owner.ref,
        names=derived,
        resource=request.resource,
        inference=request.inference,
        model=model,
        sizing=sizing,
        config=config,
        image=settings.model_server_image,
        timeout=request.timeout,
        resources=_resources(request, model, config, sizing, settings),
        multi_node=multi_node,
        copies=copies,
    )
    manifest, *further = workloads(owner, server, found.remembered)
    replicas = copies.on(sizing.nodes) if copies is not None else None
    noted = copies.notes_on(sizing.nodes) if copies is not None else ()
    claim = weights_claim(owner, server)
    return ModelServer(
        port=INFERENCE_PORT,
        workload=manifest,
        copies=tuple(further),
        others=(
            *([claim] if claim is not None else []),
            *(between_pods(owner, derived, multi_node.ports) if multi_node is not None else []),
            service_of(request.record, derived, manifest["kind"]),
        ),
        model_names=(model.name, *(adapter.source.name for adapter in server.adapters)),
        node_count=sizing.nodes * (replicas if replicas is not None else 1),
        replicas=replicas,
        sizing="; ".join(filter(None, (sizing.explanation, found.assumed, *noted))),
        notes=(*config.notes, *found.notes, *noted, *_shared_claim_note(server)),
    )


def _shared_claim_note(server: PresetServer) -> Iterator[str]:
    """Yield that copies on several nodes cannot share the claim that is created for their weights, where that is a problem."""
    volume = server.inference.weights_volume
    if volume is None or volume.claim_name or server.is_multi_node or server.copies is None or server.copies.wanted <= 1:
        return
    shared = "inference.weightsVolume creates one ReadWriteOnce claim, so all copies have to run on one node"
    yield f"{shared}; set claimName to a ReadWriteMany claim, or remove it"


def _config(request: PresetRequest, version: Version | None) -> EngineConfig:
    if not request.inference.config:
        return EngineConfig()
    name, records = request.inference.config, request.records
    return read_engine_config(name, request.record.meta.ref.namespace, records.config_map, records.config, version)


def _resources(
    request: PresetRequest, model: PresetModel, config: EngineConfig, sizing: Sizing, settings: PlanSettings
) -> dict[str, Any]:
    has_volume = request.inference.weights_volume is not None
    defaults = default_requests(model.weights_gib, sizing.layout, config.memory.offload_gib, has_volume=has_volume)
    gpus = {sizing.gpu_resource: str(sizing.gpus)}
    return pod_resources(defaults, gpus, installed=settings.model_server_resources, asked=request.inference.resources)


def _size(request: PresetRequest, model: PresetModel, config: EngineConfig, gpus: NodeGpus) -> Sizing:
    resource = request.resource
    adapters = bool(request.inference.adapters)
    wanted = Wanted(config.max_model_len, resource.count, config.automatic_context, config.memory, adapters)
    try:
        return size(model, gpus, wanted)
    except SpecError:
        if BYPASS_ANNOTATION not in request.record.annotations:
            raise
        return unchecked(model, gpus, wanted)


def _size_of(preset: Preset) -> ModelFigures | None:
    """Return the model size that the user has set.

    Raises:
        SpecError: a value is out of range.
    """
    if preset.size is None:
        return None
    figures = preset.size.model_dump(exclude={"weights"}, exclude_none=True)
    try:
        return ModelFigures(weights_gib=preset.size.weights_gib, **figures)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SpecError(f"{_PRESET}.size", f"is not valid: {first['loc'][0]}: {first['msg']}") from None


def _check_access(preset: Preset, model: PresetModel) -> None:
    secret = preset.preset_options.model_access_secret if preset.preset_options else None
    if model.gated and not secret:
        raise SpecError(
            f"{_PRESET}.presetOptions.modelAccessSecret",
            f"is required, because {model.model} is a gated model on Hugging Face",
            "create a Secret with your token under the key HF_TOKEN, and set its name here",
        )


def _check_adapters(adapters: list[Adapter], model: PresetModel) -> None:
    if adapters and not model.lora:
        raise SpecError("inference.adapters", f"are not supported: vLLM has no LoRA for {model.name}", "remove them")
    for index, adapter in enumerate(adapters):
        path = f"inference.adapters[{index}]"
        if adapter.strength is not None and not _is_one(adapter.strength):
            problem = f"is {adapter.strength}, but vLLM applies every adapter with strength 1.0"
            raise SpecError(f"{path}.strength", problem, "set 1.0, or remove it; merge a scaled adapter into its weights")
        if adapter.source.urls:
            raise SpecError(f"{path}.source.urls", "is not supported", "use an image or a volume")
        if (adapter.source.image is None) == (adapter.source.volume_source is None):
            raise SpecError(f"{path}.source", "needs exactly one of image and volumeSource")


def _is_one(text: str) -> bool:
    try:
        return float(text) == 1
    except ValueError:
        return False
