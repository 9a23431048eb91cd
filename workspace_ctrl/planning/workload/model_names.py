"""The model names that requests can use; that of the base model is first."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.model.probe_results import MOST_NAMES, is_model_name

_MOST_SHOWN = 10
_FLAG = "--served-model-name"
_SCRIPT = re.compile("-[a-z]{0,3}c")


def model_names(spec: Workspace, known: Sequence[str], served: Sequence[str]) -> tuple[str, ...]:
    """Return the names: the user's, else the `known` ones, else those `served` by the model server, else those in the pod template.

    `served` is kept while the model server fails, so that its routes do not change each time. Of those names, and of the template's, only
    valid HTTP header values are used.
    """
    reported = tuple(dict.fromkeys(filter(is_model_name, served)))[:MOST_NAMES]
    return _with_wanted(spec, tuple(known) or reported or _in_template(spec))


def names_in_spec(spec: Workspace, known: Sequence[str]) -> tuple[str, ...]:
    """Return the same names without those that only the model server reports: it could report the names of other tenants' models."""
    return _with_wanted(spec, tuple(known) or _in_template(spec))


def _with_wanted(spec: Workspace, found: tuple[str, ...]) -> tuple[str, ...]:
    """Return `found` with the user's name in front, and with the aliases that it lacks."""
    wanted = spec.gateway.model_name if spec.gateway is not None else None
    return tuple(dict.fromkeys((*((wanted,) if wanted else ()), *found, *spec.aliases)))


def unserved_aliases(spec: Workspace, known: Sequence[str], served: Sequence[str]) -> str:
    """Return that the model server does not serve some of the aliases, as a warning; empty if it does, or if its names are not known.

    `known` are the names that it is started with, and `served` those that it has reported.
    """
    names = tuple(known) or tuple(served)
    missing = [alias for alias in spec.aliases if alias not in names]
    if not names or not missing:
        return ""
    text = f"gateway.aliases: the model server does not serve {', '.join(missing)}, but {', '.join(names[:_MOST_SHOWN])}"
    return f"{text}; start it with these names (vLLM: {_FLAG}), or have an InferenceModelRewrite of its pool replace them"


def _in_template(spec: Workspace) -> tuple[str, ...]:
    template = spec.inference.template if spec.inference is not None else None
    return tuple(_served_by(template or {}))


def check_model_name(spec: Workspace, known: Sequence[str]) -> None:
    """Check the user's name against the names that the model server is started with.

    Raises:
        SpecError: the model server would not serve it.
    """
    wanted = spec.gateway.model_name if spec.gateway is not None else None
    if wanted and known and wanted not in known:
        raise SpecError(
            "gateway.modelName", f"is not a name of this model ({', '.join(known)})", "remove it, or use one of these names"
        )


def _served_by(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the first served model name in the arguments of a user's pod template."""
    pod = template.get("spec")
    containers = pod.get("containers") if isinstance(pod, Mapping) else None
    for container in containers if isinstance(containers, list) else ():
        words = [*_words([str(word) for key in ("command", "args") for word in _list(container, key)])]
        for word, following in pairwise([*words, ""]):
            name = following if word == _FLAG else word.removeprefix(f"{_FLAG}=") if word.startswith(f"{_FLAG}=") else ""
            if is_model_name(name):
                yield name
                return


def _words(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments; instead of a shell's script (the one after -c), its words."""
    for before, word in pairwise(["", *arguments]):
        yield from (part.strip("'\"") for part in word.split()) if _SCRIPT.fullmatch(before) else (word,)


def _list(container: object, key: str) -> Sequence[object]:
    value = container.get(key) if isinstance(container, Mapping) else None
    return value if isinstance(value, list) else ()
