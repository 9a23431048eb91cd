"""A model that is not in the catalog, with the figures that its repository at a model hub has."""

import json
import re
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from workspace_ctrl.catalog.data_files import Row
from workspace_ctrl.catalog.model_config import ModelConfig, ModelFileError
from workspace_ctrl.catalog.presets import PresetModel

LONGEST_NOTE: Final = 2048
"""Of a model, as text of an annotation, in characters."""
_GIB: Final = 2**30
_KIB: Final = 2**10
_LARGEST: Final = 10**15
"""Largest size of weights that is believed, in bytes."""
_MOST_KV_BYTES: Final = 10**9
_METADATA: Final = re.compile(r'"metadata"\s*:\s*(?=\{)')
_Said = Annotated[str, Field(max_length=200)]
_Origin = Literal["index", "model.safetensors"]


class HubModel(Row):
    """A model with the figures of its repository."""

    model: PresetModel
    architecture: Annotated[str, Field(max_length=64)]
    weights_from: _Origin
    """Which file has the size of the weights."""
    has_code: bool = False
    """Whether the repository has Python code for the model, which vLLM runs only with --trust-remote-code."""
    assumed: Annotated[tuple[_Said, ...], Field(max_length=8)] = ()
    """What does not follow from the files."""

    def __str__(self) -> str:
        """Return the figures and what was assumed, for people."""
        model = self.model
        cache = model.kv_bytes_per_token
        origin = "the index" if self.weights_from == "index" else self.weights_from
        parts = [f"weights {model.weights_gib:.1f} GiB from {origin}"]
        parts += [f"KV cache {cache / _KIB:g} KiB a token"] if cache else []
        parts += [f"context up to {model.context_limit} tokens"] if model.context_limit else []
        assumed = f"; assumed: {'; '.join(self.assumed)}" if self.assumed else ""
        return f"{', '.join(parts)} ({self.architecture}){assumed}"


def hub_model(name: str, config: ModelConfig, weights: int, weights_from: _Origin) -> HubModel:
    """Return the model with the Hugging Face id `name`; `weights` is the size of its safetensors files in bytes.

    Raises:
        ModelFileError: the figures are not those of a model.
    """
    if not 0 < weights <= _LARGEST:
        raise ModelFileError(f"tells {weights} bytes of weights")
    if config.kv_bytes_per_token is not None and config.kv_bytes_per_token > _MOST_KV_BYTES:
        raise ModelFileError(f"leads to {config.kv_bytes_per_token} bytes of KV cache for a token")
    model = PresetModel(
        name=name,
        model=name,
        weights_gib=weights / _GIB,
        stated_kv_bytes_per_token=config.kv_bytes_per_token,
        context_limit=config.context_limit,
        layers=config.layers,
        attention_heads=config.attention_heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        min_compute_capability=config.min_compute_capability,
        distributed=True,
    )
    return HubModel(
        model=model,
        architecture=config.architecture,
        weights_from=weights_from,
        has_code=config.has_code,
        assumed=config.assumed,
    )


def read_total_size(beginning: bytes) -> int:
    """Return `metadata.total_size` of a `model.safetensors.index.json`, of which `beginning` is the first part.

    The rest of the file names each tensor, which can be megabytes; the metadata come first.

    Raises:
        ModelFileError: it has no valid one.
    """
    text = beginning.decode("utf-8", errors="replace")
    found = _METADATA.search(text)
    if found is None:
        raise ModelFileError("does not begin with metadata")
    try:
        metadata, _ = json.JSONDecoder(parse_constant=lambda _: None).raw_decode(text, found.end())
    except (ValueError, RecursionError):
        raise ModelFileError("does not begin with metadata") from None
    size = metadata.get("total_size")
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= _LARGEST:
        raise ModelFileError("has no valid metadata.total_size")
    return size


def note_of(found: HubModel) -> str:
    """Return the text by which the model can be remembered; empty if it would be too long."""
    text = found.model_dump_json(exclude_defaults=True)
    return text if len(text) <= LONGEST_NOTE else ""


def read_note(text: str, name: str) -> HubModel | None:
    """Return the model called `name` in the text of an annotation; a text that we did not write, or of another model, is ignored.

    Only figures count: whoever may edit the annotation cannot add flags with it.
    """
    if not text or len(text) > LONGEST_NOTE:
        return None
    try:
        found = HubModel.model_validate_json(text)
    except ValidationError:
        return None
    model = found.model
    is_ours = (model.name, model.model, model.flags, model.aliases) == (name, name, (), ())
    return found if is_ours else None
