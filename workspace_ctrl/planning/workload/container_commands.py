"""The commands of a container of a user's pod template, as far as it tells them: variables replaced, a shell's script in words."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from workspace_ctrl.records.meta import list_of, mappings_of

_LONGEST: Final = 32 * 1024
"""What is read of all containers of a template, variables replaced, in characters: a tenant writes it, and others wait meanwhile."""
_MOST_VARIABLES: Final = 500
"""Variables of a container that are read."""
_LONGEST_VALUE: Final = 1024
"""Value of a variable that is used, in characters: variables can refer to others many times."""
_REFERENCE: Final = re.compile(r"\$(?:(\$)|\(([^()$]*)\))")
"""A reference to a variable in a pod's command, arguments and variables: $(NAME), or $$ for a dollar."""
_FLAG_OF_SCRIPT: Final = re.compile("-[a-z]{0,3}c")
_ASSIGNMENT: Final = re.compile(r"(?<![^\s;&|()])(\w+)\+?=")
_PLAIN_ASSIGNMENT: Final = re.compile(
    r"""(?<![^\s;&|()])(\w+)=(?:'([^']*)'|"([^"$`\\]*)"|([\w./:@+,=~-]*))(?=[\s;&|)]|\Z)""", re.ASCII
)
"""An assignment of a value that has nothing to replace."""
_PIECE: Final = re.compile(
    r"(?P<skipped>(?<![^\s;&|()])#[^\n]*|\\\n|(?<!\S)\d(?=[<>]))"
    r"|(?P<blank>[^\S\n]+)|(?P<end>[;&|()<>\n])"
    r"|'(?P<literal>[^']*)'"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r"|\\(?P<escaped>.)"
    r"""|(?P<bare>[^\s;&|()<>'"\\]+)""",
    re.DOTALL,
)
"""A piece of a shell's script; comments, joined lines and numbers of redirected files are skipped."""
_EXPANSION: Final = re.compile(r"\\([$`\"\\])|\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_SEPARATOR: Final = "\0"
_END: Final = ";"
"""What stands for the end of a command."""


def commands(containers: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    """Yield the words of each command of `containers`; a shell's script, the argument after -c, can have several.

    What the template does not tell stays as it is written, with its dollar or backquote: variables that it takes from other objects, or
    that the script sets to more than plain text, and what a program prints. What exceeds `_LONGEST` is left out.
    """
    left = _LONGEST
    for container in containers:
        words, length = _words(container, left)
        left -= length
        for is_command, group in groupby(words, lambda word: word != _END):
            if is_command:
                yield [*group]


def _words(container: Mapping[str, Any], most: int) -> tuple[list[str], int]:
    """Return the words of a container, with `_END` between commands, and the length of what was read; no words if it exceeds `most`."""
    written = [str(word) for key in ("command", "args") for word in list_of(container.get(key))]
    entries = mappings_of(container.get("env"))
    length = sum(map(_length, (*written, *(entry.get("value") for entry in entries))))
    if length > most:
        return [], 0
    variables = _variables(entries)
    given = [_replaced(word, variables) for word in written]
    start = next((index for index, word in enumerate(given, 1) if _FLAG_OF_SCRIPT.fullmatch(word)), len(given))
    script = "".join(given[start : start + 1])
    if len(script) > most:
        return [], length
    known = _known_in(script, variables, {str(entry.get("name")) for entry in entries})
    in_script = len(_expanded(script, known))
    if length + in_script > most:
        return [], length
    return [*given[:start], *_words_of_script(script, known), *given[start + 1 :]], length + in_script


def _length(text: object) -> int:
    """Return how much of an argument, or of the value of a variable, is read: all of it if it can have references."""
    return len(text) if isinstance(text, str) and "$" in text and len(text) <= _LONGEST else 1


def _variables(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the variables with a value in the template; each can refer to those before it."""
    found: dict[str, str] = {}
    for entry in entries if len(entries) <= _MOST_VARIABLES else ():
        name = entry.get("name")
        if isinstance(name, str):
            value = _value(entry, found)
            found.pop(name, None)
            if value is not None:
                found[name] = value
    return found


def _value(entry: Mapping[str, Any], before: Mapping[str, str]) -> str | None:
    """Return the value of a variable, which can refer to those `before` it; None if the template does not tell it."""
    value = entry.get("value") or ""
    if not isinstance(value, str) or (not value and entry.get("valueFrom") is not None):
        return None
    replaced = _replaced(value, before)
    return replaced if len(replaced) <= _LONGEST_VALUE else None


def _replaced(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with its references replaced, as the kubelet does: unknown ones stay.

    Source: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    if len(text) > _LONGEST or "$" not in text:
        return text
    replaced = _REFERENCE.sub(lambda found: found[1] or variables.get(found[2], found[0]), text)
    return replaced if len(replaced) <= _LONGEST else text


def _known_in(script: str, variables: Mapping[str, str], given: Container[str]) -> dict[str, str]:
    """Return the variables whose value a shell's script uses: `variables` that it does not set, and those that it sets once, to plain text.

    Of the ones `given` to the container that it sets, the value can be either, as with `[ "$A" ] || A=b`.
    """
    changed = Counter(_ASSIGNMENT.findall(script))
    own = {found[1]: found[2] or found[3] or found[4] or "" for found in _PLAIN_ASSIGNMENT.finditer(script)}
    is_known = {name for name, value in own.items() if changed[name] == 1 and name not in given and len(value) <= _LONGEST_VALUE}
    return {name: value for name, value in variables.items() if name not in changed} | {name: own[name] for name in is_known}


def _expanded(text: str, known: Mapping[str, str]) -> str:
    return _EXPANSION.sub(lambda found: found[1] or known.get(found[2] or found[3], found[0]), text)


def _words_of_script(script: str, known: Mapping[str, str]) -> list[str]:
    """Return the words of a shell's script, with `_END` between its commands; of its variables, some are `known`."""

    def read(piece: re.Match[str]) -> str:
        kind = str(piece.lastgroup)
        match kind:
            case "skipped":
                return ""
            case "blank":
                return _SEPARATOR
            case "end":
                return f"{_SEPARATOR}{_END}{_SEPARATOR}"
            case "quoted":
                return _expanded(piece[kind], known)
            case "bare" if "$" in piece[kind]:
                return _SEPARATOR.join(re.split(r"\s+", _expanded(piece[kind], known)))
        return piece[kind]

    return [word for word in _PIECE.sub(read, script).split(_SEPARATOR) if word]
