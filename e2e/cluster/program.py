"""A program of the cluster: how it is started, and what the supervisor says about it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

TAIL_LINES = 20


class State(StrEnum):
    """What became of a program."""

    RUNNING = "running"
    STOPPED = "stopped"
    DIED = "died"


@dataclass(frozen=True)
class Program:
    """A command line with its environment; the name is also that of its log."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    restarts: bool = False
    """Whether it is started again when it dies, as a kubelet would do with its pod."""

    @classmethod
    def make(
        cls, name: str, command: Path | str, *flags: str, env: Mapping[str, str] | None = None, restarts: bool = False
    ) -> "Program":
        """Return a program from its command and flags."""
        return cls(name, (os.fspath(command), *flags), env or {}, restarts)

    def to_json(self) -> dict[str, Any]:
        """Return the program as the control socket carries it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Program":
        """Read what `to_json` wrote."""
        return cls(value["name"], tuple(value["argv"]), value["env"], value["restarts"])


@dataclass(frozen=True)
class ProgramStatus:
    """A program's life as the supervisor sees it; `pid` is the one inside the cluster's namespace."""

    name: str
    state: State
    pid: int
    code: int = 0

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ProgramStatus":
        """Read one entry of the supervisor's answer."""
        return cls(value["name"], State(value["state"]), value["pid"], value["code"])


def write_json(path: Path, value: object) -> None:
    """Write a file that a reader sees whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value, indent=1))
    partial.rename(path)


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """Return the end of a log."""
    try:
        said = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(said[-lines:]) or "(the log is empty)"
