"""The user's flags that change how much memory vLLM uses, or how many GPUs: all of them take part in sizing, or are rejected."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD, decimal, is_off, mapping, whole_number
from workspace_ctrl.planning.vllm.performance_mode import PERFORMANCE_MODE, THROUGHPUT

_GIB: Final = 2**30
_HALF_WIDTH: Final = frozenset({"fp8", "fp8_e4m3", "fp8_e5m2", "fp8_inc", "fp8_per_token_head", "int8_per_token_head"})
"""Values of kv-cache-dtype with 8 bits for each number; all others, also unknown ones, count as 16 bits, as in the catalog's figures."""
_WITHOUT_WEIGHTS: Final = ("ngram", "suffix", "mtp")
"""Parts of the names of speculative methods that need no weights besides the model's own."""

LATER: Final = "set max-model-len, or remove it"


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """What the user has set; None where vLLM's, or our, default applies."""

    utilization: float | None = None
    """Part of the GPU memory that vLLM may use."""
    cache_gib: float | None = None
    """Fixed size of the KV cache on each GPU, whatever the utilization."""
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    data_parallel: int = 1
    cache_width: float = 1.0
    """Size of the numbers in the KV cache, in units of 16 bits."""
    full_precision: bool = False
    """Whether weights and cache are 32 bits wide."""
    bfloat16: bool = False
    """Whether the user requires bfloat16."""
    offload_gib: float = 0.0
    """Weights of each GPU that are kept in the node's memory."""
    batched_tokens: int | None = None
    sequences: int | None = None
    throughput: bool = False
    """Whether vLLM is tuned for throughput, with twice its default limits of a batch."""
    whole_prompts: bool = False
    """Whether prompts are processed whole (no chunked prefill), so that memory for the longest one is needed."""
    lora: bool = False
    """Whether LoRA is enabled, even without an adapter."""
    loras: int = 1
    lora_rank: int = 16
    draft_model: str = ""
    """Hugging Face id or path of the model that speculative decoding loads in addition."""
    context_factor: float = 1.0
    """Factor by which rope scaling extends the context."""
    context_limit: int | None = None
    """Context limit of the model after the overrides of its config.json, in tokens."""

    @property
    def width(self) -> float:
        """Size of weights and cache in units of what the model has without a dtype."""
        return 2.0 if self.full_precision else 1.0


_Parsed = Iterator[tuple[str, Any]]


def parse_memory_settings(given: Mapping[str, object]) -> tuple[MemorySettings, tuple[str, ...]]:
    """Return the settings in `given`, flags by name without dashes, and remarks on what sizing does not take into account.

    Raises:
        SpecError: a value is invalid, or sizing cannot take it into account.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        parse = _FLAGS.get(name)
        if parse is not None and value is not None:
            found.update(parse(name, value))
    notes: tuple[str, ...] = ()
    if given.get("quantization") is not None:
        notes = (
            "inference.config: weights are sized as they are stored, because vLLM loads them before vllm.quantization takes effect",
        )
    return MemorySettings(**found), notes


def _one(field: str, read: Callable[[str, object], object]) -> Callable[[str, object], _Parsed]:
    def parse(name: str, value: object) -> _Parsed:
        yield field, read(name, value)

    return parse


def _share(name: str, value: object) -> float:
    share = decimal(name, value, 1)
    if share <= 0:
        raise SpecError(
            CONFIG_FIELD, f"vllm.{name} is 0, which leaves no memory for the model", "set a number up to 1, or remove it"
        )
    return share


def _width(_: str, value: object) -> float:
    text = str(value).strip()
    return 0.5 if text in _HALF_WIDTH else 1.0


def _dtype(_: str, value: object) -> _Parsed:
    text = str(value).strip()
    yield "full_precision", text in {"float32", "float"}
    yield "bfloat16", text == "bfloat16"


def _speculative(name: str, value: object) -> _Parsed:
    config = mapping(name, value)
    method, model = str(config.get("method") or ""), str(config.get("model") or "")
    if not any(part in f"{method} {model}" for part in _WITHOUT_WEIGHTS):
        yield "draft_model", model or f"{method or 'a method'} without a model"


def _speculative_model(_: str, value: object) -> _Parsed:
    yield "draft_model", str(value)


def _overrides(name: str, value: object) -> _Parsed:
    """Yield the context limit that overrides of config.json set, at its top level or in its text_config."""
    config = mapping(name, value)
    for part in (config, config.get("text_config")):
        if isinstance(part, Mapping):
            yield from _rope(part)


def _rope(config: Mapping[str, Any]) -> _Parsed:
    if config.get("max_position_embeddings") is not None:
        yield "context_limit", whole_number("hf-overrides.max_position_embeddings", config["max_position_embeddings"])
    for key in ("rope_scaling", "rope_parameters"):
        rope = config.get(key)
        if not isinstance(rope, Mapping) or rope.get("factor") is None:
            continue
        factor = decimal(f"hf-overrides.{key}.factor", rope["factor"], 1000)
        original = rope.get("original_max_position_embeddings")
        if original is None:
            yield "context_factor", max(factor, 1.0)
        else:
            yield (
                "context_limit",
                int(max(factor, 1.0) * whole_number(f"hf-overrides.{key}.original_max_position_embeddings", original)),
            )


def _chunked(_: str, value: object) -> _Parsed:
    yield "whole_prompts", is_off(value)


def _lora(_: str, value: object) -> _Parsed:
    yield "lora", not is_off(value)


def _performance_mode(_: str, value: object) -> _Parsed:
    yield "throughput", str(value).strip() == THROUGHPUT


def _cache_size(name: str, value: object) -> float:
    return whole_number(name, value) / _GIB


_FLAGS: Final[Mapping[str, Callable[[str, object], _Parsed]]] = {
    "gpu-memory-utilization": _one("utilization", _share),
    "device-memory-utilization": _one("utilization", _share),
    "kv-cache-memory-bytes": _one("cache_gib", _cache_size),
    "tensor-parallel-size": _one("tensor_parallel", whole_number),
    "pipeline-parallel-size": _one("pipeline_parallel", whole_number),
    "data-parallel-size": _one("data_parallel", whole_number),
    "kv-cache-dtype": _one("cache_width", _width),
    "dtype": _dtype,
    "cpu-offload-gb": _one("offload_gib", decimal),
    "max-num-batched-tokens": _one("batched_tokens", whole_number),
    "max-num-seqs": _one("sequences", whole_number),
    PERFORMANCE_MODE: _performance_mode,
    "enable-chunked-prefill": _chunked,
    "enable-lora": _lora,
    "max-loras": _one("loras", whole_number),
    "max-lora-rank": _one("lora_rank", whole_number),
    "speculative-config": _speculative,
    "spec-model": _speculative_model,
    "hf-overrides": _overrides,
}
"""Flags by name. Not among them, because they need no GPU memory, or less than is assumed: swap-space, block-size, enforce-eager,
decode-context-parallel-size, kv-offloading-size, enable-sleep-mode."""
