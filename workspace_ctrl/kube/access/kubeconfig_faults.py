"""What is wrong with a kubeconfig, in words of kubectl's users.

The `kubernetes` package speaks of keys and lists, takes a user that does not exist for nobody, and goes on without credentials where an
exec plugin fails, of which it only logs an error.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workspace_ctrl.kube.access.plain_kubeconfig import DATA, NOT_READ, decoded, document_of, paths_of

READABLE_FILE: Final = "set KUBECONFIG or --kubeconfig to a readable file, or run in a pod with a ServiceAccount"
PLUGIN_REMEDY: Final = "install it, or log in with it; kubectl fails in the same way"
_MOST_NAMES: Final = 10
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
"""Fields with the path of a file, by kind of entry; those of certificates and keys can be followed by `-data` and the content."""
_STRINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "cluster": ("server", "tls-server-name", "proxy-url"),
    "user": ("token", "username", "password"),
}
_SET_AGAIN: Final[Mapping[str, str]] = {
    "cluster": "set it again, with kubectl config set-cluster {name}",
    "user": "log in again, or set it with kubectl config set-credentials {name}",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of one of the lists of a kubeconfig."""

    file: Path
    fields: Mapping[str, Any]


def fault_of(kubeconfig: Path | None, context: str | None) -> tuple[str, str] | None:
    """Return which name or field in a kubeconfig (None for the default of kubectl) is wrong, and the way out.

    None if none is found, or if no file can be read as a kubeconfig.
    """
    try:
        documents = _documents(kubeconfig)
        return _fault(documents, context) if documents else ("no such file", READABLE_FILE)
    except NOT_READ:
        return None


def fields_of(kubeconfig: Path | None, context: str | None) -> Mapping[str, str]:
    """Return where each certificate and key of a context is, by the name of its field without `-data`: which field of which file."""
    try:
        documents = _documents(kubeconfig)
        chosen = _by_name(documents, "contexts")[_chosen(documents, context)].fields["context"]
        found = {}
        for kind, fields in _FIELDS.items():
            name = chosen.get(kind)
            if name and (entry := _by_name(documents, f"{kind}s").get(name)):
                given = entry.fields[kind]
                found.update({field: f"{_title(given, field)} of {kind} {name} in {entry.file}" for field in fields})
    except NOT_READ:
        return {}
    else:
        return found


def _documents(kubeconfig: Path | None) -> Mapping[Path, Mapping[str, Any]]:
    files = (Path(each).expanduser() for each in paths_of(kubeconfig).split(os.pathsep) if each)
    return {file: document_of(file) for file in files if file.exists()}


def _chosen(documents: Mapping[Path, Mapping[str, Any]], context: str | None) -> str:
    current = (str(document["current-context"]) for document in documents.values() if document.get("current-context"))
    return context or next(current, "")


def _fault(documents: Mapping[Path, Mapping[str, Any]], context: str | None) -> tuple[str, str] | None:
    contexts, chosen = _by_name(documents, "contexts"), _chosen(documents, context)
    if not contexts:
        return None
    if not chosen:
        return "it has no current context", f"choose one with --context: {_listed(contexts)}"
    if chosen not in contexts:
        return f"there is no context {chosen}; there are {_listed(contexts)}", "kubectl config get-contexts lists them"
    if not isinstance(contexts[chosen].fields.get("context"), Mapping):
        return f"its context {chosen} has no cluster and user", "set them with kubectl config set-context"
    return next(filter(None, (_fault_of_entry(documents, contexts[chosen], kind) for kind in _FIELDS)), None)


def _fault_of_entry(documents: Mapping[Path, Mapping[str, Any]], context: _Entry, kind: str) -> tuple[str, str] | None:
    """Return what is wrong with the cluster or user of a context."""
    name, known = context.fields["context"].get(kind), _by_name(documents, f"{kind}s")
    if name and name not in known:
        named = f"there are {_listed(known)}" if known else "there are none"
        words = f"its context {context.fields['name']} names {kind} {name}, which is not in it; {named}"
        return words, "correct it with kubectl config set-context"
    found = _wrong_field(known[name], kind) if name else None
    if found is None:
        return None
    field, problem = found
    place = f" in {known[name].file}" if len(documents) > 1 else ""
    return f"{field} of {kind} {name}{place} {problem}", _SET_AGAIN[kind].format(name=name)


def _wrong_field(entry: _Entry, kind: str) -> tuple[str, str] | None:
    """Return the field of a cluster or user that cannot be read, and why; None if each can."""
    given = entry.fields.get(kind) or {}
    for field in _FIELDS[kind]:
        if field == "tokenFile" and given.get("token"):
            continue  # not read
        if data := given.get(field + DATA):
            if not _is_base64(data):
                return field + DATA, "is not base64"
        elif (path := given.get(field)) and not (entry.file.absolute().parent / str(path)).is_file():
            return field, f"is {path}, and there is no such file"
    for field in _STRINGS[kind]:
        if not isinstance(given.get(field) or "", str):
            return field, "is not a string"
    proxy = given.get("proxy-url") or "" if kind == "cluster" else ""
    if proxy and not proxy.startswith(("http://", "https://")):
        return "proxy-url", "is no URL of an HTTP proxy, such as http://proxy.example:3128"  # not quoted, as it may have a password
    return None


def _is_base64(data: object) -> bool:
    try:
        return isinstance(data, str) and decoded(data) is not None
    except ValueError:
        return False


def _title(given: Mapping[str, Any], field: str) -> str:
    """Return the name of a field as it is there: with `-data` where it has the content, and not a path."""
    return field + DATA if given.get(field + DATA) else field


def _by_name(documents: Mapping[Path, Mapping[str, Any]], kind: str) -> dict[str, _Entry]:
    """Return the entries of a list of all files by name; the first of a name counts."""
    found: dict[str, _Entry] = {}
    for file, document in documents.items():
        for entry in document.get(kind) or ():
            found.setdefault(entry["name"], _Entry(file, entry))
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
