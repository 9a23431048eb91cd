"""How a model can be split: over the GPUs of a node, over pipeline stages, over nodes, and in how many copies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.gpus import NodeGpus
from workspace_ctrl.catalog.presets import PresetModel
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD
from workspace_ctrl.planning.vllm.memory_flags import MemorySettings

_MOST_NODES = 64
"""Limit if the number of layers, which is the real limit, is not known."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Tensor x pipeline x data parallelism; their product is the number of GPUs of all nodes."""

    nodes: int
    tensor: int
    pipeline: int
    data: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of the pod on each node."""
        return self.tensor * self.pipeline * self.data // self.nodes

    @property
    def all_gpus(self) -> int:
        """GPUs of all nodes."""
        return self.gpus * self.nodes

    def __str__(self) -> str:
        """Return the sizes as text, such as `tensor 2 x pipeline 1`."""
        return f"tensor {self.tensor} x pipeline {self.pipeline}" + (f" x data {self.data}" if self.data > 1 else "")


def layouts(model: PresetModel, node: NodeGpus, settings: MemorySettings) -> Sequence[Layout]:
    """Return the possible layouts on nodes like `node`, in ascending order of nodes; never empty.

    Raises:
        SpecError: the user's parallel sizes are impossible for the model, or on such nodes.
    """
    _check_sizes(model, settings)
    found = [*_layouts(model, node, settings)]
    if not found:
        raise _too_many(model, node, settings)
    return found


def requested(model: PresetModel, node: NodeGpus, settings: MemorySettings, nodes: int) -> Layout:
    """Return the layout on at most `nodes` nodes, without a check of the user's sizes."""
    count = max(1, min(nodes, most_nodes(model)))
    pipeline = settings.pipeline_parallel or count
    count = max(number for number in range(1, count + 1) if pipeline % number == 0) if settings.data_parallel == 1 else 1
    room = max(1, node.gpus * count // (pipeline * settings.data_parallel))
    tensor = settings.tensor_parallel or largest_split(model, room)
    return Layout(count, tensor, pipeline, settings.data_parallel)


def most_nodes(model: PresetModel) -> int:
    """Return the largest number of nodes over which the model can be split."""
    if not (model.distributed and model.tensor_parallel):
        return 1
    return model.layers or _MOST_NODES


def largest_split(model: PresetModel, gpus: int) -> int:
    """Return the largest number of GPUs, at most `gpus`, over which each layer can be split.

    vLLM requires that this number divides the attention heads, and that it divides the KV heads or is a multiple of them. If the numbers
    of heads are not known, powers of two are safe.
    """
    if not model.tensor_parallel:
        return 1
    if model.attention_heads is None:
        return int(2 ** (gpus.bit_length() - 1))
    return max(number for number in range(1, min(gpus, model.attention_heads) + 1) if _divides(model, number))


def _divides(model: PresetModel, tensor: int) -> bool:
    heads, kv_heads = model.attention_heads, model.kv_heads or 1
    return heads is None or (heads % tensor == 0 and (kv_heads % tensor == 0 or tensor % kv_heads == 0))


def _layouts(model: PresetModel, node: NodeGpus, settings: MemorySettings) -> Iterator[Layout]:
    copies, wanted = settings.data_parallel, settings.pipeline_parallel
    splits: dict[int, int] = {0: 1}
    for nodes in range(1, (1 if copies > 1 else most_nodes(model)) + 1):
        pipeline = wanted or nodes
        if pipeline % nodes:
            continue
        room = node.gpus * nodes // (pipeline * copies)
        if room not in splits:
            splits[room] = largest_split(model, room)
        tensor = settings.tensor_parallel or splits[room]
        if tensor <= room:
            yield Layout(nodes, tensor, pipeline, copies)


def _check_sizes(model: PresetModel, settings: MemorySettings) -> None:
    tensor, pipeline = settings.tensor_parallel, settings.pipeline_parallel
    if not model.tensor_parallel and max(tensor or 1, pipeline or 1) > 1:
        raise SpecError(CONFIG_FIELD, f"splits {model.name}, which vLLM cannot split", "remove the parallel sizes")
    if tensor is not None and not _divides(model, tensor):
        heads = model.attention_heads or 0
        fitting = ", ".join(str(number) for number in range(1, min(heads, 16) + 1) if _divides(model, number))
        problem = f"sets tensor-parallel-size to {tensor}, over which the {heads} attention heads of {model.name} cannot be split"
        raise SpecError(CONFIG_FIELD, problem, f"set one of {fitting}, or remove it")
    if pipeline is not None and model.layers is not None and pipeline > model.layers:
        problem = f"sets pipeline-parallel-size to {pipeline}, but {model.name} has {model.layers} layers"
        raise SpecError(CONFIG_FIELD, problem, "set fewer, or remove it")


def _too_many(model: PresetModel, node: NodeGpus, settings: MemorySettings) -> SpecError:
    sizes = {"tensor": settings.tensor_parallel, "pipeline": settings.pipeline_parallel, "data": settings.data_parallel}
    asked = " x ".join(f"{name} {size}" for name, size in sizes.items() if size is not None and (size > 1 or name != "data"))
    several = "" if most_nodes(model) > 1 and settings.data_parallel == 1 else f", and {model.name} is served on one node"
    if settings.data_parallel > 1:
        several = ", and the copies of data parallelism run on one node"
    problem = f"asks for more GPUs ({asked}) than {node.name} has ({node.gpus}){several}"
    return SpecError(CONFIG_FIELD, problem, "set sizes whose product is at most the GPUs of a node, or remove them")
