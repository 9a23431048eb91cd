"""How a model is placed on nodes: their number, the split over their GPUs, and the context length; or an error with the arithmetic.

Per GPU, vLLM may use `GPU_MEMORY_UTILIZATION` of the memory, or what the user sets. Weights and runtime are subtracted; the rest is KV
cache, which limits the context length. All flags of the user that change memory or GPUs take part. Explanation: docs/concepts/sizing.md.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.gpus import NodeGpus
from workspace_ctrl.catalog.instance_types import INSTANCE_TYPE_FIELD, InstanceType, instance_types
from workspace_ctrl.catalog.presets import PresetModel
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD
from workspace_ctrl.planning.vllm.gpu_memory import WEIGHTS_FACTOR, ModelLoad, Placement
from workspace_ctrl.planning.vllm.gpu_parallelism import Layout, layouts, requested
from workspace_ctrl.planning.vllm.memory_flags import MemorySettings

GPU_MEMORY_UTILIZATION: Final = 0.9
"""vLLM's own default until 0.21; it is 0.92 since then."""
_SHORTEST_CONTEXT = 2048
"""Minimum context in tokens for which a model is started, unless the model's own limit is lower."""
_LONGEST_CONTEXT = 10**9
"""Used if the model's own limit is not known."""
_BFLOAT16_CAPABILITY = 8.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The user's requirements."""

    max_model_len: int | None = None
    """Context length in tokens; None for the longest that fits."""
    nodes: int | None = None
    """Number of nodes; used only if it cannot be computed from the memory."""
    automatic_context: bool = False
    """Whether vLLM determines the context length when it starts."""
    settings: MemorySettings = field(default_factory=MemorySettings)
    """The flags that change memory or GPUs."""
    adapters: bool = False
    """Whether LoRA adapters are served."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a model is placed."""

    layout: Layout
    max_model_len: int | None
    """Context length in tokens; None for vLLM's default."""
    explanation: str
    flags: tuple[str, ...] = ()
    """Flags of `vllm serve` that these GPUs need, in addition to the model's own."""
    utilization: float | None = GPU_MEMORY_UTILIZATION
    """Part of the GPU memory that vLLM may use; None if the size of the KV cache is fixed."""
    automatic_context: bool = False
    gpu_resource: str = "nvidia.com/gpu"
    """Extended resource of the GPUs."""

    @property
    def nodes(self) -> int:
        """Number of nodes of one replica, with a pod on each."""
        return self.layout.nodes

    @property
    def gpus(self) -> int:
        """GPUs that the pod on each node requests."""
        return self.layout.gpus

    @property
    def tensor_parallel_size(self) -> int:
        """Number of GPUs over which each layer is split; all are on one node."""
        return self.layout.tensor

    @property
    def pipeline_parallel_size(self) -> int:
        """Number of pipeline stages."""
        return self.layout.pipeline

    @property
    def data_parallel_size(self) -> int:
        """Number of copies of the model in the pod."""
        return self.layout.data


def size(model: PresetModel, node: NodeGpus, wanted: Wanted = Wanted()) -> Sizing:
    """Return how `model` is placed on nodes like `node`: on the fewest that hold the wanted context, with the longest context that fits.

    Raises:
        SpecError: it does not fit, with the arithmetic; the GPUs are too old; the wanted context is longer than the model's; or flags of
            the user contradict the model or the nodes.
    """
    _shortest_context(model, wanted)
    _check_compute_capability(model, node, wanted)
    layout = _fewest_nodes(model, node, wanted)
    if layout is None:
        raise _too_small(model, node, wanted)
    if model.kv_bytes_per_token is None:
        layout = _at_least(layouts(model, node, wanted.settings), layout, wanted.nodes or 1)
    placement = _load(model, wanted).on(node, layout)
    length = None if wanted.automatic_context else _context(model, placement, wanted)
    return _sizing(layout, length, _explanation(model, node, layout, placement, length, wanted.settings), model, node, wanted)


def unchecked(model: PresetModel, node: NodeGpus, wanted: Wanted) -> Sizing:
    """Return the placement on the wanted number of nodes without a check of the memory; without a wanted context, vLLM determines it."""
    layout = requested(model, node, wanted.settings, wanted.nodes or 1)
    text = f"{layout.nodes} x {node.name}: memory for {model.name} not checked, as requested by annotation"
    if wanted.max_model_len is not None:
        text = f"{text}; context {wanted.max_model_len} tokens"
    return _sizing(layout, wanted.max_model_len, text, model, node, wanted)


def _sizing(  # noqa: PLR0917 - all parts of the result
    layout: Layout, length: int | None, text: str, model: PresetModel, node: NodeGpus, wanted: Wanted
) -> Sizing:
    settings = wanted.settings
    return Sizing(
        layout=layout,
        max_model_len=length,
        explanation=text,
        flags=_dtype(model, node),
        utilization=settings.utilization or (None if settings.cache_gib is not None else GPU_MEMORY_UTILIZATION),
        automatic_context=wanted.automatic_context,
        gpu_resource=node.resource,
    )


def _load(model: PresetModel, wanted: Wanted) -> ModelLoad:
    return ModelLoad(model, wanted.settings, wanted.settings.utilization or GPU_MEMORY_UTILIZATION, adapters=wanted.adapters)


def _limit(model: PresetModel, wanted: Wanted) -> int | None:
    """Return the longest context in tokens, with the user's overrides of the model's config.json."""
    settings = wanted.settings
    if settings.context_limit is not None:
        return settings.context_limit
    return None if model.context_limit is None else int(model.context_limit * settings.context_factor)


def _shortest_context(model: PresetModel, wanted: Wanted) -> int:
    """Return the minimum context in tokens that must fit."""
    limit, asked = _limit(model, wanted) or _LONGEST_CONTEXT, wanted.max_model_len
    if asked is None:
        return min(_SHORTEST_CONTEXT, limit)
    if asked < 1:
        raise SpecError(CONFIG_FIELD, f"sets max-model-len to {asked}", "set at least 1, or remove it")
    if asked > limit:
        problem = f"sets max-model-len to {asked}, but {model.name} supports at most {limit} tokens"
        remedy = f"set at most {limit}, or remove it; rope scaling in hf-overrides raises the limit of models that support it"
        raise SpecError(CONFIG_FIELD, problem, remedy)
    return asked


def _context(model: PresetModel, placement: Placement, wanted: Wanted) -> int | None:
    limit = wanted.max_model_len or _limit(model, wanted)
    if limit is None or (model.kv_bytes_per_token is None and wanted.max_model_len is None):
        return None
    return placement.most_tokens(limit)


def _fewest_nodes(model: PresetModel, node: NodeGpus, wanted: Wanted) -> Layout | None:
    """Return the layout on the fewest nodes that hold the wanted context; None if no number does. More nodes never hold fewer tokens."""
    choices, tokens, load = layouts(model, node, wanted.settings), _shortest_context(model, wanted), _load(model, wanted)
    index = bisect_left(choices, True, key=lambda layout: load.on(node, layout).holds(tokens))  # noqa: FBT003 - the searched value
    return choices[index] if index < len(choices) else None


def _at_least(choices: Sequence[Layout], found: Layout, nodes: int) -> Layout:
    """Return the first of `choices` with at least `nodes` nodes, else the last one; never before `found`."""
    later = [layout for layout in choices if layout.nodes >= found.nodes]
    return next((layout for layout in later if layout.nodes >= nodes), later[-1])


def _too_old(model: PresetModel, node: NodeGpus, wanted: Wanted) -> float | None:
    """Return the compute capability that the model, or the user's dtype, needs and `node` has not."""
    needed, has = model.min_compute_capability or 0.0, node.compute_capability
    needed = max(needed, _BFLOAT16_CAPABILITY if wanted.settings.bfloat16 else 0.0)
    return needed if has is not None and has < needed else None


def _check_compute_capability(model: PresetModel, node: NodeGpus, wanted: Wanted) -> None:
    needed = _too_old(model, node, wanted)
    if needed is not None:
        by = "bfloat16" if needed > (model.min_compute_capability or 0) else model.name
        problem = f"{node.name} has {node.gpu} with compute capability {node.compute_capability}, but {by} needs"
        otherwise = f"use GPUs with compute capability {needed} or higher, or another {'dtype' if by == 'bfloat16' else 'model'}"
        raise SpecError(INSTANCE_TYPE_FIELD, f"{problem} {needed} or higher", _remedy(model, node, wanted, otherwise))


def _dtype(model: PresetModel, node: NodeGpus) -> tuple[str, ...]:
    """Return the flag for float16 if the GPUs do not support bfloat16, in which most models are stored."""
    old = node.compute_capability is not None and node.compute_capability < _BFLOAT16_CAPABILITY
    return ("--dtype=float16",) if old and not any(flag.startswith("--dtype") for flag in model.flags) else ()


def _too_small(model: PresetModel, node: NodeGpus, wanted: Wanted) -> SpecError:
    """Return the error, with the memory on one GPU when the model is split as far as possible."""
    layout = layouts(model, node, wanted.settings)[-1]
    placement, tokens = _load(model, wanted).on(node, layout), _shortest_context(model, wanted)
    need = f"{tokens} tokens need {placement.needed(tokens):.1f}"
    if placement.fixed_cache > placement.needed(tokens):
        need = f"kv-cache-memory-bytes sets {placement.fixed_cache:.1f}"
    spread = f"{layout.gpus} GPU(s)" if layout.nodes == 1 else f"{layout.nodes} x {layout.gpus} GPU(s)"
    problem = (
        f"{node.name} is too small for {model.name}: of {placement.usable:.1f} GiB usable on each of {spread}, weights need "
        f"{placement.weights:.1f} and the runtime {placement.runtime:.1f}, which leaves {max(placement.cache, 0):.1f} GiB of KV cache, "
        f"but {need}"
    )
    return SpecError(
        INSTANCE_TYPE_FIELD,
        problem,
        _remedy(model, node, wanted, "use nodes with more GPU memory, or a smaller or quantized model"),
    )


def _remedy(model: PresetModel, node: NodeGpus, wanted: Wanted, otherwise: str) -> str:
    """Return a remedy with the smallest instance type of the same provider, by total GPU memory, on which the model fits.

    `otherwise` is the remedy if there is none, as for own nodes, whose provider is not known.
    """
    provider = node.provider if isinstance(node, InstanceType) else None
    fits = [
        (nodes * other.memory_gib, nodes, other.name)  # ties: the catalog's order
        for other in instance_types().values()
        if other.provider == provider and _too_old(model, other, wanted) is None
        if (nodes := _nodes_needed(model, other, wanted)) is not None
    ]
    if not fits:
        return otherwise
    _, nodes, name = min(fits, key=lambda fit: fit[:2])
    return f"the smallest instance type that fits is {name}" + (f" ({nodes} nodes)" if nodes > 1 else "")


def _nodes_needed(model: PresetModel, node: NodeGpus, wanted: Wanted) -> int | None:
    try:
        found = _fewest_nodes(model, node, wanted)
    except SpecError:  # the user's parallel sizes need more GPUs than such a node has
        return None
    return found.nodes if found is not None else None


def _explanation(  # noqa: PLR0917 - all that it explains
    model: PresetModel, node: NodeGpus, layout: Layout, placement: Placement, length: int | None, settings: MemorySettings
) -> str:
    count = layout.all_gpus
    split = f" ({layout})" if count > 1 else ""
    copies = f"{layout.data} copies of " if layout.data > 1 else ""
    weights = model.weights_gib * WEIGHTS_FACTOR * settings.width
    offloaded = f" ({settings.offload_gib:g} GiB for each GPU in the node's memory)" if settings.offload_gib else ""
    return (
        f"{layout.nodes} x {node.name}: {copies}{weights:.1f} GiB weights{offloaded} and {placement.cache * count:.1f} GiB "
        f"KV cache on {count} x {node.gpu}{split}, context {f'{length} tokens' if length else 'chosen by vLLM'}"
    )
