"""The model server of a Workspace or InferenceSet of KAITO: only its pods are read, and of the spec only what the gateway side needs."""

from collections.abc import Mapping
from typing import Any

from workspace_ctrl.api.inference_spec import Inference, Preset
from workspace_ctrl.api.labels import INFERENCE_PORT, POD_INDEX_LABEL, SET_KIND, SET_LABEL
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.planning.workload.model_server import ModelServer, ServerRecords
from workspace_ctrl.records.meta import Meta, ObjectRef, mapping_of
from workspace_ctrl.records.workloads import WorkloadKind


def kaito_workload(workspace: Meta, records: ServerRecords) -> ModelServer:
    """Return the model server that KAITO makes, or has yet to make: a StatefulSet, of whose pods only the first one serves.

    Pods without an index are those of a Deployment, as KAITO made them before 0.8, and as we do in managed mode. They count as long as any
    exists, so that a change between the modes, or of KAITO's version, loses no requests.
    """
    if workspace.ref.kind == SET_KIND:
        return _copies(workspace, records)
    kind = WorkloadKind.DEPLOYMENT if records.single_pods else WorkloadKind.STATEFUL_SET
    reference = ObjectRef(kind, workspace.ref.namespace, workspace.ref.name)
    return ModelServer(port=INFERENCE_PORT, reference=reference, kind=kind, of_kaito=True)


def _copies(inference_set: Meta, records: ServerRecords) -> ModelServer:
    """Return the model servers of an InferenceSet: KAITO makes a Workspace for each copy, whose pods have the name of the set, too."""
    first = {} if records.single_pods else {POD_INDEX_LABEL: "0"}
    selector = {SET_LABEL: inference_set.ref.name, **first}
    return ModelServer(
        port=INFERENCE_PORT, reference=inference_set.ref, kind=WorkloadKind.STATEFUL_SET, selector=selector, of_kaito=True
    )


def pods_of_kaito(workspace: Meta) -> dict[str, str]:
    """Return the labels of the pods of all copies of an InferenceSet; empty for a Workspace, whose pods are always watched."""
    return {SET_LABEL: workspace.ref.name} if workspace.ref.kind == SET_KIND else {}


def workspace_of_kaito(kind: str, fields: Mapping[str, Any]) -> Workspace:
    """Return what the gateway side needs of a Workspace or InferenceSet of KAITO: whether it serves a model, and its pod template.

    All other fields are KAITO's to check, and newer versions have more of them.
    """
    if kind == SET_KIND:
        fields = mapping_of(mapping_of(fields.get("spec")).get("template"))
    inference = fields.get("inference")
    if not isinstance(inference, Mapping):
        return Workspace()
    preset, template = (inference.get(name) for name in ("preset", "template"))
    return Workspace(
        inference=Inference(
            preset=Preset.model_construct(name=str(preset.get("name"))) if isinstance(preset, Mapping) else None,
            template=dict(template) if isinstance(template, Mapping) else None,
        )
    )
