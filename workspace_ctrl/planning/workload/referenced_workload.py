"""Referenced workloads: the labels and the port of their pods."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from workspace_ctrl.api.inference_spec import WorkloadRef
from workspace_ctrl.api.labels import wrong_label
from workspace_ctrl.model.api_query_results import ScaleSelector
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.steps import ReadScale, UnresolvedError
from workspace_ctrl.planning.workload.expected_port import port_notes
from workspace_ctrl.planning.workload.model_server import ServerRecords
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.workloads import ReferencedWorkload

_MOST_LABELS: Final = 32
"""Labels in a selector, by which pods are watched."""


@dataclass(frozen=True, slots=True)
class ReferencedPods:
    """The pods of a `workloadRef`."""

    selector: Mapping[str, str]
    port: int
    notes: tuple[str, ...] = ()
    """What the author should know about the port."""


def referenced_pods(reference: WorkloadRef, namespace: str, records: ServerRecords) -> ReferencedPods:
    """Return the pods of `reference`.

    Raises:
        UnresolvedError: the object does not exist, or has no selector or container port.
    """
    found = records.reference
    if reference.kind is None or reference.name is None:
        return ReferencedPods(dict(reference.selector or {}), reference.target_port or 0)
    ref = ObjectRef(reference.kind, namespace, reference.name)
    if found is None:
        if records.reference_problem:
            raise _unresolved("WorkloadNotReadable", f"{ref} cannot be read: {records.reference_problem}")
        raise _unresolved(
            "WorkloadNotFound", f"{ref} (inference.workloadRef, {reference.api_version}) not found; it is used as soon as it exists"
        )
    port = reference.target_port or found.port.number
    if port is None:
        raise _unresolved("PortUnknown", f"{ref} has no container port; set inference.workloadRef.targetPort")
    selector = reference.selector or found.selector or _scale_selector(found, records.scale)
    if len(selector) > _MOST_LABELS or wrong_label(selector):
        text = f"{ref} has a selector with invalid labels, or with more than {_MOST_LABELS} labels"
        raise _unresolved("SelectorUnknown", f"{text}; set inference.workloadRef.selector")
    known = replace(found.port, is_ambiguous=found.port.is_ambiguous and reference.target_port is None)
    way_out = "set inference.workloadRef.targetPort, or name the right one http"
    notes = port_notes(known, str(ref), way_out) if port == known.number else ()
    return ReferencedPods(selector, port, tuple(notes))


def _scale_selector(found: ReferencedWorkload, scale: ScaleSelector | None) -> Mapping[str, str]:
    if scale is None or scale.uid != found.meta.uid:
        raise UnresolvedError(step=ReadScale(found.meta.ref, found.meta.uid))
    if not scale.labels:
        text = f"{found.meta.ref} has no pod selector, neither in spec.selector nor in a scale subresource"
        raise _unresolved("SelectorUnknown", f"{text}; set inference.workloadRef.selector")
    return scale.labels


def _unresolved(reason: str, message: str) -> UnresolvedError:
    return UnresolvedError(problem=Problem(LinkName.WORKLOAD, reason, message))
