"""The option -f as in kubectl: files, folders, https URLs, and - for standard input."""

import ssl
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from workspace_ctrl.api.labels import GROUP, KIND, SET_KIND
from workspace_ctrl.api.yaml.documents import YamlError, parse_documents
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.proxy import environment_proxy

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_ENDINGS: Final = frozenset({".yaml", ".yml", ".json"})
"""Of files in folders, as in kubectl; a file that is named itself may be called anything."""
_LARGEST: Final = 4 << 20
"""Bytes that are read of a URL."""
_PATIENCE_SECONDS: Final = 20.0
STANDARD_INPUT: Final = "standard input"
_HTTPS: Final = "https://"
_MOST_FILES: Final = 10_000
_LIST: Final = "List"


@dataclass(frozen=True, slots=True)
class ManifestText:
    """One text with objects."""

    name: str
    text: str


def filename_options(function: FunctionT) -> FunctionT:
    """Add --filename and --recursive to a command."""
    filename = click.option(
        "--filename",
        "-f",
        "files",
        required=True,
        multiple=True,
        metavar="FILE",
        help="File, folder or https URL with the objects, or - for standard input; repeatable.",
    )
    recursive = click.option("--recursive", "-R", is_flag=True, help="Read also the folders in a folder of -f.")
    return filename(recursive(function))


def read_objects(sources: Sequence[str], *, recursive: bool) -> list[dict[str, Any]]:
    """Return the objects in all sources, including the items of Lists.

    Raises:
        click.UsageError: a source cannot be read, or is not YAML; exit code 2.
    """
    return [found for source in sources for text in _texts(source, recursive=recursive) for found in _objects(text)]


def repeated_names(objects: Iterable[Mapping[str, Any]], namespace: str) -> Iterator[str]:
    """Yield a warning for each object that is given several times, and for names that a Workspace and an InferenceSet share.

    `namespace` is that of objects without one.
    """
    counts = Counter(filter(None, (_identity(document, namespace) for document in objects)))
    for (_, kind, place, name), count in counts.items():
        if count > 1:
            yield f"{kind} {place}/{name} is given {count} times; an apply leaves what the last one says"
    for group, kind, place, name in counts:
        if (group, kind) == (GROUP, KIND) and (group, SET_KIND, place, name) in counts:
            yield (
                f"{KIND} and {SET_KIND} {place}/{name} have the same name, so only the one that is created first gets its objects; "
                "rename one of them"
            )


def _identity(document: Mapping[str, Any], namespace: str) -> tuple[str, str, str, str] | None:
    """Return API group, kind, namespace and name of an object; None if it has no kind or name."""
    metadata = document.get("metadata")
    kind, name = document.get("kind"), metadata.get("name") if isinstance(metadata, Mapping) else None
    if not (isinstance(metadata, Mapping) and isinstance(kind, str) and isinstance(name, str) and kind and name):
        return None
    return str(document.get("apiVersion") or "").rpartition("/")[0], kind, str(metadata.get("namespace") or namespace), name


def _objects(source: ManifestText) -> Iterator[dict[str, Any]]:
    """Yield the objects in a text, including the items of Lists."""
    try:
        documents = parse_documents(source.text)
    except YamlError as error:
        raise click.UsageError(f"{source.name} {error}") from None
    for document in documents:
        yield from _unpacked(document)


def _unpacked(document: object) -> Iterator[dict[str, Any]]:
    """Yield the objects in a document: in a List, in the list of one kind as the API server returns it, in a plain list, or itself."""
    if isinstance(document, list):
        for entry in document:
            yield from _unpacked(entry)
    elif isinstance(document, dict):
        kind, items = str(document.get("kind") or ""), document.get("items")
        if not kind.endswith(_LIST) or not isinstance(items, list):
            yield document
            return
        # The items of a list of one kind do not repeat it.
        of_one = {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix(_LIST)} if kind != _LIST else {}
        for entry in items:
            yield from _unpacked({**of_one, **entry} if isinstance(entry, dict) else entry)


def _texts(source: str, *, recursive: bool) -> Iterator[ManifestText]:
    if source == "-":
        yield ManifestText(STANDARD_INPUT, _decoded(STANDARD_INPUT, sys.stdin.buffer.read()))
    elif "://" in source:
        yield ManifestText(source, _decoded(source, _fetch(source)))
    else:
        for path in _files(Path(source), recursive=recursive):
            yield ManifestText(str(path), _decoded(str(path), _read(path)))


def _files(path: Path, *, recursive: bool) -> list[Path]:
    """Return the file, or the files of a folder, by name."""
    if not path.is_dir():
        return [path]
    found = sorted(entry for entry in path.glob("**/*" if recursive else "*") if entry.suffix in _ENDINGS and entry.is_file())
    if not found:
        hint = "" if recursive else "; -R reads also the folders in it"
        raise click.UsageError(f"{path} has no files that end with .yaml, .yml or .json{hint}")
    if len(found) > _MOST_FILES:
        raise click.UsageError(f"{path} has more than {_MOST_FILES} files; name a smaller folder")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from None


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is not UTF-8 text") from None


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: ANN401, PLR0917
        """Return the next request, as in the base class.

        Raises:
            urllib.error.URLError: the next address is not https.
        """
        if not newurl.lower().startswith(_HTTPS):
            raise urllib.error.URLError("it redirects to an address that is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _EnvironmentProxy(urllib.request.ProxyHandler):
    """Uses the proxy of the environment where kubectl would."""

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:  # noqa: A002, ANN401 - as in the base class
        """Send a request through the proxy, as in the base class; None for one that goes directly."""
        return super().proxy_open(req, proxy, type) if environment_proxy(req.full_url) else None


def _fetch(url: str) -> bytes:
    if not url.lower().startswith(_HTTPS):
        raise click.UsageError(f"{url} must begin with https://: what comes by plain HTTP may have been changed on the way")
    secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    opener = urllib.request.build_opener(_HttpsOnly, _EnvironmentProxy, secure)
    try:
        with opener.open(url, timeout=_PATIENCE_SECONDS) as response:
            content: bytes = response.read(_LARGEST + 1)
    except ConnectionConfigError as error:
        raise click.UsageError(str(error)) from None
    except (OSError, HTTPException, ValueError) as error:  # URLError and timeouts are OSErrors, a malformed URL a ValueError
        reason = getattr(error, "reason", "") or error
        raise click.UsageError(f"{url} cannot be read: {getattr(reason, 'strerror', None) or reason}") from None
    if len(content) > _LARGEST:
        raise click.UsageError(f"{url} has more than {_LARGEST >> 20} MiB")
    return content
