"""The names by which requests ask for a model, the base model's first."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.records.probes import MOST_NAMES, is_model_name

_FLAG = "--served-model-name"


def model_names(spec: Workspace, known: Sequence[str], served: Sequence[str]) -> tuple[str, ...]:
    """Return the names: the user's, else those that are `known` beforehand, else those that the model server told, else the template's.

    `served` are kept through failures of the model server, so that its routes do not come and go; of those, and of the template's, only
    names that a header can hold are taken.
    """
    wanted = spec.gateway.model_name if spec.gateway is not None else None
    template = spec.inference.template if spec.inference is not None else None
    told = tuple(dict.fromkeys(filter(is_model_name, served)))[:MOST_NAMES]
    found = tuple(known) or told or tuple(_served_by(template or {}))
    return (wanted, *(name for name in found if name != wanted)) if wanted else found


def check_model_name(spec: Workspace, known: Sequence[str]) -> None:
    """Check the user's name against those that the model server is given.

    Raises:
        SpecError: the model server would not know it.
    """
    wanted = spec.gateway.model_name if spec.gateway is not None else None
    if wanted and known and wanted not in known:
        raise SpecError("gateway.modelName", f"is not a name of this model, which is called {', '.join(known)}", "remove it")


def _served_by(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the first name that vLLM is given in a pod template, whose inside a user wrote."""
    pod = template.get("spec")
    containers = pod.get("containers") if isinstance(pod, Mapping) else None
    for container in containers if isinstance(containers, list) else ():
        words = [str(word) for key in ("command", "args") for word in _list(container, key)]
        for word, following in pairwise([*words, ""]):
            name = following if word == _FLAG else word.removeprefix(f"{_FLAG}=") if word.startswith(f"{_FLAG}=") else ""
            if is_model_name(name):
                yield name
                return


def _list(container: object, key: str) -> Sequence[object]:
    value = container.get(key) if isinstance(container, Mapping) else None
    return value if isinstance(value, list) else ()
