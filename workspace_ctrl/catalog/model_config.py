"""A model's `config.json`, as the repositories of model hubs have it: what it says of layers, heads and context.

The file belongs to whoever owns the repository, so any value can be missing, or of another type than it should be. A figure that is there
must be valid; a missing one is reported as assumed or unknown.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from workspace_ctrl.api.printable_text import excerpt

_Raw = Mapping[str, Any]

_TEXT_PARTS: Final = ("text_config", "llm_config", "language_config", "thinker_config")
"""Where models with several inputs have the figures of their language model."""
_MOST_NESTED: Final = 3
"""Levels of such parts: Qwen Omni has two."""
_LAYERS: Final = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HEADS: Final = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_KV_HEADS: Final = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
_HEAD_DIM: Final = ("head_dim", "kv_channels", "attention_head_dim")
_WIDTH: Final = ("hidden_size", "n_embd", "d_model")
_CONTEXT: Final = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length", "max_sequence_length"),
    "max_seq_length",
)
"""vLLM takes the smallest of them."""
_DEFAULTS: Final[Mapping[str, _Raw]] = {
    "gemma3_text": {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072},
}
"""What the classes of transformers assume for files that leave it out."""

_ONE_KV_HEAD: Final = frozenset({"falcon", "RefinedWeb", "RefinedWebModel", "gpt_bigcode"})
_LATENT: Final = frozenset(
    {
        *("deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2", "kimi_k25", "kimi_linear", "longcat_flash", "pangu_ultra_moe"),
        *("glm4_moe_lite", "glm_moe_dsa", "mistral4"),
    }
)
"""Models of which vLLM caches the latent vector; of others with `kv_lora_rank` it caches keys and values of all heads."""
_WITHOUT_CACHE: Final = frozenset({"linear_attention", "linear", "mamba", "mamba2", "conv", "recurrent", "moe", "mlp"})
_WINDOWS: Final = frozenset({"sliding_attention", "chunked_attention"})
_ATTENTION_LETTER: Final = "*"
"""In the pattern of Nemotron-H, in which M is a state space, and - and E have no attention."""
_LIGHTNING: Final = 0
"""In MiniMax' list: linear attention; 1 is softmax attention."""
_CAPABILITIES: Final[Mapping[str, float]] = {
    **dict.fromkeys(("fp8", "fbgemm_fp8", "mxfp4", "modelopt", "modelopt_fp4", "compressed-tensors"), 8.0),
    **dict.fromkeys(("awq", "bitsandbytes"), 7.5),
}
"""Lowest compute capability for a method of quantization, by its name; others have no limit above that of vLLM."""
_GEMMA_CAPABILITY: Final = 8.0
"""Gemma is not stable in float16, without which older GPUs cannot do."""

_MOST: Final = 10_000
"""Of layers, of heads, and the size of a head."""
_WIDEST: Final = 10**6
_LONGEST_CONTEXT: Final = 10**9
_LONGEST_NAME: Final = 64
_BYTES: Final = 2
"""vLLM stores keys and values in 16 bits by default."""
_INDEX_SCALE: Final = 4
"""Bytes beside the index key of DeepSeek's sparse attention, which has 8 bits an element."""


class ModelFileError(Exception):
    """A file of a model cannot be used; the message is the end of a sentence about it, printable and short."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What a `config.json` says; None for what is not known."""

    architecture: str
    layers: int | None = None
    attention_heads: int | None = None
    kv_heads: int | None = None
    """1 for latent attention."""
    head_dim: int | None = None
    kv_bytes_per_token: int | None = None
    """Of all layers together."""
    context_limit: int | None = None
    min_compute_capability: float | None = None
    has_code: bool = False
    """Whether the repository has Python code for the model, which vLLM runs only with --trust-remote-code."""
    assumed: tuple[str, ...] = ()
    """What does not follow from the file, or is counted as more than it is."""


def read_config(text: bytes) -> ModelConfig:
    """Return what the `config.json` with the content `text` says.

    Raises:
        ModelFileError: it is not such a file, or a figure in it is not valid.
    """
    whole = _object(text)
    raw = _text_part(whole)
    cache = _cache(raw)
    return ModelConfig(
        architecture=_architecture(whole),
        layers=_count(raw, _LAYERS),
        attention_heads=_one(raw, _HEADS),
        kv_heads=cache.kv_heads,
        head_dim=_head_dim(raw),
        kv_bytes_per_token=cache.bytes_per_token,
        context_limit=_context(raw),
        min_compute_capability=_capability(raw),
        has_code=bool(whole.get("auto_map")),
        assumed=(*_unknown(raw, cache), *cache.assumed, *_of_dtype(raw)),
    )


def _object(text: bytes) -> _Raw:
    try:
        # The parser of the standard library: real files have Infinity, which is not JSON.
        raw = json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise ModelFileError("is nested too deeply") from None
    except ValueError:
        raise ModelFileError("is not JSON") from None
    if not isinstance(raw, dict):
        raise ModelFileError("is not a JSON object")
    return raw


def _text_part(whole: _Raw) -> _Raw:
    """Return the figures of the language model: those of its part, then those of the whole, then the defaults of its type."""
    raw = whole
    for _ in range(_MOST_NESTED):
        inner = next((raw[key] for key in _TEXT_PARTS if isinstance(raw.get(key), dict) and raw[key]), None)
        if inner is None:
            break
        raw = {**{key: value for key, value in raw.items() if key not in _TEXT_PARTS}, **inner}
    return {**_DEFAULTS.get(_text(raw, "model_type"), {}), **raw}


def _architecture(whole: _Raw) -> str:
    given = whole.get("architectures")
    name = given[0] if isinstance(given, list) and given else None
    if not isinstance(name, str) or not name:
        raise ModelFileError("names no architecture, so it is no model that vLLM can serve")
    return excerpt(name, _LONGEST_NAME)


@dataclass(frozen=True, slots=True)
class _Cache:
    """The KV cache of a model."""

    kv_heads: int | None
    bytes_per_token: int | None
    assumed: tuple[str, ...] = ()


def _cache(raw: _Raw) -> _Cache:
    layers = _count(raw, _LAYERS)
    with_cache, assumed = _cached_layers(raw, layers)
    rank = _count(raw, ("kv_lora_rank",), _WIDEST)
    if rank is not None and _text(raw, "model_type") in _LATENT:
        elements = rank + (_count(raw, ("qk_rope_head_dim",)) or 0) + _index_elements(raw)
        return _Cache(1, with_cache * elements * _BYTES if with_cache else None, assumed)
    heads, of_all_layers = _kv_heads(raw)
    width = _kv_width(raw, heads)
    if of_all_layers is not None:
        head_dim = _head_dim(raw)
        return _Cache(None, 2 * of_all_layers * head_dim * _BYTES if head_dim else None, assumed)
    if rank is not None:
        assumed = (*assumed, "the KV cache has keys and values of all heads, not their latent vector")
    return _Cache(heads, 2 * with_cache * width * _BYTES if with_cache and width else None, assumed)


def _index_elements(raw: _Raw) -> int:
    """Return what sparse attention adds to the latent vector, in elements of 16 bits."""
    key = _count(raw, ("index_head_dim",))
    return (key + _INDEX_SCALE) // _BYTES if key is not None else 0


def _kv_heads(raw: _Raw) -> tuple[int | None, int | None]:
    """Return the key-value heads of a layer, and if layers differ in them, instead those of all layers together."""
    if raw.get("multi_query") is True and _text(raw, "model_type") in _ONE_KV_HEAD and not raw.get("new_decoder_architecture"):
        return 1, None
    if raw.get("multi_query_attention") is True:
        return _count(raw, ("multi_query_group_num",)), None
    given = next((raw[key] for key in _KV_HEADS if raw.get(key) is not None), None)
    if isinstance(given, list):
        return None, sum(_checked("num_key_value_heads", entry, _MOST, least=0) for entry in given[:_MOST]) or None
    heads = _count(raw, _KV_HEADS)
    return (heads if heads is not None else _one(raw, _HEADS)), None


def _kv_width(raw: _Raw, heads: int | None) -> int | None:
    """Return the elements of a layer's keys for one token; of Gemma 4, whose layers differ, the larger ones."""
    head_dim = _head_dim(raw)
    if _count(raw, ("kv_lora_rank",), _WIDEST) is not None:
        parts = [_count(raw, (key,)) for key in ("qk_nope_head_dim", "qk_rope_head_dim")]
        head_dim = sum(part or 0 for part in parts) or head_dim
    if heads is None or head_dim is None:
        return None
    of_global = (_count(raw, ("num_global_key_value_heads",)) or heads) * (_count(raw, ("global_head_dim",)) or 0)
    return max(heads * head_dim, of_global)


def _head_dim(raw: _Raw) -> int | None:
    given, width, heads = _count(raw, _HEAD_DIM), _count(raw, _WIDTH, _WIDEST), _one(raw, _HEADS)
    if given is not None or width is None or heads is None:
        return given
    return width // heads or None


def _cached_layers(raw: _Raw, layers: int | None) -> tuple[int | None, tuple[str, ...]]:
    """Return the number of layers with a KV cache, and what is counted as more or less than it is."""
    if layers is None:
        return None, ()
    types = list(islice(_layer_types(raw, layers), layers))
    without = sum(kind in _WITHOUT_CACHE for kind in types)
    assumed = [f"the state of {without} layers without a KV cache is not counted"] if without else []
    has_window = _count(raw, ("sliding_window", "attention_chunk_size"), _LONGEST_CONTEXT) is not None
    if not _WINDOWS.isdisjoint(types) or (not types and has_window and raw.get("use_sliding_window") is not False):
        assumed.append("layers that attend to a window only are counted with the whole context")
    return layers - without, tuple(assumed)


def _layer_types(raw: _Raw, layers: int) -> Iterator[str]:
    """Yield the kind of each layer, as far as the file has it."""
    named = next((raw[key] for key in ("layer_types", "layers_block_type") if isinstance(raw.get(key), list)), ())
    pattern, numbers, of_kimi = raw.get("hybrid_override_pattern"), raw.get("attn_type_list"), raw.get("linear_attn_config")
    interval = _count(raw, ("full_attention_interval", "attn_layer_period"))
    if named:
        yield from (kind if isinstance(kind, str) else "" for kind in named)
    elif isinstance(pattern, str):
        yield from ("" if letter == _ATTENTION_LETTER else "mamba" for letter in pattern)
    elif isinstance(numbers, list):
        yield from ("linear" if number == _LIGHTNING else "" for number in numbers)
    elif isinstance(of_kimi, dict) and isinstance(of_kimi.get("kda_layers"), list):
        yield from ("linear" for _ in of_kimi["kda_layers"])
    elif interval is not None:
        yield from ("linear" for _ in range(layers - layers // interval))


def _context(raw: _Raw) -> int | None:
    return min((limit for key in _CONTEXT if (limit := _count(raw, (key,), _LONGEST_CONTEXT)) is not None), default=None)


def _capability(raw: _Raw) -> float | None:
    quantization = raw.get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, dict) else None
    of_method = _CAPABILITIES.get(method) if isinstance(method, str) else None
    of_type = _GEMMA_CAPABILITY if _text(raw, "model_type").startswith(("gemma2", "gemma3", "gemma4")) else None
    return max(filter(None, (of_method, of_type)), default=None)


def _of_dtype(raw: _Raw) -> Iterator[str]:
    if "float32" in (raw.get("dtype"), raw.get("torch_dtype")):
        yield "the weights are counted in the 32 bits in which they are stored"


def _unknown(raw: _Raw, cache: _Cache) -> Iterator[str]:
    """Yield what is missing in the file, with what is done instead."""
    if cache.bytes_per_token is None:
        yield "the KV cache is not known, so a fifth of the weights is left for it, and vLLM chooses the context"
    elif _context(raw) is None:
        yield "the longest context is not known, so vLLM chooses it"
    if _one(raw, _HEADS) is None:
        yield "the attention heads are not known, so a power of two of GPUs is used"


def _text(raw: _Raw, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _one(raw: _Raw, keys: Sequence[str]) -> int | None:
    """Return a count that is the same in all layers; None if the file has one for each layer."""
    given = next((raw[key] for key in keys if raw.get(key) is not None), None)
    return None if isinstance(given, list) else _count(raw, keys)


def _count(raw: _Raw, keys: Sequence[str], most: int = _MOST) -> int | None:
    """Return the first of `keys` that is there, a whole number from 1 to `most`.

    Raises:
        ModelFileError: it is not such a number.
    """
    key = next((key for key in keys if raw.get(key) is not None), None)
    return None if key is None else _checked(key, raw[key], most)


def _checked(name: str, value: object, most: int, least: int = 1) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ModelFileError(f"has {name}: {_shown(value)}, not a number from {least} to {most}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, str):
        return excerpt(repr(value[:_LONGEST_NAME]), _LONGEST_NAME)
    return excerpt(repr(value), _LONGEST_NAME) if isinstance(value, int | float) else f"a {type(value).__name__}"
