"""The memory of the fullest GPU, in GiB, when a model is placed on nodes. Figures and sources: docs/concepts/sizing.md."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.gpus import NodeGpus
from workspace_ctrl.catalog.presets import PresetModel, presets
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD
from workspace_ctrl.planning.vllm.gpu_parallelism import Layout
from workspace_ctrl.planning.vllm.memory_flags import MemorySettings

WEIGHTS_FACTOR: Final = 1.02
RUNTIME_GIB: Final = 2.3
RUNTIME_SHARE: Final = 0.05
"""Further memory for the runtime, in parts of the weights on a GPU."""
_WEIGHTS_FACTOR_WITHOUT_KV: Final = 1.2
"""Factor that leaves room for a KV cache of unknown size."""
_GIB: Final = 2**30
_CONTEXT_STEP: Final = 256
_UNKNOWN_WIDTH: Final = 8192
"""Width of a model in elements, if heads and their size are not known."""
_ACTIVATION_BYTES: Final = 32
"""Per token and element of the model's width, at the peak."""
_LOGIT_BYTES: Final = 1_300_000
"""Per sequence: a vocabulary of 160,000 in 32 bits, twice."""
_BATCHED_TOKENS: Final = 8192
_SEQUENCES: Final = 1024
"""Largest default values of vLLM; memory for them is part of the runtime's."""
_LARGE_GPU_GIB: Final = 70
"""From which on a GPU has the largest default values of vLLM; A100s have smaller ones."""
_LORA_ELEMENTS: Final = 20
"""Of one rank in one layer, in units of the model's width, for all its matrices."""
_ROUNDED: Final = 1 - 1e-9
_LARGEST_SHARE: Final = 0.97
"""Of a GPU's memory, if the KV cache has a fixed size."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Memory on the fullest GPU, in GiB."""

    usable: float
    weights: float
    runtime: float
    kv_per_token: float | None
    fixed_cache: float = 0.0
    """Size of the KV cache that vLLM allocates whatever is left."""

    @property
    def cache(self) -> float:
        """Memory that is left for the KV cache."""
        return self.usable - self.weights - self.runtime

    def holds(self, tokens: int) -> bool:
        """Whether the cache is large enough for `tokens`."""
        return self.cache >= max(self.needed(tokens), self.fixed_cache * _ROUNDED)

    def needed(self, tokens: int) -> float:
        """Return the cache that `tokens` need."""
        return (self.kv_per_token or 0) * tokens

    def most_tokens(self, limit: int) -> int:
        """Return how many tokens fit, at most `limit`, in whole blocks unless it is the limit itself."""
        if self.kv_per_token is None or self.cache >= self.needed(limit):
            return limit
        return int(max(self.cache, 0) / self.kv_per_token) // _CONTEXT_STEP * _CONTEXT_STEP


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """What has to be placed: a model, with the user's settings."""

    model: PresetModel
    settings: MemorySettings
    utilization: float
    """Part of the GPU memory that vLLM may use."""
    adapters: bool = False

    def on(self, node: NodeGpus, layout: Layout) -> Placement:
        """Return the memory on the fullest GPU, which belongs to the stage with most layers if they do not divide evenly.

        Raises:
            SpecError: the size of the draft model is not known.
        """
        model, settings = self.model, self.settings
        stage = ceil(model.layers / layout.pipeline) / model.layers if model.layers else 1 / layout.pipeline
        weights = (
            max(0.0, self._weights() * settings.width * stage / layout.tensor - settings.offload_gib)
            + self._draft() / layout.tensor
        )
        runtime = RUNTIME_GIB + RUNTIME_SHARE * weights + self._beyond_defaults(stage, node)
        return Placement(
            usable=self._usable(node, weights + runtime),
            weights=weights,
            runtime=runtime,
            kv_per_token=self._kv_per_token(stage, layout.tensor),
            fixed_cache=settings.cache_gib or 0.0,
        )

    def _weights(self) -> float:
        factor = _WEIGHTS_FACTOR_WITHOUT_KV if self.model.kv_bytes_per_token is None else WEIGHTS_FACTOR
        return self.model.weights_gib * factor

    def _usable(self, node: NodeGpus, used: float) -> float:
        if self.settings.cache_gib is None:
            return node.gpu_memory_gib * self.utilization
        return min(used + self.settings.cache_gib, node.gpu_memory_gib * _LARGEST_SHARE)

    def _kv_per_token(self, stage: float, tensor: int) -> float | None:
        bytes_ = self.model.kv_bytes_per_token
        if bytes_ is None:
            return None
        of_cache = bytes_ * self.settings.cache_width * self.settings.width * stage / min(tensor, self.model.kv_heads or 1)
        prompt = _ACTIVATION_BYTES * self._width if self.settings.whole_prompts else 0
        return (of_cache + prompt + self._draft_kv()) / _GIB

    def _beyond_defaults(self, stage: float, node: NodeGpus) -> float:
        """Return the memory that settings above vLLM's defaults need."""
        settings = self.settings
        is_large = node.gpu_memory_gib >= _LARGE_GPU_GIB and "A100" not in node.gpu
        factor = 2 if settings.throughput and is_large else 1
        tokens = max(0, (settings.batched_tokens or factor * _BATCHED_TOKENS) - _BATCHED_TOKENS)
        sequences = max(0, (settings.sequences or factor * _SEQUENCES) - _SEQUENCES)
        ranks = settings.loras * settings.lora_rank if self.adapters or settings.lora else 0
        of_ranks = ranks * (self.model.layers or 80) * stage * _LORA_ELEMENTS * self._width * 2
        return (tokens * self._width * _ACTIVATION_BYTES + sequences * _LOGIT_BYTES + of_ranks) / _GIB

    @property
    def _width(self) -> int:
        model = self.model
        return model.attention_heads * model.head_dim if model.attention_heads and model.head_dim else _UNKNOWN_WIDTH

    def _draft(self) -> float:
        draft = self._draft_model()
        return draft.weights_gib * WEIGHTS_FACTOR if draft is not None else 0.0

    def _draft_kv(self) -> float:
        draft = self._draft_model()
        return float(draft.kv_bytes_per_token or 0) if draft is not None else 0.0

    def _draft_model(self) -> PresetModel | None:
        name = self.settings.draft_model
        if not name:
            return None
        found = next((preset for preset in presets().values() if preset.model == name), None)
        if found is None:
            problem = f"sets vllm.speculative-config with {name[:64]}, whose size is not known"
            remedy = "use a draft model of the catalog (workspace-ctrl presets), or the method ngram"
            raise SpecError(CONFIG_FIELD, problem, f"{remedy}; kaito.sh/bypass-resource-checks skips the sizing")
        return found
