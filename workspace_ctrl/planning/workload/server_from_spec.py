"""The model server of a Workspace or InferenceSet: from a preset, from a pod template, or pods that are deployed separately."""

from collections.abc import Iterable, Mapping
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.inference_spec import Inference
from workspace_ctrl.api.labels import RUNTIME_ANNOTATION
from workspace_ctrl.api.names import names
from workspace_ctrl.api.workspace import Resource, Workspace
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.planning.chart.flux_objects import pool_selector
from workspace_ctrl.planning.companion.kaito_workload import kaito_workload
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preset.node_gpus import reads_nodes
from workspace_ctrl.planning.preset.preset_server import PresetRequest, preset_server
from workspace_ctrl.planning.vllm.model_figures import hub_id
from workspace_ctrl.planning.workload.model_server import ModelServer, ServerRecords
from workspace_ctrl.planning.workload.referenced_workload import referenced_pods
from workspace_ctrl.planning.workload.services import is_public, service
from workspace_ctrl.planning.workload.template_workload import template_port, template_workload
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.workloads import Workload, WorkloadKind
from workspace_ctrl.records.workspaces import WorkspaceRecord


def dependencies_of(spec: Workspace) -> Dependencies:
    """Return the external objects on which the model server of `spec` depends."""
    inference = spec.inference
    if inference is None:
        return Dependencies()
    reference = inference.workload_ref
    return Dependencies(
        config=(inference.config or "") if inference.preset else "",
        hub_model=hub_id(inference.preset) if inference.preset is not None else "",
        nodes=inference.preset is not None and spec.resource is not None and reads_nodes(spec.resource),
        reference=reference if reference is not None and reference.kind else None,
        pods=(reference.selector or {}) if reference is not None else {},
    )


def model_server(
    record: WorkspaceRecord, spec: Workspace, records: ServerRecords, settings: PlanSettings, copies: Copies | None = None
) -> ModelServer:
    """Return the model server of `spec`, as often as `copies` says; None for a Workspace.

    Raises:
        SpecError: the model is not known or does not fit, or a field is not supported.
        UnresolvedError: the API server has to be queried first, or a referenced object does not exist.
    """
    if settings.is_companion:
        return kaito_workload(record.meta, records)
    inference = spec.inference
    if inference is None:
        raise SpecError("tuning", "is not supported by workspace-ctrl", "use KAITO for fine-tuning, and serve the result here")
    runtime = record.annotations.get(RUNTIME_ANNOTATION, "vllm")
    if runtime == "transformers":
        raise SpecError(f"metadata.annotations[{RUNTIME_ANNOTATION}]", "is transformers, but only vllm is supported", "remove it")
    if inference.workload_ref is not None:
        return _reference(record, inference, records)
    if spec.resource is None:  # rejected by parse_workspace already; needed for the type checker
        raise SpecError("resource", "is required")
    if inference.template is not None:
        return _template(record, spec.resource, inference.template, copies, records.workloads)
    if inference.preset is None:
        raise SpecError("inference", "needs exactly one of preset, template and workloadRef")
    own_timeout = spec.gateway.timeout if spec.gateway is not None else None
    timeout = settings.request_timeout if own_timeout is None else own_timeout
    request = PresetRequest(record, spec.resource, inference, inference.preset, records, timeout, copies, spec.aliases)
    return preset_server(request, settings)


def _reference(record: WorkspaceRecord, inference: Inference, records: ServerRecords) -> ModelServer:
    reference = inference.workload_ref
    assert reference is not None  # noqa: S101 - checked by the caller
    pods = referenced_pods(reference, record.meta.ref.namespace, records)
    kind = reference.kind or "Pod"
    return ModelServer(
        port=pods.port,
        reference=ObjectRef(kind, record.meta.ref.namespace, reference.name or ""),
        kind=kind,
        selector=pods.selector,
        notes=pods.notes,
    )


def _template(
    record: WorkspaceRecord, resource: Resource, template: Mapping[str, Any], copies: Copies | None, workloads: Iterable[Workload]
) -> ModelServer:
    owner, derived, kind = record.meta, names(record.meta.ref.name), WorkloadKind.DEPLOYMENT
    scaled = any(workload.ref.kind == kind and workload.scaled_by_others for workload in workloads)
    replicas, noted = (None, ()) if copies is None else (copies.checked(1).on(1), copies.notes_on(1))
    port, assumed, further = template_port(template)
    return ModelServer(
        port=port,
        workload=template_workload(owner, derived, resource, template, copies, scaled_by_others=scaled),
        others=(service(owner, derived, pool_selector(derived.workspace, kind), port=port, public=is_public(record)),),
        node_count=resource.count if replicas is None else replicas,
        replicas=replicas,
        sizing="; ".join(filter(None, ("pod template", assumed, *noted))),
        notes=(*filter(None, (assumed,)), *further, *noted),
    )
