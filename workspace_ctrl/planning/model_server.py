"""The model server of a Workspace: from a preset, from a pod template, or pods that are deployed separately."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference import Adapter, Inference, Preset
from workspace_ctrl.api.labels import BYPASS_ANNOTATION, INFERENCE_PORT, LOAD_BALANCER_ANNOTATION, RUNTIME_ANNOTATION
from workspace_ctrl.api.names import names
from workspace_ctrl.api.workspace import Resource, Workspace
from workspace_ctrl.catalog.presets import ModelSize, PresetModel, find_preset
from workspace_ctrl.planning.engine_config import CONFIG_KEY, EngineConfig, parse_engine_config
from workspace_ctrl.planning.flux import pool_selector
from workspace_ctrl.planning.hardware import node_gpus, reads_nodes
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.planning.preset_pods import PresetServer
from workspace_ctrl.planning.preset_workload import weights_claim, workload
from workspace_ctrl.planning.services import headless_service, service
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.planning.sizing import Sizing, Wanted, size, unchecked
from workspace_ctrl.planning.steps import Interests, ReadConfig, UnresolvedError
from workspace_ctrl.planning.template_workload import template_port, template_workload
from workspace_ctrl.planning.vllm import check_version
from workspace_ctrl.planning.workload_ref import referenced_pods
from workspace_ctrl.records.decisions import LinkName, Problem
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord

_PRESET = "inference.preset"


@dataclass(frozen=True, slots=True)
class ModelServer:
    """The objects of the model server, and the values that the gateway side needs."""

    port: int
    """Container port."""
    workload: Manifest | None = None
    """Manifest of the workload, if we manage it."""
    others: tuple[Manifest, ...] = ()
    """Services and PersistentVolumeClaims of the workload."""
    reference: ObjectRef | None = None
    """The referenced workload, if we do not manage it."""
    kind: str = ""
    """Kind of the reference."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the pods of a reference; for our own workload, they follow from the kind that the API server accepts."""
    model_names: tuple[str, ...] = ()
    node_count: int = 0
    sizing: str = ""
    """Explanation of the size, for people."""

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """All manifests, the workload first."""
        return self.others if self.workload is None else (self.workload, *self.others)


def interests(spec: Workspace) -> Interests:
    """Return the external objects on which the model server of `spec` depends."""
    inference = spec.inference
    if inference is None:
        return Interests()
    reference = inference.workload_ref
    return Interests(
        config=(inference.config or "") if inference.preset else "",
        nodes=inference.preset is not None and spec.resource is not None and reads_nodes(spec.resource),
        reference=reference if reference is not None and reference.kind else None,
        pods=(reference.selector or {}) if reference is not None else {},
    )


def model_server(record: WorkspaceRecord, spec: Workspace, snapshot: Snapshot, settings: PlanSettings) -> ModelServer:
    """Return the model server of `spec`.

    Raises:
        SpecError: the model is not known or does not fit, or a field is not supported.
        UnresolvedError: the API server has to be queried first, or a referenced object does not exist.
    """
    inference = spec.inference
    if inference is None:
        raise SpecError("tuning", "is not supported by workspace-ctrl", "use KAITO for fine-tuning, and serve the result here")
    runtime = record.annotations.get(RUNTIME_ANNOTATION, "vllm")
    if runtime == "transformers":
        raise SpecError(f"metadata.annotations[{RUNTIME_ANNOTATION}]", "is transformers, but only vllm is supported", "remove it")
    if inference.workload_ref is not None:
        return _reference(record, inference, snapshot)
    if spec.resource is None:  # rejected by parse_workspace already; needed for the type checker
        raise SpecError("resource", "is required")
    if inference.template is not None:
        return _template(record, spec.resource, inference.template, snapshot)
    if inference.preset is None:
        raise SpecError("inference", "needs exactly one of preset, template and workloadRef")
    return _preset(_PresetRequest(record, spec.resource, inference, inference.preset, snapshot), settings)


def _reference(record: WorkspaceRecord, inference: Inference, snapshot: Snapshot) -> ModelServer:
    reference = inference.workload_ref
    assert reference is not None  # noqa: S101 - checked by the caller
    pods = referenced_pods(reference, record.meta.ref.namespace, snapshot)
    kind = reference.kind or "Pod"
    return ModelServer(
        port=pods.port,
        reference=ObjectRef(kind, record.meta.ref.namespace, reference.name or ""),
        kind=kind,
        selector=pods.selector,
    )


def _template(record: WorkspaceRecord, resource: Resource, template: Mapping[str, Any], snapshot: Snapshot) -> ModelServer:
    owner, derived = record.meta, names(record.meta.ref.name)
    live = snapshot.workload("Deployment")
    scaled = live is not None and live.scaled_by_others
    port = template_port(template)
    selector = pool_selector(derived.workspace, "Deployment")
    return ModelServer(
        port=port,
        workload=template_workload(owner, derived, resource, template, scaled_by_others=scaled),
        others=(service(owner, derived, selector, port=port, public=_is_public(record)),),
        node_count=resource.count,
        sizing="pod template",
    )


@dataclass(frozen=True, slots=True)
class _PresetRequest:
    """A requested preset."""

    record: WorkspaceRecord
    resource: Resource
    inference: Inference
    preset: Preset
    snapshot: Snapshot


def _preset(request: _PresetRequest, settings: PlanSettings) -> ModelServer:
    owner, derived = request.record.meta, names(request.record.meta.ref.name)
    model = find_preset(request.preset.name, _size_of(request.preset))
    check_version(model, settings.model_server_image)
    _check_access(request.preset, model)
    _check_adapters(request.inference.adapters or [], model)
    config = _config(request.inference.config, request.record.meta.ref.namespace, request.snapshot)
    sizing, remembered = _size(request, model, config)
    server = PresetServer(
        owner=owner.ref,
        names=derived,
        resource=request.resource,
        inference=request.inference,
        model=model,
        sizing=sizing,
        config=config,
        image=settings.model_server_image,
    )
    manifest = workload(owner, server, remembered)
    selector = pool_selector(derived.workspace, manifest["kind"])
    claim = weights_claim(owner, server)
    return ModelServer(
        port=INFERENCE_PORT,
        workload=manifest,
        others=(
            *([claim] if claim is not None else []),
            *([headless_service(owner, derived)] if server.is_multi_node else []),
            service(owner, derived, selector, public=_is_public(request.record)),
        ),
        model_names=(model.name, *(adapter.source.name for adapter in server.adapters)),
        node_count=sizing.nodes,
        sizing=sizing.explanation,
    )


def _size(request: _PresetRequest, model: PresetModel, config: EngineConfig) -> tuple[Sizing, str]:
    """Return the size, and the node GPUs for the workload's annotation if they come from node labels."""
    resource = request.resource
    found = node_gpus(resource, request.snapshot)
    try:
        return size(model, found.gpus, Wanted(config.max_model_len, resource.count)), found.remembered
    except SpecError:
        if BYPASS_ANNOTATION not in request.record.annotations:
            raise
        return unchecked(model, found.gpus, resource.count), found.remembered


def _size_of(preset: Preset) -> ModelSize | None:
    """Return the model size that the user has set.

    Raises:
        SpecError: a value is out of range.
    """
    if preset.size is None:
        return None
    figures = preset.size.model_dump(exclude={"weights"}, exclude_none=True)
    try:
        return ModelSize(weights_gib=preset.size.weights_gib, **figures)
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
        if adapter.strength is not None:
            raise SpecError(f"{path}.strength", "is not supported by vLLM", "remove it")
        if adapter.source.urls:
            raise SpecError(f"{path}.source.urls", "is not supported", "use an image or a volume")
        if (adapter.source.image is None) == (adapter.source.volume_source is None):
            raise SpecError(f"{path}.source", "needs exactly one of image and volumeSource")


def _config(name: str | None, namespace: str, snapshot: Snapshot) -> EngineConfig:
    if not name:
        return EngineConfig()
    ref = ObjectRef("ConfigMap", namespace, name)
    live, read = snapshot.config_map, snapshot.answers.config
    if live is None:
        text = f"{ref} (inference.config) not found; it is used as soon as it exists"
        raise UnresolvedError(problem=Problem(LinkName.WORKLOAD, "ConfigNotFound", text))
    if read is None or (read.name, read.version) != (name, live.version):
        raise UnresolvedError(step=ReadConfig(ref, live.version))
    if read.text is None:
        raise SpecError("inference.config", f"refers to {ref}, which has no key {CONFIG_KEY}", "add the key, with flags under vllm")
    return parse_engine_config(read.text)


def _is_public(record: WorkspaceRecord) -> bool:
    return record.annotations.get(LOAD_BALANCER_ANNOTATION) == "True"
