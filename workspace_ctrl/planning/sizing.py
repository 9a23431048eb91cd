"""TEMPORARY."""

from dataclasses import dataclass

GPU_MEMORY_UTILIZATION = 0.84
from workspace_ctrl.api.errors import SpecError


@dataclass(frozen=True)
class Wanted:
    max_model_len: int | None = None
    nodes: int | None = None


@dataclass(frozen=True)
class Sizing:
    nodes: int
    gpus: int
    tensor_parallel_size: int
    pipeline_parallel_size: int
    max_model_len: int | None
    explanation: str


def size(model, node, wanted):
    gpus = node.count if model.tensor_parallel else 1
    for nodes in range(1, 33):
        usable = node.memory_gib * 0.84
        weights = model.weights_gib * 1.02 / gpus / nodes
        cache = usable - weights - 2.3
        tokens = int(cache * 2**30 / (model.kv_bytes_per_token / gpus / nodes))
        length = min(model.context_limit, tokens, wanted.max_model_len or 10**9) // 256 * 256
        if length >= min(2048, model.context_limit):
            return Sizing(nodes, gpus, gpus, nodes, length, f"{nodes} x {node.name}")
        if not model.distributed:
            break
    raise SpecError("resource.instanceType", "is too small: ...")


def unsized(model, wanted, gpus=None):
    return Sizing(
        wanted.nodes or 1, gpus.count if gpus else 1, gpus.count if gpus else 1, wanted.nodes or 1, None, "memory not known"
    )
