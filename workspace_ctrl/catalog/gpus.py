"""GPUs: their memory and capabilities, by name and by the node labels of GPU feature discovery."""

import re
from collections.abc import Mapping
from functools import cache

from pydantic import Field

from workspace_ctrl.catalog.data_files import Row, load

_MIB_PER_GIB = 1024


class Gpu(Row):
    """A kind of GPU."""

    name: str
    memory_gib: float = Field(gt=0, le=1e6, allow_inf_nan=False)
    compute_capability: float
    """NVIDIA's compute capability, such as 8.0 for Ampere."""
    products: tuple[str, ...] = ()
    """Values of the node label `nvidia.com/gpu.product`."""


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

    If GPUs are shared between pods or partitioned (MIG), a pod gets one, because tensor parallelism does not work across them.
    """
    label = labels.get("nvidia.com/gpu.product", "")
    product = label.removesuffix("-SHARED").partition("-MIG-")[0]
    known = _by_product().get(product)
    memory = (_number(labels, "nvidia.com/gpu.memory") or 0) / _MIB_PER_GIB
    if not memory and known and product == label:
        memory = known.memory_gib
    if not memory:
        return None
    return NodeGpus(
        name=f"node with {label or 'NVIDIA GPU'}",
        gpu=label or "NVIDIA GPU",
        gpus=(_number(labels, "nvidia.com/gpu.count") or 1) if product == label else 1,
        gpu_memory_gib=memory,
        compute_capability=_compute_capability(labels) or (known.compute_capability if known else None),
    )


def _compute_capability(labels: Mapping[str, str]) -> float | None:
    major = _number(labels, "nvidia.com/gpu.compute.major")
    return None if major is None else float(f"{major}.{_number(labels, 'nvidia.com/gpu.compute.minor') or 0}")


def _number(labels: Mapping[str, str], label: str) -> int | None:
    text = labels.get(label, "")
    return int(text) if re.fullmatch(r"[0-9]{1,8}", text) else None
