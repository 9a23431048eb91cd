"""Models that a Workspace can name."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Final

from pydantic import Field

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.data_files import Row, load, suggestion

_BYTES_PER_ELEMENT = 2
"""vLLM stores keys and values in 16 bits by default."""
_Gib = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
_Count = Annotated[int, Field(gt=0, le=10_000)]
_Tokens = Annotated[int, Field(gt=0, le=10**9)]
_Bytes = Annotated[int, Field(gt=0, le=10**9)]
_HUGGING_FACE_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_SAME_BUT_FOR_A_LETTER = 0.97
_NAME = "inference.preset.name"
SIZE_REMEDY: Final = "set inference.preset.size (at least weights)"
"""What helps with every model that is not in the catalog."""


class ModelFigures(Row):
    """A user's figures for a model that is not in the catalog: the size of its weights, and values from its config.json."""

    weights_gib: _Gib
    """Size of the safetensors files in GiB."""
    kv_bytes_per_token: _Bytes | None = None
    """Bytes of KV cache for one token in the whole model; computed from the other figures if it is missing."""
    context_limit: _Tokens | None = None
    """Maximum context length of the model, in tokens."""
    layers: _Count | None = None
    attention_heads: _Count | None = None
    kv_heads: _Count | None = None
    """1 for latent attention, whose cache is complete on every rank of tensor parallelism."""
    head_dim: _Count | None = None


class PresetModel(Row):
    """A model and its figures for the sizing; None means not known."""

    name: str
    """Name in the catalog, which is also the model name in requests."""
    model: str
    """Hugging Face id."""
    weights_gib: _Gib
    """Size of the safetensors files in GiB."""
    parameters_billion: float | None = None
    """For display."""
    context_limit: _Tokens | None = None
    """Maximum context length of the model, in tokens."""
    layers: _Count | None = None
    attention_heads: _Count | None = None
    kv_heads: _Count | None = None
    """Key-value heads, over which tensor parallelism splits the cache."""
    head_dim: _Count | None = None
    latent_width: _Count | None = None
    """Cache elements per token and layer of latent attention (MLA), instead of key-value heads."""
    attention_layers: _Count | None = None
    """Layers with a KV cache, if not all have one: linear attention and state spaces keep a state of fixed size instead."""
    stated_kv_bytes_per_token: _Bytes | None = None
    """Takes precedence over the computed value; not for models of the catalog."""
    tensor_parallel: bool = True
    """Whether the model can be split over the GPUs of a node."""
    distributed: bool = False
    """Whether the model can be split over nodes."""
    gated: bool = False
    """Whether its download needs a Hugging Face token."""
    lora: bool = True
    """Whether vLLM can serve LoRA adapters on it."""
    min_compute_capability: float | None = None
    """Lowest compute capability on which vLLM serves the model."""
    min_vllm: str | None = None
    """Oldest vLLM version that serves the model, if the oldest one that this project supports does not."""
    aliases: tuple[str, ...] = ()
    """Further names, in addition to the Hugging Face id."""
    flags: tuple[str, ...] = ()
    """Further flags of `vllm serve`."""
    unconfirmed: bool = False
    """Whether some of the figures could not be compared with the files of the model."""

    @property
    def kv_bytes_per_token(self) -> int | None:
        """Bytes of KV cache for one token in the whole model."""
        if self.stated_kv_bytes_per_token:
            return self.stated_kv_bytes_per_token
        layers = self.attention_layers or self.layers
        if layers and self.latent_width:
            return layers * self.latent_width * _BYTES_PER_ELEMENT
        if layers and self.kv_heads and self.head_dim:
            return 2 * layers * self.kv_heads * self.head_dim * _BYTES_PER_ELEMENT
        return None


@cache
def presets() -> Mapping[str, PresetModel]:
    """Return all presets by name."""
    return {preset.name: preset for preset in load("presets.yaml", "presets", PresetModel)}


@cache
def _presets_by_any_name() -> Mapping[str, PresetModel]:
    return {name: preset for preset in presets().values() for name in (preset.name, preset.model, *preset.aliases)}


def is_preset(name: str) -> bool:
    """Whether a preset has that name, Hugging Face id or alias."""
    return name in _presets_by_any_name()


def is_hugging_face_id(name: str) -> bool:
    """Whether `name` has the form of a Hugging Face id."""
    return _HUGGING_FACE_ID.fullmatch(name) is not None


def find_preset(name: str, size: ModelFigures | None = None) -> PresetModel:
    """Return the model called `name`: a preset by its name, Hugging Face id or alias, or any other Hugging Face model with its `size`.

    Raises:
        SpecError: there is none; the remedy names the closest one, or how to serve it anyway.
    """
    known = _presets_by_any_name()
    if name in known:
        return known[name]
    if "/" in name:
        return custom_model(name, size)
    otherwise = "`workspace-ctrl presets` lists the models; for any other one, set its Hugging Face id"
    raise SpecError(_NAME, f"{name!r} is not known", suggestion(name, known, otherwise))


def custom_model(name: str, size: ModelFigures | None) -> PresetModel:
    """Return a model that is not in the catalog; `name` is its Hugging Face id and its served name.

    Raises:
        SpecError: `name` is not a Hugging Face id, or there is no size.
    """
    if not is_hugging_face_id(name):
        raise SpecError(_NAME, f"{name!r} is not a Hugging Face id", "use the form organization/model")
    if size is None:
        remedy = remedy_for(name, f"{SIZE_REMEDY}, or use a model of the catalog")
        raise SpecError(_NAME, f"{name!r} is not in the catalog, and its size is not set", remedy)
    figures = size.model_dump(exclude={"kv_bytes_per_token"})
    return PresetModel(name=name, model=name, distributed=True, stated_kv_bytes_per_token=size.kv_bytes_per_token, **figures)


def remedy_for(name: str, otherwise: str) -> str:
    """Return what to do about the id `name`, which cannot be used: the one of a preset that is spelt almost alike, else `otherwise`."""
    return suggestion(name, _presets_by_any_name(), otherwise, cutoff=_SAME_BUT_FOR_A_LETTER)
