"""How a model is placed on nodes: how many, how it is split over their GPUs, and the longest context, or a refusal with the arithmetic.

Per GPU, vLLM may use `GPU_MEMORY_UTILIZATION` of the memory; weights take 2 % more than their files, and the runtime 2.3 GiB (figures:
KAITO v0.7.2, pkg/workspace/estimator). What is left is KV cache, from which the longest context follows. docs/concepts/sizing.md explains.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.gpus import NodeGpus
from workspace_ctrl.catalog.instance_types import InstanceType, instance_types
from workspace_ctrl.catalog.presets import PresetModel

GPU_MEMORY_UTILIZATION: Final = 0.84
_WEIGHTS_FACTOR = 1.02
_WEIGHTS_FACTOR_WITHOUT_KV = 1.2
"""Room for a cache of unknown size."""
_RUNTIME_GIB = 2.3
_GIB = 2**30
_CONTEXT_STEP = 256
_SHORTEST_CONTEXT = 2048
"""A model that cannot hold this many tokens is not worth starting, unless it was made for fewer."""
_LONGEST_CONTEXT = 10**9
"""Where the model's own limit is not known."""
_MOST_NODES = 64
"""Limit where the number of layers, which is the real one, is not known."""
_BFLOAT16_CAPABILITY = 8.0
_NODES = "resource.instanceType"
_LENGTH = "inference.config"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asks of the sizing."""

    max_model_len: int | None = None
    """Longest context in tokens; None: as long as fits."""
    nodes: int | None = None
    """Number of nodes, heeded where the memory cannot tell how many the model needs."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a model is placed."""

    nodes: int
    gpus: int
    """GPUs that the pod on each node asks for."""
    max_model_len: int | None
    """Longest context in tokens; None leaves it to vLLM."""
    explanation: str
    flags: tuple[str, ...] = ()
    """Flags of `vllm serve` that these GPUs need, besides the model's own."""

    @property
    def tensor_parallel_size(self) -> int:
        """Number of GPUs that each layer is split over: those of a node."""
        return self.gpus

    @property
    def pipeline_parallel_size(self) -> int:
        """Number of stages that the layers are dealt out to: one for each node."""
        return self.nodes


@dataclass(frozen=True, slots=True)
class _Placement:
    """Memory on the fullest GPU, in GiB."""

    usable: float
    weights: float
    kv_per_token: float | None

    @property
    def cache(self) -> float:
        """What is left for the KV cache."""
        return self.usable - self.weights - _RUNTIME_GIB

    def holds(self, tokens: int) -> bool:
        return self.cache >= (self.kv_per_token or 0) * tokens

    def most_tokens(self, limit: int) -> int:
        """Return how many tokens fit, at most `limit`, in whole blocks unless it is the limit itself."""
        if self.kv_per_token is None or self.holds(limit):
            return limit
        return int(max(self.cache, 0) / self.kv_per_token) // _CONTEXT_STEP * _CONTEXT_STEP


def size(model: PresetModel, node: NodeGpus, wanted: Wanted = Wanted()) -> Sizing:
    """Return how `model` is placed on nodes like `node`: on as few as hold the wanted context, there with the longest that fits.

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
    """Return the placement on `nodes` nodes for somebody who knows better than the arithmetic; vLLM decides about the context."""
    count = min(max(nodes, 1), _most_nodes(model))
    text = f"{count} x {node.name}: whether {model.name} fits was not checked, as the Workspace asks"
    gpus = _tensor_parallel_size(model, node.gpus)
    return Sizing(nodes=count, gpus=gpus, max_model_len=None, explanation=text, flags=_dtype(model, node))


def _shortest_context(model: PresetModel, wanted: Wanted) -> int:
    """Return the context in tokens that must fit."""
    limit, asked = model.context_limit or _LONGEST_CONTEXT, wanted.max_model_len
    if asked is None:
        return min(_SHORTEST_CONTEXT, limit)
    if asked < 1:
        raise SpecError(_LENGTH, f"asks for max-model-len {asked}", "ask for at least 1, or leave it out")
    if asked > limit:
        problem = f"asks for max-model-len {asked}, and {model.name} was made for at most {limit} tokens"
        raise SpecError(_LENGTH, problem, f"ask for {limit} or less, or leave it out")
    return asked


def _context(model: PresetModel, placement: _Placement, wanted: Wanted) -> int | None:
    limit = wanted.max_model_len or model.context_limit
    if limit is None or (model.kv_bytes_per_token is None and wanted.max_model_len is None):
        return None
    return placement.most_tokens(limit)


def _tensor_parallel_size(model: PresetModel, gpus: int) -> int:
    """Return the largest number of at most `gpus` GPUs that the model's heads can be dealt out to.

    vLLM wants the attention heads to divide evenly, and those of keys and values to divide or to be repeated evenly. Where the heads are
    not known, powers of two are safe.
    """
    if not model.tensor_parallel:
        return 1
    heads, kv_heads = model.attention_heads, model.kv_heads or 1
    if heads is None:
        return int(2 ** (gpus.bit_length() - 1))
    return max(n for n in range(1, min(gpus, heads) + 1) if heads % n == 0 and (kv_heads % n == 0 or n % kv_heads == 0))


def _placement(model: PresetModel, node: NodeGpus, nodes: int) -> _Placement:
    """Return the memory on the fullest GPU: that of the stage with most layers, where they do not divide evenly."""
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
    """Return the smallest number of nodes that hold `tokens`; None where none does. More nodes never hold less."""
    choices = range(1, _most_nodes(model) + 1)
    index = bisect_left(choices, True, key=lambda nodes: _placement(model, node, nodes).holds(tokens))  # noqa: FBT003 - what is searched
    return choices[index] if index < len(choices) else None


def _too_old(model: PresetModel, node: NodeGpus) -> bool:
    needed, has = model.min_compute_capability, node.compute_capability
    return needed is not None and has is not None and has < needed


def _check_compute_capability(model: PresetModel, node: NodeGpus, wanted: Wanted) -> None:
    if _too_old(model, node):
        problem = f"{node.name} has {node.gpu} of compute capability {node.compute_capability}, and {model.name} needs"
        raise SpecError(_NODES, f"{problem} {model.min_compute_capability} or newer", _remedy(model, node, wanted))


def _dtype(model: PresetModel, node: NodeGpus) -> tuple[str, ...]:
    """Return float16 for GPUs that do not know bfloat16, in which most models are stored."""
    old = node.compute_capability is not None and node.compute_capability < _BFLOAT16_CAPABILITY
    return ("--dtype=float16",) if old and not any(flag.startswith("--dtype") for flag in model.flags) else ()


def _too_small(model: PresetModel, node: NodeGpus, wanted: Wanted) -> SpecError:
    """Return the refusal, with the memory on one GPU when the model is spread as far as it can be."""
    nodes, gpus = _most_nodes(model), _tensor_parallel_size(model, node.gpus)
    placement, tokens = _placement(model, node, nodes), _shortest_context(model, wanted)
    need = (placement.kv_per_token or 0) * tokens
    spread = f"{gpus} GPU(s)" if nodes == 1 else f"{nodes} x {gpus} GPU(s)"
    problem = (
        f"{node.name} is too small for {model.name}: of {placement.usable:.1f} GiB usable on each of {spread}, weights take "
        f"{placement.weights:.1f} and the runtime {_RUNTIME_GIB}, which leaves {max(placement.cache, 0):.1f} GiB of KV cache, "
        f"and {tokens} tokens take {need:.1f}"
    )
    return SpecError(_NODES, problem, _remedy(model, node, wanted))


def _remedy(model: PresetModel, node: NodeGpus, wanted: Wanted) -> str:
    """Name the nodes of the same provider with the least GPU memory in all on which the model fits."""
    provider = node.provider if isinstance(node, InstanceType) else None
    fits = [
        (nodes * other.memory_gib, nodes, other.name)  # ties: the catalog's order
        for other in instance_types().values()
        if other.provider == provider and not _too_old(model, other)
        if (nodes := _fewest_nodes(model, other, _shortest_context(model, wanted))) is not None
    ]
    if not fits:
        return "choose nodes with more GPU memory, or a smaller or quantized model"
    _, nodes, name = min(fits, key=lambda fit: fit[:2])
    return f"the smallest that it fits on is {name}" + (f", {nodes} of them" if nodes > 1 else "")


def _explanation(model: PresetModel, node: NodeGpus, nodes: int, length: int | None) -> str:
    gpus = _tensor_parallel_size(model, node.gpus)
    placement, count = _placement(model, node, nodes), nodes * gpus
    split = f" (tensor {gpus} x pipeline {nodes})" if count > 1 else ""
    return (
        f"{nodes} x {node.name}: {model.weights_gib * _WEIGHTS_FACTOR:.1f} GiB weights and {placement.cache * count:.1f} GiB KV cache "
        f"on {count} x {node.gpu}{split}, context {f'{length} tokens' if length else 'chosen by vLLM'}"
    )
