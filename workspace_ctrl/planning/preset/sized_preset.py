"""A preset that a Workspace asks for: checked, sized for its nodes, and configured."""

from dataclasses import dataclass
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.inference_spec import Adapter, Inference, Preset
from workspace_ctrl.api.labels import (
    BYPASS_ANNOTATION,
    LOCAL_WEIGHTS_ANNOTATION,
    PERFORMANCE_ANNOTATION,
)
from workspace_ctrl.api.names import names
from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.catalog.presets import PresetModel
from workspace_ctrl.catalog.vllm import Version, version_of
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preset.gpu_sizing import Sizing, Wanted, size, unchecked
from workspace_ctrl.planning.preset.node_gpus import FoundGpus
from workspace_ctrl.planning.preset.preset_pods import PresetServer
from workspace_ctrl.planning.preset.vllm_command import WEIGHTS, check_version, local_weights, multi_node_mode
from workspace_ctrl.planning.preset.vllm_config import EngineConfig, read_engine_config, with_performance_mode
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD
from workspace_ctrl.planning.vllm.pod_resources import default_requests, pod_resources
from workspace_ctrl.planning.workload.model_server import ServerRecords
from workspace_ctrl.records.workspaces import WorkspaceRecord

_PRESET = "inference.preset"
_WITHOUT_LORA = "--no-enable-lora"
_INTO_VOLUME = f"--download-dir={WEIGHTS}"


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
    aliases: tuple[str, ...] = ()
    """Further model names."""


def sized_preset(request: PresetRequest, model: PresetModel, found: FoundGpus, settings: PlanSettings) -> PresetServer:
    """Return what the pods are made from, checked and sized.

    Raises:
        SpecError: the model does not fit, or a field is not supported.
        UnresolvedError: the ConfigMap does not exist, or has to be read first.
    """
    owner, version = request.record.meta.ref, version_of(settings.model_server_image)
    check_version(model, version)
    directory = _local_weights(request, model, settings)
    if not directory:
        _check_access(request.preset, model)
    _check_adapters(request.inference.adapters or [], model)
    config = _config(request, version)
    _check_flags(config, request.inference)
    sizing = _size(request, model, config, found)
    return PresetServer(
        owner=owner,
        names=names(owner.name),
        resource=request.resource,
        inference=request.inference,
        model=model,
        sizing=sizing,
        config=config,
        image=settings.model_server_image,
        aliases=request.aliases,
        timeout=request.timeout,
        local_weights=directory,
        priority_class=settings.model_server_priority_class,
        env=settings.model_server_env,
        ca_bundle=settings.model_server_ca_bundle,
        resources=_resources(request, model, config, sizing, settings),
        multi_node=multi_node_mode(sizing, version),
        copies=request.copies.checked(sizing.nodes) if request.copies is not None else None,
    )


def _config(request: PresetRequest, version: Version | None) -> EngineConfig:
    name, records, config = request.inference.config, request.records, EngineConfig()
    if name:
        config = read_engine_config(name, request.record.meta.ref.namespace, records.config_map, records.config, version)
    return with_performance_mode(config, request.record.annotations.get(PERFORMANCE_ANNOTATION, ""), version)


def _local_weights(request: PresetRequest, model: PresetModel, settings: PlanSettings) -> str:
    has_volume = request.inference.weights_volume is not None
    return local_weights(model, request.record.annotations.get(LOCAL_WEIGHTS_ANNOTATION), settings, has_volume=has_volume)


def _resources(
    request: PresetRequest, model: PresetModel, config: EngineConfig, sizing: Sizing, settings: PlanSettings
) -> dict[str, Any]:
    has_volume = request.inference.weights_volume is not None or bool(_local_weights(request, model, settings))
    defaults = default_requests(model.weights_gib, sizing.layout, config.memory.offload_gib, has_volume=has_volume)
    gpus = {sizing.gpu_resource: str(sizing.gpus)}
    return pod_resources(defaults, gpus, installed=settings.model_server_resources, asked=request.inference.resources)


def _size(request: PresetRequest, model: PresetModel, config: EngineConfig, found: FoundGpus) -> Sizing:
    resource = request.resource
    adapters = bool(request.inference.adapters)
    wanted = Wanted(config.max_model_len, resource.count, config.automatic_context, config.memory, adapters)
    try:
        return size(model, found.gpus, wanted)
    except SpecError:
        if BYPASS_ANNOTATION not in request.record.annotations:
            raise
        return unchecked(model, found.gpus, wanted)


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
        if adapter.source.name == model.name:
            problem = f"is {model.name}, the name of the model itself, so requests could reach only one of them"
            raise SpecError(f"{path}.source.name", problem, "set another name")
        if adapter.source.urls:
            raise SpecError(f"{path}.source.urls", "is not supported", "use an image or a volume")
        if adapter.source.volume is not None and adapter.source.volume_source is not None:
            raise SpecError(f"{path}.source", "has both volume and volumeSource, which mean the same", "remove volume")
        if (adapter.source.image is None) == (adapter.source.mounted is None):
            raise SpecError(f"{path}.source", "needs exactly one of image and volumeSource")


def _check_flags(config: EngineConfig, inference: Inference) -> None:
    """Reject flags with which another field of the Workspace would have no effect."""
    if inference.adapters and _WITHOUT_LORA in config.flags:
        problem = "sets vllm.enable-lora to false, but vLLM loads the adapters of inference.adapters only with it"
        raise SpecError(CONFIG_FIELD, problem, "remove it, or the adapters")
    if inference.weights_volume is not None and "download-dir" in config.names and _INTO_VOLUME not in config.flags:
        problem = (
            f"sets vllm.download-dir, but the volume of inference.weightsVolume is mounted at {WEIGHTS}, so it would stay empty"
        )
        raise SpecError(CONFIG_FIELD, problem, "remove one of them")


def _is_one(text: str) -> bool:
    try:
        return float(text) == 1
    except ValueError:
        return False
