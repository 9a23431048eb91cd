"""What is wrong with a kubeconfig, in words of kubectl's users.

The `kubernetes` package speaks of keys and lists, takes a user that does not exist for nobody, and goes on without credentials where an
exec plugin fails, of which it only logs an error.
"""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from workspace_ctrl.kube.access.kubeconfig_entries import Documents, Entry, by_name, chosen_name, documents_of
from workspace_ctrl.kube.access.plain_kubeconfig import AUTHORITY, DATA, INSECURE, NOT_READ, decoded
from workspace_ctrl.kube.access.proxy import PROXY_EXAMPLE, PROXY_SCHEMES
from workspace_ctrl.kube.access.request_headers import COMPRESSION, HeaderFieldError, headers_of

READABLE_FILE: Final = "set KUBECONFIG or --kubeconfig to a readable file, or run in a pod with a ServiceAccount"
_PLUGIN_REMEDY: Final = "install it, or log in with it; kubectl fails in the same way"
_MOST_NAMES: Final = 10
_LONGEST_HINT: Final = 500
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "cluster": (AUTHORITY,),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
"""Fields with the path of a file, by kind of entry; those of certificates and keys can be followed by `-data` and the content."""
_STRINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "cluster": ("server", "tls-server-name", "proxy-url"),
    "user": ("token", "username", "password"),
}
_FLAGS: Final = (INSECURE, COMPRESSION)
_PLUGINS: Final = "gke-gcloud-auth-plugin for gcp, kubelogin for azure"
_SET_AGAIN: Final[Mapping[str, str]] = {
    "cluster": "set it again, with kubectl config set-cluster {name}",
    "user": "log in again, or set it with kubectl config set-credentials {name}",
}


def fault_of(documents: Documents, context: str | None) -> tuple[str, str] | None:
    """Return which name or field in a kubeconfig is wrong, and the way out; None if none is found."""
    try:
        return _fault(documents, context) if documents else ("no such file", READABLE_FILE)
    except NOT_READ:
        return None


def plugin_remedy(user: Mapping[str, Any]) -> str:
    """Return the way out where the exec plugin of a user fails, with its own hint (`installHint`) if it has one."""
    plugin = user.get("exec")
    hint = plugin.get("installHint") if isinstance(plugin, Mapping) else None
    return f"{_PLUGIN_REMEDY}; {' '.join(str(hint).split())[:_LONGEST_HINT]}" if hint else _PLUGIN_REMEDY


def fields_of(kubeconfig: Path | None, context: str | None) -> Mapping[str, str]:
    """Return where each certificate and key of a context is, by the name of its field without `-data`: which field of which file."""
    try:
        documents = documents_of(kubeconfig)
        chosen = by_name(documents, "contexts")[chosen_name(documents, context)].fields["context"]
        found = {}
        for kind, fields in _FIELDS.items():
            name = chosen.get(kind)
            if name and (entry := by_name(documents, f"{kind}s").get(name)):
                given = entry.fields[kind]
                found.update({field: f"{_title(given, field)} of {kind} {name} in {entry.file}" for field in fields})
    except NOT_READ:
        return {}
    else:
        return found


def _fault(documents: Documents, context: str | None) -> tuple[str, str] | None:
    contexts, chosen = by_name(documents, "contexts"), chosen_name(documents, context)
    if not contexts:
        return "it has no contexts", READABLE_FILE
    if not chosen:
        return "it has no current context", f"choose one with --context: {_listed(contexts)}"
    if chosen not in contexts:
        return f"there is no context {chosen}; there are {_listed(contexts)}", "kubectl config get-contexts lists them"
    if not isinstance(contexts[chosen].fields.get("context"), Mapping):
        return f"its context {chosen} has no cluster and user", "set them with kubectl config set-context"
    return next(filter(None, (_fault_of_entry(documents, contexts[chosen], kind) for kind in _FIELDS)), None)


def _fault_of_entry(documents: Documents, context: Entry, kind: str) -> tuple[str, str] | None:
    """Return what is wrong with the cluster or user of a context."""
    name, known = context.fields["context"].get(kind), by_name(documents, f"{kind}s")
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


def _wrong_field(entry: Entry, kind: str) -> tuple[str, str] | None:
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
    return _wrong_cluster(given) if kind == "cluster" else _wrong_user(given)


def _wrong_cluster(given: Mapping[str, Any]) -> tuple[str, str] | None:
    for field in _FLAGS:
        if not isinstance(given.get(field) or False, bool):
            return field, "is neither true nor false"
    authority = next((field for field in (AUTHORITY, AUTHORITY + DATA) if given.get(field)), "")
    if given.get(INSECURE) and authority:
        return INSECURE, f"is true, and there is {authority}, which would not be used; kubectl rejects both together"
    proxy = given.get("proxy-url") or ""
    if proxy and not proxy.startswith(PROXY_SCHEMES):
        return "proxy-url", f"is {PROXY_EXAMPLE}"  # not quoted, as it may have a password
    return None


def _wrong_user(given: Mapping[str, Any]) -> tuple[str, str] | None:
    provider = given.get("auth-provider")
    if provider and (not isinstance(provider, Mapping) or provider.get("name") != "oidc"):
        name = provider.get("name") if isinstance(provider, Mapping) else ""
        named = f"is {name}" if isinstance(name, str) and name else "has no name"
        return "auth-provider", f"{named}, and Kubernetes 1.26 has removed all but oidc; an exec plugin takes its place: {_PLUGINS}"
    plugin = given.get("exec")
    if isinstance(plugin, Mapping) and plugin.get("interactiveMode") == "Always" and not _has_terminal():
        return "exec", "asks for input (interactiveMode: Always), and standard input is not a terminal"
    try:
        headers_of({}, given)
    except HeaderFieldError as error:
        return error.field, error.problem
    return None


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # None in a process that was started without one


def _is_base64(data: object) -> bool:
    try:
        return isinstance(data, str) and decoded(data) is not None
    except ValueError:
        return False


def _title(given: Mapping[str, Any], field: str) -> str:
    """Return the name of a field as it is there: with `-data` where it has the content, and not a path."""
    return field + DATA if given.get(field + DATA) else field


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
