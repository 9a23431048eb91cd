"""How a model is placed on nodes: their number, the split over their GPUs, and the context length; or an error with the arithmetic.

Per GPU, vLLM may use `GPU_MEMORY_UTILIZATION` of the memory; weights take 2 % more than their files, and the runtime 2.3 GiB (figures:
KAITO v0.7.2, pkg/workspace/estimator). The rest is KV cache, which limits the context length. Explanation: docs/concepts/sizing.md.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.gpus import NodeGpus
from workspace_ctrl.catalog.instance_types import INSTANCE_TYPE_FIELD, InstanceType, instance_types
from workspace_ctrl.catalog.presets import PresetModel

GPU_MEMORY_UTILIZATION: Final = 0.84
_WEIGHTS_FACTOR = 1.02
_WEIGHTS_FACTOR_WITHOUT_KV = 1.2
"""Factor that leaves room for a KV cache of unknown size."""
_RUNTIME_GIB = 2.3
_GIB = 2**30
_CONTEXT_STEP = 256
_SHORTEST_CONTEXT = 2048
"""Minimum context in tokens for which a model is started, unless the model's own limit is lower."""
_LONGEST_CONTEXT = 10**9
"""Used if the model's own limit is not known."""
_MOST_NODES = 64
"""Limit if the number of layers, which is the real limit, is not known."""
_BFLOAT16_CAPABILITY = 8.0
_LENGTH = "inference.config"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The user's requirements."""

    max_model_len: int | None = None
    """Context length in tokens; None for the longest that fits."""
    nodes: int | None = None
    """Number of nodes; used only if it cannot be computed from the memory."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a model is placed."""

    nodes: int
    gpus: int
    """GPUs that the pod on each node requests."""
    max_model_len: int | None
    """Context length in tokens; None for vLLM's default."""
    explanation: str
    flags: tuple[str, ...] = ()
    """Flags of `vllm serve` that these GPUs need, in addition to the model's own."""

    @property
    def tensor_parallel_size(self) -> int:
        """Number of GPUs over which each layer is split: those of one node."""
        return self.gpus

    @property
    def pipeline_parallel_size(self) -> int:
        """Number of pipeline stages: one for each node."""
        return self.nodes


@dataclass(frozen=True, slots=True)
class _Placement:
    """Memory on the fullest GPU, in GiB."""

    usable: float
    weights: float
    kv_per_token: float | None

    @property
    def cache(self) -> float:
        """Memory that is left for the KV cache."""
        return self.usable - self.weights - _RUNTIME_GIB

    def holds(self, tokens: int) -> bool:
        return self.cache >= (self.kv_per_token or 0) * tokens

    def most_tokens(self, limit: int) -> int:
        """Return how many tokens fit, at most `limit`, in whole blocks unless it is the limit itself."""
        if self.kv_per_token is None or self.holds(limit):
            return limit
        return int(max(self.cache, 0) / self.kv_per_token) // _CONTEXT_STEP * _CONTEXT_STEP


def size(model: PresetModel, node: NodeGpus, wanted: Wanted = Wanted()) -> Sizing:
    """Return how `model` is placed on nodes like `node`: on the fewest that hold the wanted context, with the longest context that fits.

    Raises:
        SpecError: it does not fit, with the arithmetic; the GPUs are too old; or the wanted context is longer than the model's.
    """
    shortest = _shortest_context(model, wanted)
    _check_compute_capability(model, node, wanted)
    nodes = _fewest_nodes(model, node, shortest)
    if nodes is None:
        raise _too_small(model, node, wanted)
    if model.kv_bytes_per_token is None:
        nodes = min(max(nodes, wanted.nodes or 1), _most_nodes(model))
    gpus = _tensor_parallel_size(model, node.gpus)
    length = _context(model, _placement(model, node, nodes), wanted)
    return Sizing(
        nodes=nodes,
        gpus=gpus,
        max_model_len=length,
        explanation=_explanation(model, node, nodes, length),
        flags=_dtype(model, node),
    )


def unchecked(model: PresetModel, node: NodeGpus, nodes: int) -> Sizing:
    """Return the placement on `nodes` nodes without a check of the memory; vLLM determines the context."""
    count = min(max(nodes, 1), _most_nodes(model))
    text = f"{count} x {node.name}: memory for {model.name} not checked, as requested by annotation"
    gpus = _tensor_parallel_size(model, node.gpus)
    return Sizing(nodes=count, gpus=gpus, max_model_len=None, explanation=text, flags=_dtype(model, node))


def _shortest_context(model: PresetModel, wanted: Wanted) -> int:
    """Return the minimum context in tokens that must fit."""
    limit, asked = model.context_limit or _LONGEST_CONTEXT, wanted.max_model_len
    if asked is None:
        return min(_SHORTEST_CONTEXT, limit)
    if asked < 1:
        raise SpecError(_LENGTH, f"sets max-model-len to {asked}", "set at least 1, or remove it")
    if asked > limit:
        problem = f"sets max-model-len to {asked}, but {model.name} supports at most {limit} tokens"
        raise SpecError(_LENGTH, problem, f"set at most {limit}, or remove it")
    return asked


def _context(model: PresetModel, placement: _Placement, wanted: Wanted) -> int | None:
    limit = wanted.max_model_len or model.context_limit
    if limit is None or (model.kv_bytes_per_token is None and wanted.max_model_len is None):
        return None
    return placement.most_tokens(limit)


def _tensor_parallel_size(model: PresetModel, gpus: int) -> int:
    """Return the largest number of GPUs, at most `gpus`, over which the model can be split.

    vLLM requires that this number divides the attention heads, and that it divides the KV heads or is a multiple of them. If the numbers
    of heads are not known, powers of two are safe.
    """
    if not model.tensor_parallel:
        return 1
    heads, kv_heads = model.attention_heads, model.kv_heads or 1
    if heads is None:
        return int(2 ** (gpus.bit_length() - 1))
    return max(n for n in range(1, min(gpus, heads) + 1) if heads % n == 0 and (kv_heads % n == 0 or n % kv_heads == 0))


def _placement(model: PresetModel, node: NodeGpus, nodes: int) -> _Placement:
    """Return the memory on the fullest GPU, which belongs to the stage with most layers if they do not divide evenly."""
    gpus = _tensor_parallel_size(model, node.gpus)
    stage = ceil(model.layers / nodes) / model.layers if model.layers else 1 / nodes
    kv_bytes = model.kv_bytes_per_token
    factor = _WEIGHTS_FACTOR_WITHOUT_KV if kv_bytes is None else _WEIGHTS_FACTOR
    return _Placement(
        usable=node.gpu_memory_gib * GPU_MEMORY_UTILIZATION,
        weights=model.weights_gib * factor * stage / gpus,
        kv_per_token=None if kv_bytes is None else kv_bytes / _GIB * stage / min(gpus, model.kv_heads or 1),
    )


def _most_nodes(model: PresetModel) -> int:
    if not (model.distributed and model.tensor_parallel):
        return 1
    return model.layers or _MOST_NODES


def _fewest_nodes(model: PresetModel, node: NodeGpus, tokens: int) -> int | None:
    """Return the smallest number of nodes that hold `tokens`, or None if no number does. More nodes never hold fewer tokens."""
    choices = range(1, _most_nodes(model) + 1)
    index = bisect_left(choices, True, key=lambda nodes: _placement(model, node, nodes).holds(tokens))  # noqa: FBT003 - the searched value
    return choices[index] if index < len(choices) else None


def _too_old(model: PresetModel, node: NodeGpus) -> bool:
    needed, has = model.min_compute_capability, node.compute_capability
    return needed is not None and has is not None and has < needed


def _check_compute_capability(model: PresetModel, node: NodeGpus, wanted: Wanted) -> None:
    if _too_old(model, node):
        problem = f"{node.name} has {node.gpu} with compute capability {node.compute_capability}, but {model.name} needs"
        raise SpecError(INSTANCE_TYPE_FIELD, f"{problem} {model.min_compute_capability} or higher", _remedy(model, node, wanted))


def _dtype(model: PresetModel, node: NodeGpus) -> tuple[str, ...]:
    """Return the flag for float16 if the GPUs do not support bfloat16, in which most models are stored."""
    old = node.compute_capability is not None and node.compute_capability < _BFLOAT16_CAPABILITY
    return ("--dtype=float16",) if old and not any(flag.startswith("--dtype") for flag in model.flags) else ()


def _too_small(model: PresetModel, node: NodeGpus, wanted: Wanted) -> SpecError:
    """Return the error, with the memory on one GPU when the model is split as far as possible."""
    nodes, gpus = _most_nodes(model), _tensor_parallel_size(model, node.gpus)
    placement, tokens = _placement(model, node, nodes), _shortest_context(model, wanted)
    need = (placement.kv_per_token or 0) * tokens
    spread = f"{gpus} GPU(s)" if nodes == 1 else f"{nodes} x {gpus} GPU(s)"
    problem = (
        f"{node.name} is too small for {model.name}: of {placement.usable:.1f} GiB usable on each of {spread}, weights need "
        f"{placement.weights:.1f} and the runtime {_RUNTIME_GIB}, which leaves {max(placement.cache, 0):.1f} GiB of KV cache, "
        f"but {tokens} tokens need {need:.1f}"
    )
    return SpecError(INSTANCE_TYPE_FIELD, problem, _remedy(model, node, wanted))


def _remedy(model: PresetModel, node: NodeGpus, wanted: Wanted) -> str:
    """Return a remedy with the smallest instance type of the same provider, by total GPU memory, on which the model fits."""
    provider = node.provider if isinstance(node, InstanceType) else None
    fits = [
        (nodes * other.memory_gib, nodes, other.name)  # ties: the catalog's order
        for other in instance_types().values()
        if other.provider == provider and not _too_old(model, other)
        if (nodes := _fewest_nodes(model, other, _shortest_context(model, wanted))) is not None
    ]
    if not fits:
        return "use nodes with more GPU memory, or a smaller or quantized model"
    _, nodes, name = min(fits, key=lambda fit: fit[:2])
    return f"the smallest instance type that fits is {name}" + (f" ({nodes} nodes)" if nodes > 1 else "")


def _explanation(model: PresetModel, node: NodeGpus, nodes: int, length: int | None) -> str:
    gpus = _tensor_parallel_size(model, node.gpus)
    placement, count = _placement(model, node, nodes), nodes * gpus
    split = f" (tensor {gpus} x pipeline {nodes})" if count > 1 else ""
    return (
        f"{nodes} x {node.name}: {model.weights_gib * _WEIGHTS_FACTOR:.1f} GiB weights and {placement.cache * count:.1f} GiB KV cache "
        f"on {count} x {node.gpu}{split}, context {f'{length} tokens' if length else 'chosen by vLLM'}"
    )
