"""A guide, followed as its page says: every command, in one shell, and what it is said to print."""

import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol, Self

PROMPT = "$ "
CONTINUED = "    "
_FENCE = "```"
_BEGIN = f"{_FENCE}console"
_END = "end-of-command"
_PARTS = re.compile(r"((?:^|(?<=\n))\.\.\.\n|\.\.\.|\s+)")
"""What is not taken literally of shown output: a line of dots for any lines or none, dots for anything, and blanks of any width."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a guide."""

    line: int
    """Where it stands in the README, counted from 1."""
    command: str
    printed: str = ""
    """What it prints, `...` for anything; empty where the guide does not show it."""

    def prints(self, text: str) -> bool:
        """Say whether `text` is what the guide shows."""
        return not self.printed or re.fullmatch(_likeness(f"{self.printed.rstrip()}\n"), f"{text.rstrip()}\n") is not None


def _likeness(shown: str) -> str:
    """Return a regular expression for output that is like what is shown."""
    return "".join(
        r"[\s\S]*?" if part.strip() == "..." else r"\s+" if part.isspace() else re.escape(part) for part in _PARTS.split(shown)
    )


def steps(readme: str) -> Iterator[Step]:
    """Yield the commands of a README: what stands after `$ ` in its console blocks, and the indented lines below."""
    inside = False
    at = 0
    command: list[str] = []
    printed: list[str] = []
    for number, line in enumerate(readme.splitlines(), 1):
        if inside and (line == _FENCE or line.startswith(PROMPT)) and at:
            yield Step(at, "\n".join(command), "".join(printed))
            at = 0
        if line.startswith(_FENCE):
            inside = line == _BEGIN
        elif inside and line.startswith(PROMPT):
            at, command, printed = number, [line.removeprefix(PROMPT)], []
        elif inside and line.startswith(CONTINUED) and not printed:
            command.append(line)
        elif inside:
            printed.append(f"{line}\n")


def adapted(found: Iterable[Step], replacements: Mapping[str, str]) -> list[Step]:
    """Return the steps with other texts in their commands, for what cannot be had here.

    A whole command that is replaced prints something else.
    """
    return [
        replace(step, command=replacements[step.command], printed="")
        if step.command in replacements
        else replace(step, command=_replaced(step.command, replacements))
        for step in found
    ]


def _replaced(command: str, replacements: Mapping[str, str]) -> str:
    for old, new in replacements.items():
        command = command.replace(old, new)
    return command


class Place(Protocol):
    """Where commands run: a cluster's network, or this machine."""

    def popen(self, argv: Sequence[str], *, env: Mapping[str, str], stdin: int, stdout: int, stderr: int) -> subprocess.Popen[str]:
        """Start a command with these variables in addition."""


class Shell:
    """One bash; variables stay from one command to the next."""

    def __init__(self, place: Place, environment: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        command = ["bash", "--norc", "-s"]
        self._process = place.popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        """Return the shell."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it."""
        with self._process as process:
            process.kill()

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed.

        Raises:
            AssertionError: the shell ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("the shell has no pipes")
        stdin.write(f"{{ {command}\n}} < /dev/null; printf '\\n%s %d\\n' {_END} $?\n")
        stdin.flush()
        printed = ""
        for line in stdout:
            if line.startswith(f"{_END} "):
                return int(line.split()[1]), printed.removesuffix("\n")
            printed += line
        raise AssertionError(f"the shell ended with {command}:\n{printed}")


def follow(shell: Shell, found: Iterable[Step], show: Callable[[str], Any] = lambda _: None) -> None:
    """Run all steps; commands, and what they print, go to `show`.

    Raises:
        AssertionError: one failed, or printed something else; the message has its line, and what was printed.
    """
    for step in found:
        show(f"$ {step.command}")
        code, printed = shell.run(step.command)
        show(printed)
        told = f"line {step.line}: $ {step.command}\n{printed}"
        if code:
            raise AssertionError(f"{told}\nexit code {code}")
        if not step.prints(printed):
            raise AssertionError(f"{told}\nwhere the guide shows:\n{step.printed}")
