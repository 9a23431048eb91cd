"""Reads a kubeconfig that has nothing but addresses, certificates, a token and whom to impersonate.

The `kubernetes` package reads every kubeconfig, but importing it takes a fifth of a second: more than all requests of a command. So it is
left to what only it can: exec plugins, several files, a proxy of the cluster, and the message for a file that is broken.
"""

import base64
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from workspace_ctrl.kube.access.access import Tls
from workspace_ctrl.kube.access.request_headers import COMPRESSION, IMPERSONATION, Headers, headers_of

DEFAULT_KUBECONFIG: Final = "~/.kube/config"
AUTHORITY: Final = "certificate-authority"
INSECURE: Final = "insecure-skip-tls-verify"
_CLUSTER: Final = frozenset({"server", AUTHORITY, INSECURE, "tls-server-name", COMPRESSION})
_USER: Final = frozenset({"client-certificate", "client-key", "token"}) | IMPERSONATION
DATA: Final = "-data"
"""Ends the names of fields that have the content of a file, in base64."""
_LOADER: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""As `FAST_LOADER` of the API's documents, which `kube` does not know."""
NOT_READ: Final = (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError)
"""What reading a kubeconfig raises that is missing, broken, or of another shape."""


@dataclass(frozen=True)
class PlainKubeconfig:
    """A context of a kubeconfig."""

    name: str
    server: str
    tls: Tls
    token: str
    headers: Headers
    namespace: str
    folder: "tempfile.TemporaryDirectory[str] | None"
    """Has the certificates and the key that are in the kubeconfig itself, for as long as this is in use."""


class _NotPlainError(Exception):
    """The `kubernetes` package has to read this."""


def paths_of(kubeconfig: Path | None) -> str:
    """Return the path of a kubeconfig; for None the default of kubectl, which may be several."""
    return str(kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG)


def document_of(file: Path) -> Any:  # noqa: ANN401 - whatever is in it
    """Return what a kubeconfig has; raises one of `NOT_READ` if it cannot be read."""
    return yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a safe loader


def decoded(data: str) -> bytes:
    """Return the content of a field that ends in `-data`; line breaks in it do not count.

    Raises:
        ValueError: it is not base64.
    """
    return base64.b64decode("".join(data.split()), validate=True)


def read_plain_kubeconfig(kubeconfig: Path | None, context: str | None) -> PlainKubeconfig | None:
    """Return a context of a kubeconfig (None for the defaults of kubectl); None if it has more than this module reads, or is broken."""
    path = paths_of(kubeconfig)
    if os.pathsep in path:
        return None
    file = Path(path).expanduser()
    try:
        return _read(document_of(file), file.absolute().parent, context)
    except (_NotPlainError, *NOT_READ):
        return None


def _read(document: Mapping[str, Any], base: Path, context: str | None) -> PlainKubeconfig:
    context = context or _text(document["current-context"])
    chosen = _named(document["contexts"], context)["context"]
    cluster = _plain(_named(document["clusters"], chosen["cluster"])["cluster"], _CLUSTER)
    user = _plain(_named(document["users"], chosen["user"])["user"] or {}, _USER) if chosen.get("user") else {}
    server, token, headers = _text(cluster["server"]).rstrip("/"), _text(user.get("token", "")), headers_of(cluster, user)
    verify, name = _is_verified(cluster), _text(cluster.get("tls-server-name") or "")
    namespace = _text(chosen.get("namespace") or "default")
    if not server.startswith("https:"):
        return PlainKubeconfig(context, server, Tls(verify=verify, server_name=name), token, headers, namespace, None)
    files = _Files(base)
    certificate, key = files.path(user, "client-certificate"), files.path(user, "client-key")
    tls = Tls(files.path(cluster, AUTHORITY), verify, certificate, key, name)
    return PlainKubeconfig(context, server, tls, token, headers, namespace, files.folder)


def _is_verified(cluster: Mapping[str, Any]) -> bool:
    """Return whether the certificate of the server is verified, which an authority cannot be given against."""
    insecure = cluster.get(INSECURE) or False
    if not isinstance(insecure, bool) or (insecure and (cluster.get(AUTHORITY) or cluster.get(AUTHORITY + DATA))):
        raise _NotPlainError
    return not insecure


def _named(entries: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401 - anything may be in the file
    """Return the only entry of a list that has a name."""
    found = [entry for entry in entries if entry["name"] == name]
    if len(found) != 1:
        raise _NotPlainError
    entry: Mapping[str, Any] = found[0]
    return entry


def _plain(entry: Mapping[str, Any], keys: frozenset[str]) -> Mapping[str, Any]:
    """Return the fields that have a value; extensions, as minikube writes them, are notes of other programs."""
    given = {key: value for key, value in entry.items() if value is not None and key != "extensions"}
    if not {key.removesuffix(DATA) for key in given} <= keys:
        raise _NotPlainError
    return given


def _text(value: Any) -> str:  # noqa: ANN401 - anything may be in the file
    if not isinstance(value, str):
        raise _NotPlainError
    return value


class _Files:
    """The files that a kubeconfig names, relative to its folder, or has in itself."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def path(self, entry: Mapping[str, Any], name: str) -> str | None:
        """Return the path of a file; None if there is none."""
        if data := entry.get(name + DATA):
            return self._write(name, _text(data))
        if not entry.get(name):
            return None
        file = self._base / _text(entry[name])
        if not file.is_file():
            raise _NotPlainError
        return os.path.normpath(file)

    def _write(self, name: str, data: str) -> str:
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="workspace-ctrl-")  # readable by this user only
        file = Path(self.folder.name) / name
        try:
            file.write_bytes(decoded(data))
        except ValueError:
            raise _NotPlainError from None
        return str(file)
