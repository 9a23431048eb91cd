"""Models that a Workspace can name."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated

from pydantic import Field

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.loading import Row, load, suggestion

_BYTES_PER_ELEMENT = 2
"""vLLM keeps keys and values in 16 bits unless it is told otherwise."""
_Gib = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
_Count = Annotated[int, Field(gt=0, le=10_000)]
_Tokens = Annotated[int, Field(gt=0, le=10**9)]
_Bytes = Annotated[int, Field(gt=0, le=10**9)]
_HUGGING_FACE_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SAME_BUT_FOR_A_LETTER = 0.97
_NAME = "inference.preset.name"


class ModelSize(Row):
    """What a user tells of a model that is not in the catalog: its weights, and what else its config.json says."""

    weights_gib: _Gib
    """Size of the safetensors files in GiB."""
    kv_bytes_per_token: _Bytes | None = None
    """Bytes of KV cache that one token takes, in the whole model; where it is missing, the other figures tell it."""
    context_limit: _Tokens | None = None
    """Longest context that the model was made for, in tokens."""
    layers: _Count | None = None
    attention_heads: _Count | None = None
    kv_heads: _Count | None = None
    """1 for latent attention, whose cache every rank of tensor parallelism holds whole."""
    head_dim: _Count | None = None


class PresetModel(Row):
    """A model and the figures that sizing needs; what is None is not known."""

    name: str
    """Name in the catalog, which is also the name that requests put into `model`."""
    model: str
    """Hugging Face id."""
    weights_gib: _Gib
    """Size of the safetensors files in GiB."""
    parameters_billion: float | None = None
    """For people."""
    context_limit: _Tokens | None = None
    """Longest context that the model was made for, in tokens."""
    layers: _Count | None = None
    attention_heads: _Count | None = None
    kv_heads: _Count | None = None
    """Heads of keys and values, over which tensor parallelism splits the cache."""
    head_dim: _Count | None = None
    latent_width: _Count | None = None
    """Elements that one token takes in one layer of latent attention (MLA), instead of heads of keys and values."""
    stated_kv_bytes_per_token: _Bytes | None = None
    """Takes precedence over what the shapes tell; not for the catalog's own models."""
    tensor_parallel: bool = True
    """Whether the model can be split over the GPUs of a node."""
    distributed: bool = False
    """Whether the model can be split over nodes."""
    gated: bool = False
    """Whether its download needs a Hugging Face token."""
    lora: bool = True
    """Whether vLLM can serve LoRA adapters on it."""
    min_compute_capability: float | None = None
    """Oldest GPU generation that vLLM serves the model on."""
    min_vllm: str | None = None
    """Oldest vLLM that serves the model, where the oldest one that this project uses does not."""
    aliases: tuple[str, ...] = ()
    """Further names; the Hugging Face id is one without saying so."""
    flags: tuple[str, ...] = ()
    """Further flags of `vllm serve`."""

    @property
    def kv_bytes_per_token(self) -> int | None:
        """Bytes of KV cache that one token takes in the whole model."""
        if self.stated_kv_bytes_per_token:
            return self.stated_kv_bytes_per_token
        if self.layers and self.latent_width:
            return self.layers * self.latent_width * _BYTES_PER_ELEMENT
        if self.layers and self.kv_heads and self.head_dim:
            return 2 * self.layers * self.kv_heads * self.head_dim * _BYTES_PER_ELEMENT
        return None


@cache
def presets() -> Mapping[str, PresetModel]:
    """Return all presets by name."""
    return {preset.name: preset for preset in load("presets.yaml", "presets", PresetModel)}


@cache
def _presets_by_any_name() -> Mapping[str, PresetModel]:
    return {name: preset for preset in presets().values() for name in (preset.name, preset.model, *preset.aliases)}


def find_preset(name: str, size: ModelSize | None = None) -> PresetModel:
    """Return the model called `name`: a preset by its name, Hugging Face id or alias, or any other Hugging Face model with its `size`.

    Raises:
        SpecError: there is none; the remedy names the closest one, or how to serve it all the same.
    """
    known = _presets_by_any_name()
    if name in known:
        return known[name]
    if "/" in name:
        return custom_model(name, size)
    otherwise = "`workspace-ctrl presets` lists the models; any other one can be named by its Hugging Face id and its size"
    raise SpecError(_NAME, f"{name!r} is not known", suggestion(name, known, otherwise))


def custom_model(name: str, size: ModelSize | None) -> PresetModel:
    """Return a model that is not in the catalog: `name` is its Hugging Face id, and the name that it is served under.

    Raises:
        SpecError: `name` is not a Hugging Face id, or there is no size.
    """
    if not _HUGGING_FACE_ID.fullmatch(name):
        raise SpecError(_NAME, f"{name!r} is not a Hugging Face id", "write it as organization/model")
    if size is None:
        otherwise = "give its size in inference.preset.size (weights at least), or name a model of the catalog"
        remedy = suggestion(name, _presets_by_any_name(), otherwise, cutoff=_SAME_BUT_FOR_A_LETTER)
        raise SpecError(_NAME, f"{name!r} is not in the catalog, so its size is not known", remedy)
    figures = size.model_dump(exclude={"kv_bytes_per_token"})
    return PresetModel(name=name, model=name, distributed=True, stated_kv_bytes_per_token=size.kv_bytes_per_token, **figures)
