"""The GPUs for which a model is sized: those of an instance type, or those of the user's own nodes.

Nothing is assumed silently: the result says what was assumed, or the problem says which node lacks which label.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import Partition, Resource
from workspace_ctrl.catalog.gke_labels import with_gpu_labels
from workspace_ctrl.catalog.gpus import (
    MEMORY_LABEL,
    PRODUCT_LABEL,
    NodeGpus,
    divides_memory,
    gpus_from_labels,
    mig_instance,
    pods_per_gpu,
)
from workspace_ctrl.catalog.instance_types import DEFAULT_INSTANCE_TYPE, INSTANCE_TYPE_FIELD, find_instance_type, instance_types
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.steps import UnresolvedError
from workspace_ctrl.planning.workload.node_affinity import INSTANCE_TYPE_LABEL, selecting
from workspace_ctrl.records.core_v1 import Node
from workspace_ctrl.records.workloads import LONGEST_NODE_GPUS, Workload

_MOST_GPUS: Final = 10_000
"""Of a node."""
_PARTITION: Final = "resource.partition"
_LABELS: Final = f"{PRODUCT_LABEL} and {MEMORY_LABEL}"
_MOST_NAMED: Final = 3
"""Nodes that a message names."""
_OTHER_VENDORS: Final = (
    "amd.com/gpu",
    "beta.amd.com/gpu",
    "gpu.intel.com/",
    "intel.feature.node.kubernetes.io/gaudi",
    "intel.feature.node.kubernetes.io/gpu",
    "habana.ai/",
    "squat.ai/",
    "aws.amazon.com/neuron",
    "cloud.google.com/gke-tpu-",
)
"""Beginnings of labels of nodes with other accelerators."""


@dataclass(frozen=True, slots=True)
class FoundGpus:
    """The GPUs of one node."""

    gpus: NodeGpus
    remembered: str = ""
    """Value for the annotation of the workload, if the GPUs come from node labels."""
    assumed: str = ""
    """For the explanation of the size, if the GPUs are not known."""
    notes: tuple[str, ...] = ()
    """Warnings for the author."""


def reads_nodes(resource: Resource) -> bool:
    """Whether the GPUs come from node labels: there is no instance type of the catalog, or the user names nodes."""
    return bool(resource.preferred_nodes) or resource.instance_type not in instance_types()


def node_gpus(resource: Resource, workloads: Iterable[Workload], nodes: Iterable[Node]) -> FoundGpus:
    """Return the GPUs of one of `nodes` for `resource`; of several different ones, what each of them has at least.

    What an earlier run has noted in the Workspace's `workloads` takes precedence. Without any node, KAITO's default is assumed.

    Raises:
        SpecError: the instance type is not known, and no node has GPU labels; or the nodes cannot be partitioned as wanted.
        UnresolvedError: nodes match, but their GPUs do not follow from their labels; or no node is known that has the wanted part.
    """
    existing = tuple(workloads)
    if reads_nodes(resource):
        remembered = next((workload.node_gpus for workload in existing if workload.node_gpus), "")
        parsed = _parse(remembered)
        if parsed is not None:
            # The labels at the time when the workload was created: later nodes do not change a running model.
            return FoundGpus(parsed, remembered, notes=tuple(_unused_type(resource)))
        gpus_of = [(node, _of_node(node.labels, resource.partition)) for node in _matching(resource, nodes)]
        found = [(gpus, node) for node, gpus in gpus_of if gpus is not None]
        unknown = [node for node, gpus in gpus_of if gpus is None]
        if found:
            gpus, node = _weakest(found)
            return FoundGpus(
                gpus, _format(gpus), notes=(*_unused_type(resource), *_differences(found), *_doubts(resource, unknown, node))
            )
        if resource.instance_type not in instance_types() and not existing:
            _check_unknown(resource, unknown)
    return _of_instance_type(resource)


def _unused_type(resource: Resource) -> Iterator[str]:
    """Yield a message for an instance type beside named nodes; not for KAITO's default, which its CRD writes into every Workspace."""
    if resource.instance_type not in {None, "", DEFAULT_INSTANCE_TYPE} and resource.preferred_nodes:
        others = "the model is sized for the GPUs in the labels of nodes, and nodes of other types are allowed"
        yield f"{INSTANCE_TYPE_FIELD} has no effect beside resource.preferredNodes: {others}"


def _of_instance_type(resource: Resource) -> FoundGpus:
    whole = find_instance_type(resource.instance_type or DEFAULT_INSTANCE_TYPE)
    if not resource.instance_type and resource.partition is not None and not _has_part(whole, resource.partition):
        text = f"{_PARTITION} needs GPUs that no node has according to its labels"
        remedy = f"label the nodes ({_LABELS}), or set {INSTANCE_TYPE_FIELD}"
        raise UnresolvedError(problem=Problem(LinkName.WORKLOAD, "GPUsUnknown", f"{text}; {remedy}"))
    gpus = _part(whole, resource.partition, {})
    if gpus is None and resource.partition is not None:
        remedy = "set a profile of that GPU, or use nodes whose GPUs can be partitioned"
        raise SpecError(f"{_PARTITION}.profile", f"{resource.partition.profile} is no MIG profile of {whole.gpu}", remedy)
    if resource.instance_type or gpus is None:
        return FoundGpus(gpus or whole)
    note = f"sized for {whole.name}, unless matching nodes have labels of other GPUs; set {INSTANCE_TYPE_FIELD}"
    return FoundGpus(gpus, assumed=f"no node tells its GPUs, so {whole.name} is assumed", notes=(note,))


def _has_part(node: NodeGpus, partition: Partition) -> bool:
    """Whether nodes like `node` have such a part."""
    if partition.profile is not None:
        return mig_instance(node, partition.profile, {}) is not None
    return (partition.count or 1) <= node.gpus


def _matching(resource: Resource, nodes: Iterable[Node]) -> Iterator[Node]:
    names, selects = frozenset(resource.preferred_nodes or ()), selecting(resource.label_selector)
    for node in nodes:
        if (not names or node.meta.ref.name in names) and selects(node.labels):
            yield replace(node, labels=with_gpu_labels(node.labels, _by_instance_type(node.labels)))


def _by_instance_type(labels: Mapping[str, str]) -> NodeGpus | None:
    return instance_types().get(labels.get(INSTANCE_TYPE_LABEL, ""))


def _weakest(found: list[tuple[NodeGpus, Node]]) -> tuple[NodeGpus, Node]:
    """Return the GPUs with the least memory each, as few as any node has, and their node: the scheduler may choose any of the nodes."""
    gpus, node = min(found, key=lambda pair: (pair[0].gpu_memory_gib, pair[0].gpus))
    alike = [other for other, _ in found if other.resource == gpus.resource]
    capabilities = [other.compute_capability for other in alike if other.compute_capability is not None]
    fewest, oldest = min(other.gpus for other in alike), min(capabilities, default=None)
    return gpus.model_copy(update={"gpus": fewest, "compute_capability": oldest}), node


def _differences(found: list[tuple[NodeGpus, Node]]) -> Iterator[str]:
    """Yield a warning for the author if the nodes have different GPUs."""
    kinds = {f"{gpus.gpus} x {gpus.gpu}": node for gpus, node in reversed(found)}
    if len(kinds) > 1:
        listed = ", ".join(f"{node.meta.ref.name} with {kind}" for kind, node in [*reversed(kinds.items())][:_MOST_NAMED])
        yield (
            f"the nodes differ ({listed}): sized for the least memory and the fewest GPUs of them, because the pods may run on each; "
            "select nodes that are alike in resource.labelSelector"
        )


def _of_node(labels: Mapping[str, str], partition: Partition | None) -> NodeGpus | None:
    """Return the GPUs, by the labels of GPU feature discovery, else by the instance type; None if neither is known."""
    found = gpus_from_labels(labels)
    if found is None and "-MIG-" not in labels.get(PRODUCT_LABEL, ""):
        found = _by_instance_type(labels)
    return _part(found, partition, labels) if found is not None else None


def _part(node: NodeGpus, partition: Partition | None, labels: Mapping[str, str]) -> NodeGpus | None:
    """Return the part of `node` that a pod gets; None if there is no such part.

    Raises:
        SpecError: a pod cannot use so many of them.
    """
    if partition is None:
        return node
    count, path = partition.count or 1, f"{_PARTITION}.count"
    if partition.profile is not None:
        if count > 1:
            problem = f"is {count}, but vLLM cannot split a model over MIG instances"
            raise SpecError(path, problem, "set 1, or a larger profile; more copies come with more replicas")
        return mig_instance(node, partition.profile, labels)
    if count > node.gpus:
        raise SpecError(path, f"is {count}, but {node.name} has {node.gpus} GPU(s) for a pod", f"set at most {node.gpus}")
    return node.model_copy(update={"gpus": count})


def _doubts(resource: Resource, unknown: list[Node], smallest: Node) -> Iterator[str]:
    """Yield warnings for the author about the nodes whose GPUs are `unknown`, and the one for which the model is sized."""
    if unknown and _is_selective(resource):
        yield f"{_named(unknown)}: GPUs not known, so the model is sized without them"
    sharing = pods_per_gpu(smallest.labels)
    if sharing > 1 and not divides_memory(smallest.labels):
        remedy = "set gpu-memory-utilization in the ConfigMap of inference.config, if other pods use it at the same time"
        yield f"{_named([smallest])}: each GPU is shared by up to {sharing} pods, but the model is sized for all of its memory; {remedy}"


def _check_unknown(resource: Resource, unknown: list[Node]) -> None:
    """Check that the pods would not run on nodes whose GPUs are `unknown`, sized for other ones.

    Raises:
        UnresolvedError: they would.
    """
    visible = [node for node in unknown if PRODUCT_LABEL in node.labels or any(map(_is_of_other_vendor, node.labels))]
    suspects = visible or (unknown if _is_selective(resource) else [])
    if suspects:
        raise UnresolvedError(problem=Problem(LinkName.WORKLOAD, "GPUsUnknown", _why_unknown(suspects, resource.partition)))


def _why_unknown(nodes: list[Node], partition: Partition | None) -> str:
    first = nodes[0].labels
    product = first.get(PRODUCT_LABEL)
    if partition is not None and partition.profile is not None and _of_node(first, None) is not None:
        return f"{_named(nodes)}: no MIG instances of profile {partition.profile}; set another {_PARTITION}.profile"
    if product is not None:
        return f"{_named(nodes)}: memory of {product} is not known; set the label {MEMORY_LABEL}, in MiB, or {INSTANCE_TYPE_FIELD}"
    if any(map(_is_of_other_vendor, first)):
        return f"{_named(nodes)}: accelerators of this kind are not supported; select nodes with NVIDIA GPUs, or use inference.template"
    needed = f"{_LABELS} (set by GPU feature discovery), or an instance type of the catalog"
    return (
        f"{_named(nodes)}: GPUs not known, because the labels {needed} are missing; label the nodes, or set {INSTANCE_TYPE_FIELD}"
    )


def _is_selective(resource: Resource) -> bool:
    """Whether the user has described the nodes; otherwise nodes without GPUs match, too."""
    selector = resource.label_selector
    return bool(resource.preferred_nodes or selector.match_labels or selector.match_expressions)


def _is_of_other_vendor(label: str) -> bool:
    return label.startswith(_OTHER_VENDORS)


def _named(nodes: list[Node]) -> str:
    names = ", ".join(node.meta.ref.name for node in nodes[:_MOST_NAMED])
    more = f" and {len(nodes) - _MOST_NAMED} more" if len(nodes) > _MOST_NAMED else ""
    return f"Node{'s' if len(nodes) > 1 else ''} {names}{more}"


def _format(gpus: NodeGpus) -> str:
    fields = {name: value for name, value in gpus.model_dump(exclude_defaults=True).items() if name in NodeGpus.model_fields}
    return json.dumps(fields, sort_keys=True)


def _parse(text: str) -> NodeGpus | None:
    """Return the GPUs in the annotation; a value that we did not write is ignored."""
    try:
        found = NodeGpus.model_validate_json(text) if text and len(text) <= LONGEST_NODE_GPUS else None
    except ValidationError:
        return None
    return found if found is not None and found.gpus <= _MOST_GPUS else None
