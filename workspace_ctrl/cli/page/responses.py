"""What the servers of the page answer with: its files, JSON and events, each with headers that keep other sites away."""

from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import orjson
from aiohttp import web

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Server": "workspace-ctrl",
}
"""Of every response."""
FILES: Final = {
    "": ("index.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "list.js": ("list.js", "text/javascript"),
    "details.js": ("details.js", "text/javascript"),
    "elements.js": ("elements.js", "text/javascript"),
    "chain.js": ("chain.js", "text/javascript"),
    "requests.js": ("requests.js", "text/javascript"),
    "signin.js": ("signin.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path → file in `static`, and its type."""


class PageFiles:
    """The files of the page, in memory."""

    def __init__(self) -> None:
        folder = files(__package__) / "static"
        self._contents = {path: ((folder / file).read_bytes(), type_) for path, (file, type_) in FILES.items()}

    def answer(self, path: str) -> web.Response:
        """Return the file at a path, or 404."""
        found = self._contents.get(path)
        if found is None:
            return plain("there is no such file\n", HTTPStatus.NOT_FOUND)
        return web.Response(body=found[0], content_type=found[1], charset="utf-8", headers=HEADERS)


def document(content: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Return a response with a JSON object."""
    return web.Response(body=orjson.dumps(content), content_type="application/json", status=status, headers=HEADERS)


def plain(text: str, status: HTTPStatus, headers: Mapping[str, str] = MappingProxyType({})) -> web.Response:
    """Return a response with a text."""
    return web.Response(text=text, status=status, headers={**HEADERS, **headers})


def stream() -> web.StreamResponse:
    """Return a response to which events are written."""
    return web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})


def event(name: str, content: Mapping[str, Any]) -> bytes:
    """Return a server-sent event with a JSON object."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(content))
