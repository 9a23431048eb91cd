"""The GPUs for which a model is sized: those of an instance type, or those in the labels of the user's own nodes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.catalog.gpus import NodeGpus, gpus_from_labels
from workspace_ctrl.catalog.instance_types import DEFAULT_INSTANCE_TYPE, find_instance_type, instance_types
from workspace_ctrl.planning.workload.node_affinity import selecting
from workspace_ctrl.records.core_v1 import Node
from workspace_ctrl.records.workloads import Workload

_LONGEST_NOTE: Final = 1024
"""Of GPUs that were written down, in characters."""
_MOST_GPUS: Final = 10_000
"""Of a node."""


@dataclass(frozen=True, slots=True)
class FoundGpus:
    """The GPUs of one node."""

    gpus: NodeGpus
    remembered: str = ""
    """Value for the annotation of the workload, if the GPUs come from node labels."""


def reads_nodes(resource: Resource) -> bool:
    """Whether the GPUs come from node labels: there is no instance type of the catalog, or the user names nodes."""
    return bool(resource.preferred_nodes) or resource.instance_type not in instance_types()


def node_gpus(resource: Resource, workloads: Iterable[Workload], nodes: Iterable[Node]) -> FoundGpus:
    """Return the GPUs of one of `nodes` for `resource`; of several different ones, those with the least memory.

    What an earlier run has noted in the Workspace's `workloads` takes precedence.

    Raises:
        SpecError: the instance type is not known, and no node has GPU labels.
    """
    if reads_nodes(resource):
        remembered = next((workload.node_gpus for workload in workloads if workload.node_gpus), "")
        parsed = _parse(remembered)
        if parsed is not None:
            # The labels at the time when the workload was created: later nodes do not change a running model.
            return FoundGpus(parsed, remembered)
        labelled = min(_labelled(resource, nodes), key=lambda gpus: gpus.memory_gib, default=None)
        if labelled is not None:
            return FoundGpus(labelled, _format(labelled))
    return FoundGpus(find_instance_type(resource.instance_type or DEFAULT_INSTANCE_TYPE))


def _labelled(resource: Resource, nodes: Iterable[Node]) -> Iterator[NodeGpus]:
    names, selects = frozenset(resource.preferred_nodes or ()), selecting(resource.label_selector)
    for node in nodes:
        is_meant = (not names or node.meta.ref.name in names) and selects(node.labels)
        gpus = gpus_from_labels(node.labels) if is_meant else None
        if gpus is not None:
            yield gpus


def _format(gpus: NodeGpus) -> str:
    return json.dumps(gpus.model_dump(), sort_keys=True)


def _parse(text: str) -> NodeGpus | None:
    """Return the GPUs in the annotation; a value that we did not write is ignored."""
    try:
        found = NodeGpus.model_validate_json(text) if text and len(text) <= _LONGEST_NOTE else None
    except ValidationError:
        return None
    return found if found is not None and found.gpus <= _MOST_GPUS else None
