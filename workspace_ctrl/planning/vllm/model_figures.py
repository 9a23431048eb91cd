"""The figures with which a model is sized: those of the catalog, of the user, or of the model hub.

Figures of the hub become an annotation of the workload, and stay in effect for it: neither a new version of the model, nor a hub that does
not answer, nor a newer catalog changes a running model.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_spec import Preset
from workspace_ctrl.catalog.hub_model import HubModel, note_of, read_note
from workspace_ctrl.catalog.presets import ModelFigures, PresetModel, find_preset, is_hugging_face_id, is_preset
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.steps import LookUpModel, UnresolvedError

_SIZE: Final = "inference.preset.size"


@dataclass(frozen=True, slots=True)
class SizedModel:
    """A model, and where its figures come from."""

    model: PresetModel
    remembered: str = ""
    """Value for the annotation of the workload, if the figures are those of the hub."""
    explanation: str = ""
    """For the explanation of the size, if the figures are those of the hub."""
    notes: tuple[str, ...] = ()
    """Warnings for the author."""
    look_up: LookUpModel | None = None


def hub_id(preset: Preset) -> str:
    """Return the Hugging Face id by which the figures of a model have to be looked up; empty if they are known, or nobody can have them."""
    name = preset.name
    return name if preset.size is None and not is_preset(name) and is_hugging_face_id(name) else ""


def model_of(preset: Preset, remembered: Iterable[str], answer: HubAnswer | None, settings: PlanSettings) -> SizedModel:
    """Return the model that `preset` names; `remembered` are the figures that its workloads were sized for.

    Raises:
        SpecError: it is not known, or its size is not valid.
        UnresolvedError: the hub has to be asked first, or has no figures.
    """
    for text in remembered if preset.size is None else ():
        found = read_note(text, preset.name)
        if found is not None:  # also if the catalog has the model by now: clients know it by its id
            return _sized(found, text)
    name = hub_id(preset)
    if not name:
        model = find_preset(preset.name, _size_of(preset))
        return SizedModel(model, notes=tuple(_incomplete(preset, model)))
    if not settings.model_hub:
        return SizedModel(find_preset(name))
    if answer is None or answer.found is None:
        raise UnresolvedError(problem=_unknown(name, answer, settings), look_up=LookUpModel(name, is_known=False))
    return _sized(answer.found, note_of(answer.found), LookUpModel(name, is_known=True))


def _sized(found: HubModel, remembered: str, look_up: LookUpModel | None = None) -> SizedModel:
    return SizedModel(found.model, remembered, f"figures of the model hub: {found}", tuple(_notes(found)), look_up)


def _incomplete(preset: Preset, model: PresetModel) -> Iterator[str]:
    """Yield a message for figures that do not tell the size of the KV cache, without which they are of no use for the context."""
    given = ("context_limit", "layers", "kv_heads", "head_dim")
    size = preset.size
    named = [to_camel(name) for name in given if size is not None and getattr(size, name) is not None]
    if named and not is_preset(preset.name) and model.kv_bytes_per_token is None:
        text = f"{_SIZE}: the size of the KV cache does not follow from {', '.join(named)}, so vLLM chooses the context"
        yield f"{text}; set kvBytesPerToken, or layers, kvHeads and headDim together"


def _notes(found: HubModel) -> Iterator[str]:
    name = found.model.name
    if found.assumed:
        yield f"{name} is sized by its files at the model hub, but {'; '.join(found.assumed)}; set {_SIZE} if you know better"
    if found.has_code:
        remedy = "if vLLM needs it, and you trust it, set trust-remote-code in the ConfigMap of inference.config"
        yield f"the repository of {name} has code of its own, which is not run; {remedy}"


def _unknown(name: str, answer: HubAnswer | None, settings: PlanSettings) -> Problem:
    if answer is None:
        text = f"{name} is not in the catalog; its size is read from its files at {settings.model_hub}"
        return Problem(LinkName.WORKLOAD, "SizingModel", text, in_progress=True)
    return Problem(LinkName.WORKLOAD, answer.reason, answer.message, terminal=answer.terminal)


def _size_of(preset: Preset) -> ModelFigures | None:
    """Return the model size that the user has set.

    Raises:
        SpecError: a value is out of range.
    """
    if preset.size is None:
        return None
    figures = preset.size.model_dump(exclude={"weights"}, exclude_none=True)
    try:
        return ModelFigures(weights_gib=preset.size.weights_gib, **figures)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SpecError(_SIZE, f"is not valid: {first['loc'][0]}: {first['msg']}") from None
