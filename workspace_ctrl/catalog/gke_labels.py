"""GPUs that GKE shares or partitions: it runs no GPU feature discovery, so only labels of its own tell that a pod gets less than a GPU."""

import re
from collections.abc import Mapping
from typing import Final

from workspace_ctrl.catalog.gpus import MEMORY_LABEL, PRODUCT_LABEL, REPLICAS_LABEL, SHARING_LABEL, NodeGpus, gpus, mig_instance

_PARTITION: Final = "cloud.google.com/gke-gpu-partition-size"
_STRATEGY: Final = "cloud.google.com/gke-gpu-sharing-strategy"
_CLIENTS: Final = "cloud.google.com/gke-max-shared-clients-per-gpu"
_PROFILE: Final = re.compile(r"[1-7]g\.[0-9]{1,3}gb")
_MIB_PER_GIB: Final = 1024


def with_gpu_labels(labels: Mapping[str, str], node: NodeGpus | None) -> Mapping[str, str]:
    """Return `labels` with those that GPU feature discovery would set for what GKE's own labels tell; as they are if there is nothing.

    `node` has the whole GPUs of the node's instance type; None if that is not known. A partition that its GPUs cannot have gets no memory
    label, so the size of the GPUs counts as not known.
    """
    if node is None or PRODUCT_LABEL in labels or not (_PARTITION in labels or _CLIENTS in labels):
        return labels
    gpu = gpus().get(node.gpu)
    product = next(iter(gpu.products if gpu is not None else ()), node.gpu.replace(" ", "-"))
    found = {**labels, **_sharing(labels)}
    profile = labels.get(_PARTITION)
    if profile is None:
        return {**found, PRODUCT_LABEL: f"{product}-SHARED", MEMORY_LABEL: _mib(node.gpu_memory_gib)}
    instance = mig_instance(node, profile, {}) if _PROFILE.fullmatch(profile) else None
    memory = {MEMORY_LABEL: _mib(instance.gpu_memory_gib)} if instance is not None else {}
    return {**found, **memory, PRODUCT_LABEL: f"{product}-MIG-{profile}"}


def _sharing(labels: Mapping[str, str]) -> Mapping[str, str]:
    if _CLIENTS not in labels:
        return {}
    return {REPLICAS_LABEL: labels[_CLIENTS], SHARING_LABEL: "mps" if labels.get(_STRATEGY) == "mps" else "time-slicing"}


def _mib(gib: float) -> str:
    return str(int(gib * _MIB_PER_GIB))
