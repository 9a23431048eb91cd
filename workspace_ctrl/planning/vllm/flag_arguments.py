"""The arguments that a flag of a user becomes on vLLM's command line."""

import json
from collections.abc import Iterator
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.vllm import Form, flag
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD

_SWITCHES: Final = {"true": True, "false": False}
"""Quoted values of switches, which take no value on the command line."""


def switch(value: object) -> object:
    """Return the value of a switch, which may be quoted; other values as they are."""
    return _SWITCHES.get(value.strip().lower(), value) if isinstance(value, str) else value


def flag_arguments(name: str, value: object) -> Iterator[str]:
    """Yield the arguments of the flag `name`, without dashes, with `value`; none for a null or an empty list, as in a file that vLLM reads.

    Raises:
        SpecError: the value has a character that no argument can have, or a list is given where vLLM takes one value.
    """
    known, value = flag(name), switch(value)
    form = known.form if known is not None else Form.ARGUMENTS
    if isinstance(value, bool):
        yield from _switched(name, form, is_on=value)
    elif isinstance(value, list):
        yield from _several(name, value, form)
    elif isinstance(value, str) and form is Form.JSON and not value.lstrip().startswith("["):
        yield from _several(name, [value], form)
    elif value is not None:
        yield f"--{name}={_text(name, value)}"


def _switched(name: str, form: Form | None, *, is_on: bool) -> Iterator[str]:
    if is_on:
        yield f"--{name}"
    elif form is not Form.PRESENCE:
        yield f"--no-{name}"


def _several(name: str, values: list[object], form: Form | None) -> Iterator[str]:
    match form:
        case Form.JSON:
            yield f"--{name}={_text(name, json.dumps(values))}"
        case Form.REPEATED:
            yield from (f"--{name}={_text(name, value)}" for value in values)
        case Form.COMMAS if values:
            yield f"--{name}={','.join(_text(name, value) for value in values)}"
        case Form.ARGUMENTS if values:
            yield f"--{name}"
            yield from (_separate(name, value) for value in values)
        case None | Form.PRESENCE:
            raise SpecError(CONFIG_FIELD, f"vllm.{name} is a list, but vLLM takes one value", "set one value")


def _separate(name: str, value: object) -> str:
    """Return a value that is an argument of its own."""
    if isinstance(value, str) and value.startswith("-"):
        problem = f"vllm.{name} has a value that begins with a dash, which vLLM would read as another flag"
        raise SpecError(CONFIG_FIELD, problem, "remove the dash, or set other flags by their names")
    return _text(name, value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if "\0" in value:
        raise SpecError(CONFIG_FIELD, f"vllm.{name} contains a NUL character, which a program argument cannot have", "remove it")
    return value
