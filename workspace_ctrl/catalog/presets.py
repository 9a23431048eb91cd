"""Models that a Workspace can name."""

from collections.abc import Mapping
from functools import cache

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.loading import Row, load, suggestion


class PresetModel(Row):
    """A model and the figures that sizing needs."""

    name: str
    """Name in the catalog, which is also the name that requests put into `model`."""
    model: str
    """Hugging Face id."""
    weights_gib: float
    """Size of the weights in GiB."""
    kv_bytes_per_token: int
    """Bytes of KV cache that one token takes, over all GPUs together."""
    context_limit: int
    """Longest context that the model was made for, in tokens."""
    tensor_parallel: bool = True
    """Whether the model can be split over the GPUs of a node."""
    distributed: bool = False
    """Whether the model can be split over nodes."""
    gated: bool = False
    """Whether its download needs a Hugging Face token."""
    lora: bool = True
    flags: tuple[str, ...] = ()
    """Further flags of `vllm serve`."""


@cache
def presets() -> Mapping[str, PresetModel]:
    """Return all presets by name."""
    return {preset.name: preset for preset in load("presets.yaml", "presets", PresetModel)}


def find_preset(name: str, size: object = None) -> PresetModel:
    """Return the preset called `name`.

    Raises:
        SpecError: there is none; the remedy names the closest one.
    """
    known = presets()
    if name in known:
        return known[name]
    remedy = suggestion(name, known, f"known presets: {', '.join(sorted(known))}")
    raise SpecError("inference.preset.name", f"{name!r} is not known", remedy)
