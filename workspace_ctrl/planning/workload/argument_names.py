"""The model names in the arguments of a user's pod template: those of vLLM's flags, which SGLang has in part.

Source of the flags and their forms: https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/cli_args.py
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any, Final

from workspace_ctrl.model.probe_results import MOST_NAMES, is_model_name
from workspace_ctrl.planning.workload.container_commands import commands
from workspace_ctrl.records.meta import list_of, mapping_of, mappings_of

NAMES_FLAG: Final = "--served-model-name"
_ADAPTERS_FLAG: Final = "--lora-modules"
_FILE_FLAG: Final = "--config"
"""A file with further flags."""
_MOST_CONTAINERS: Final = 16
_PLAIN: Final = re.compile(r"[\w./:@+,=~-]+", re.ASCII)
_UNKNOWN: Final = re.compile(r"[$`]")
"""What is in a word that is only known in the pod."""


@dataclass(frozen=True, slots=True)
class ArgumentNames:
    """The names with which a user's pod template starts its model server."""

    served: tuple[str, ...] = ()
    """Of the model itself."""
    adapters: tuple[str, ...] = ()
    """Of its LoRA adapters."""
    are_all: bool = False
    """Whether the model server has no other names, as far as arguments tell."""


def names_in_arguments(template: Mapping[str, Any]) -> ArgumentNames:
    """Return the names in the first command of a container that serves a model by name.

    Words that only the pod knows, or that are no plain names, are left out.
    """
    containers = list_of(mapping_of(template.get("spec")).get("containers"))
    for words in commands(mappings_of(containers[:_MOST_CONTAINERS])):
        named, adapters = _values(words, NAMES_FLAG), [_adapter_name(text) for text in _values(words, _ADAPTERS_FLAG)]
        found = ArgumentNames(_plain(named), _plain(adapters), _are_all(words, (*named, *adapters)))
        if found.served or found.adapters:
            return found
    return ArgumentNames()


def _values(words: Sequence[str], flag: str) -> list[str]:
    """Return the values of `flag` in a command; of several such flags, the last one has an effect."""
    found: Iterable[str] = ()
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == flag:
            found = (value,) if equals else islice(words, index + 1, None)
            found = [*takewhile(lambda each: not each.startswith("-"), found)]
    return [*found]


def _adapter_name(text: str) -> str:
    """Return the name of a LoRA adapter, given as `<name>=<path>` or as JSON; empty if it has none."""
    if "=" in text and "," not in text:
        return text.partition("=")[0]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("name", "")) if isinstance(found, Mapping) else ""


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(dict.fromkeys(name for name in names if _is_plain(name)), MOST_NAMES))


def _is_plain(name: str) -> bool:
    return is_model_name(name) and _PLAIN.fullmatch(name) is not None


def _are_all(words: Iterable[str], names: Iterable[str]) -> bool:
    is_known = not any(_UNKNOWN.search(word) or word.partition("=")[0] == _FILE_FLAG for word in words)
    return is_known and all(map(_is_plain, names))
