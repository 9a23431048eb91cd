"""The context of a kubeconfig, with its cluster and user, from one file or several: kubectl takes the first entry of a name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace_ctrl.kube.access.plain_kubeconfig import document_of, paths_of

Documents = Mapping[Path, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of one of the lists of a kubeconfig."""

    file: Path
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChosenContext:
    """A context, and what its cluster and user say; empty where it names none."""

    name: str
    context: Mapping[str, Any]
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    user_folder: Path
    """Folder of the kubeconfig with the user, to which its paths are relative."""

    def file_token(self) -> str:
        """Return the content of the user's `tokenFile`, which comes before a `token`; empty if there is none, or if it cannot be read."""
        try:
            return (self.user_folder / str(self.user["tokenFile"])).read_text(encoding="utf-8").strip()
        except (OSError, ValueError, KeyError):
            return ""


def chosen_context(documents: Documents, context: str | None) -> ChosenContext:
    """Return a context of a kubeconfig, which has no fault."""
    name = chosen_name(documents, context)
    found = by_name(documents, "contexts")[name]
    chosen = found.fields["context"]
    cluster, user = (_entry(documents, kind, chosen.get(kind)) or found for kind in ("cluster", "user"))
    folder = user.file.absolute().parent
    return ChosenContext(name, chosen, cluster.fields.get("cluster") or {}, user.fields.get("user") or {}, folder)


def _entry(documents: Documents, kind: str, name: str | None) -> Entry | None:
    return by_name(documents, f"{kind}s").get(name) if name else None


def documents_of(kubeconfig: Path | None) -> Documents:
    """Return the content of each file that exists; an empty file has none."""
    files = (Path(each).expanduser() for each in paths_of(kubeconfig).split(os.pathsep) if each)
    documents = {file: document_of(file) for file in files if file.exists()}
    return {file: {} if document is None else document for file, document in documents.items()}


def chosen_name(documents: Documents, context: str | None) -> str:
    """Return the name of the context: the given one, or the current one of the first file that has one; else an empty one."""
    current = (str(document["current-context"]) for document in documents.values() if document.get("current-context"))
    return context or next(current, "")


def by_name(documents: Documents, kind: str) -> dict[str, Entry]:
    """Return the entries of a list of all files by name; the first of a name counts."""
    found: dict[str, Entry] = {}
    for file, document in documents.items():
        for entry in document.get(kind) or ():
            found.setdefault(entry["name"], Entry(file, entry))
    return found
