"""What is wrong with a kubeconfig, in words of kubectl's users.

The `kubernetes` package speaks of keys and lists, takes a user that does not exist for nobody, and goes on without credentials where an
exec plugin fails, of which it only logs an error.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from workspace_ctrl.kube.access.plain_kubeconfig import NOT_READ, document_of, paths_of

READABLE_FILE: Final = "set KUBECONFIG or --kubeconfig to a readable file, or run in a pod with a ServiceAccount"
PLUGIN_REMEDY: Final = "install it, or log in with it; kubectl fails in the same way"
_MOST_NAMES: Final = 10


def fault_of(kubeconfig: Path | None, context: str | None) -> tuple[str, str] | None:
    """Return which name in a kubeconfig (None for the default of kubectl) leads nowhere, and the way out.

    None if each is there, or if no file can be read as a kubeconfig.
    """
    try:
        files = [file for each in paths_of(kubeconfig).split(os.pathsep) if each and (file := Path(each).expanduser()).exists()]
        return _fault([*map(document_of, files)], context) if files else ("no such file", READABLE_FILE)
    except NOT_READ:
        return None


def _fault(documents: Sequence[Mapping[str, Any]], context: str | None) -> tuple[str, str] | None:
    contexts = _by_name(documents, "contexts")
    chosen = context or next((str(document["current-context"]) for document in documents if document.get("current-context")), "")
    if not contexts:
        return None
    if not chosen:
        return "it has no current context", f"choose one with --context: {_listed(contexts)}"
    if chosen not in contexts:
        return f"there is no context {chosen}; there are {_listed(contexts)}", "kubectl config get-contexts lists them"
    for kind in ("cluster", "user"):
        name, known = contexts[chosen]["context"].get(kind), _by_name(documents, f"{kind}s")
        if name and name not in known:
            named = f"there are {_listed(known)}" if known else "there are none"
            words = f"its context {chosen} names {kind} {name}, which is not in it; {named}"
            return words, "correct it with kubectl config set-context"
    return None


def _by_name(documents: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Mapping[str, Any]]:
    """Return the entries of a list of all files by name; the first of a name counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        for entry in document.get(kind) or ():
            found.setdefault(entry["name"], entry)
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join([*map(str, names)][:_MOST_NAMES])


class _Collector(logging.Handler):
    """Keeps the errors that are logged without a logger of their own, as the `kubernetes` package does."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "root":
            self.messages.append(" ".join(record.getMessage().split()))


@contextmanager
def logged_errors() -> Iterator[list[str]]:
    """Collect the errors that the `kubernetes` package logs; where no log is set up, it would set one up, in the midst of the output."""
    collector, root = _Collector(), logging.getLogger()
    root.addHandler(collector)
    try:
        yield collector.messages
    finally:
        root.removeHandler(collector)
