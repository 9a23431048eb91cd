"""How much of a node a model takes: GPUs, longest context, or a refusal with the arithmetic.

Per GPU, vLLM may use `GPU_MEMORY_UTILIZATION` of the memory; weights take 2 % more than their files, and the runtime `RUNTIME_GIB`
(figures: KAITO v0.7.2, pkg/workspace/estimator). What is left is KV cache, from which the longest context follows.
"""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.instance_types import InstanceType
from workspace_ctrl.catalog.presets import PresetModel

GPU_MEMORY_UTILIZATION: Final = 0.84
_WEIGHTS_FACTOR = 1.02
_RUNTIME_GIB = 2.3
_GIB = 2**30
_CONTEXT_STEP = 256
_SHORTEST_CONTEXT = 2048
"""A model that cannot hold this many tokens is not worth starting, unless it was made for fewer."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a model is placed on one node."""

    gpus: int
    """GPUs that the pod asks for; also vLLM's tensor-parallel size."""
    max_model_len: int
    """Longest context in tokens that the KV cache can hold."""
    explanation: str


def size(preset: PresetModel, node: InstanceType) -> Sizing:
    """Return how `preset` is placed on one node of the type `node`.

    Raises:
        SpecError: it does not fit; the message has the arithmetic.
    """
    gpus = node.gpus if preset.tensor_parallel else 1
    usable = node.gpu_memory_gib / node.gpus * GPU_MEMORY_UTILIZATION
    weights = preset.weights_gib * _WEIGHTS_FACTOR / gpus
    cache = usable - weights - _RUNTIME_GIB
    tokens = int(cache * _GIB / (preset.kv_bytes_per_token / gpus))
    length = min(preset.context_limit, tokens) // _CONTEXT_STEP * _CONTEXT_STEP
    if length < min(_SHORTEST_CONTEXT, preset.context_limit):
        raise SpecError(
            "resource.instanceType",
            f"{node.name} is too small for {preset.name}: of {usable:.1f} GiB usable on each of {gpus} GPU(s), weights take "
            f"{weights:.1f} and the runtime {_RUNTIME_GIB}, which leaves {max(cache, 0.0):.1f} GiB of KV cache, "
            f"{max(length, 0)} tokens",
            "choose an instance type with more GPU memory",
        )
    return Sizing(
        gpus=gpus,
        max_model_len=length,
        explanation=f"1 x {node.name}: {weights * gpus:.1f} GiB weights and {cache * gpus:.1f} GiB KV cache on {gpus} x {node.gpu}, "
        f"context {length} tokens",
    )
