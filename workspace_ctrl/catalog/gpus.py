"""GPUs: their memory and capabilities, by name and by the node labels of GPU feature discovery."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from pydantic import Field

from workspace_ctrl.catalog.data_files import Row, load

_MIB_PER_GIB = 1024
_NOMINAL = 1.06
"""Memory in the name of a MIG profile, in units of what the instance has at least."""
PRODUCT_LABEL: Final = "nvidia.com/gpu.product"
MEMORY_LABEL: Final = "nvidia.com/gpu.memory"
"""In MiB."""
REPLICAS_LABEL: Final = "nvidia.com/gpu.replicas"
"""How many pods share each GPU."""
SHARING_LABEL: Final = "nvidia.com/gpu.sharing-strategy"


class Gpu(Row):
    """A kind of GPU."""

    name: str
    memory_gib: float = Field(gt=0, le=1e6, allow_inf_nan=False)
    compute_capability: float
    """NVIDIA's compute capability, such as 8.0 for Ampere."""
    products: tuple[str, ...] = ()
    """Values of the node label `nvidia.com/gpu.product`."""
    mig: bool = False
    """Whether it can be partitioned."""


class NodeGpus(Row):
    """The GPUs of one node, for the sizing."""

    name: str
    """Name of the nodes in messages: an instance type, or a text from their labels."""
    gpu: str
    """Name of the GPU."""
    gpus: int = Field(gt=0)
    """Number of GPUs that a pod on this node can use together."""
    gpu_memory_gib: float = Field(gt=0, le=1e6, allow_inf_nan=False)
    """Memory of each in GiB."""
    compute_capability: float | None = None
    """None if it is not known."""
    resource: str = "nvidia.com/gpu"
    """Extended resource with which a pod requests them."""

    @property
    def memory_gib(self) -> float:
        """Memory of all GPUs of the node in GiB."""
        return self.gpus * self.gpu_memory_gib


@cache
def gpus() -> Mapping[str, Gpu]:
    """Return all GPUs by name."""
    return {entry.name: entry for entry in load("gpus.yaml", "gpus", Gpu)}


@cache
def _by_product() -> Mapping[str, Gpu]:
    return {product: gpu for gpu in gpus().values() for product in gpu.products}


def gpus_from_labels(labels: Mapping[str, str]) -> NodeGpus | None:
    """Return the GPUs in a node's labels (`nvidia.com/gpu.*`); None if the labels do not contain the memory.

    If GPUs are shared between pods or partitioned (MIG), a pod gets one, because tensor parallelism does not work across them. Pods that
    share a GPU by MPS get a part of its memory each; with time slicing, each may use all of it.
    """
    label = labels.get(PRODUCT_LABEL, "")
    product = label.removesuffix("-SHARED").partition("-MIG-")[0]
    known = _by_product().get(product)
    memory = (_number(labels, MEMORY_LABEL) or 0) / _MIB_PER_GIB
    if not memory and known and "-MIG-" not in label:
        memory = known.memory_gib
    if not memory:
        return None
    if divides_memory(labels):
        memory /= max(1, pods_per_gpu(labels))
    return NodeGpus(
        name=f"node with {label or 'NVIDIA GPU'}",
        gpu=label or "NVIDIA GPU",
        gpus=(_number(labels, "nvidia.com/gpu.count") or 1) if product == label else 1,
        gpu_memory_gib=memory,
        compute_capability=_compute_capability(labels) or (known.compute_capability if known else None),
    )


def pods_per_gpu(labels: Mapping[str, str]) -> int:
    """Return how many pods share each GPU of a node with `labels`; 1 if none do."""
    return _number(labels, REPLICAS_LABEL) or 1


def divides_memory(labels: Mapping[str, str]) -> bool:
    """Whether pods that share a GPU of a node with `labels` get a part of its memory each (MPS)."""
    return labels.get(SHARING_LABEL) == "mps"


def mig_instance(node: NodeGpus, profile: str, labels: Mapping[str, str]) -> NodeGpus | None:
    """Return one MIG instance of `profile` on `node`, whose labels may contain its memory; None if its GPUs have no such instances."""
    nominal = int(profile.partition(".")[2].partition("gb")[0])
    product = labels.get(PRODUCT_LABEL, "")
    whole = gpus().get(node.gpu) or _by_product().get(product.partition("-MIG-")[0])
    if whole is not None and (not whole.mig or nominal > whole.memory_gib * _NOMINAL):
        return None
    is_single = "-MIG-" in product
    if is_single and not product.endswith(f"-MIG-{profile.replace('+', '.')}"):
        return None
    resource = f"mig-{profile.replace('+', '.')}"
    labelled = node.gpu_memory_gib if is_single else (_number(labels, f"nvidia.com/{resource}.memory") or 0) / _MIB_PER_GIB
    return NodeGpus(
        name=f"{node.name} (MIG {profile})",
        gpu=f"{node.gpu.partition('-MIG-')[0]} MIG {profile}",
        gpus=1,
        gpu_memory_gib=labelled or nominal / _NOMINAL,
        compute_capability=node.compute_capability,
        resource="nvidia.com/gpu" if is_single else f"nvidia.com/{resource}",
    )


def _compute_capability(labels: Mapping[str, str]) -> float | None:
    major = _number(labels, "nvidia.com/gpu.compute.major")
    return None if major is None else float(f"{major}.{_number(labels, 'nvidia.com/gpu.compute.minor') or 0}")


def _number(labels: Mapping[str, str], label: str) -> int | None:
    text = labels.get(label, "")
    return int(text) if re.fullmatch(r"[0-9]{1,8}", text) else None
