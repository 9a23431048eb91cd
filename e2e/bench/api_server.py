"""An API server of which only lists and watches are real enough for the controller: any number of ready Workspaces out of a recording.

It runs on loopback, so that memory and restarts can be measured with more Workspaces than a real cluster of this machine could hold.
`tests/plane/test_recorded_api_server.py` asks it and a real one the same questions.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from aiohttp import web

from e2e.bench.recording import Identity, Template, identity, load
from workspace_ctrl.cache.watches import WATCHED

_BOOKMARK_SECONDS = 60.0
_VERSION = "1000000"
_DISCOVERY: Mapping[str, Mapping[str, object]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/version": {"major": "1", "minor": "36"},
}


class ApiServer:
    """Answers lists and watches for `count` generated Workspaces; every write is refused, and counted."""

    def __init__(self, count: int) -> None:
        self._identities: list[Identity] = sorted(map(identity, range(count)), key=lambda entry: (entry.namespace, entry.name))
        recorded = load()
        self._templates = {(watched.resource.path(), watched.selector): Template(watched, recorded) for watched in WATCHED}
        self.calls: Counter[str] = Counter()
        """Requests by verb."""

    def application(self) -> web.Application:
        """Return the server."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            self.calls[request.method.lower()] += 1
            return _status(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not served here", "MethodNotAllowed")
        template = self._templates.get((request.path, request.query.get("labelSelector", "")))
        if template is None:
            self.calls["get"] += 1
            return _discovery(request.path)
        if request.query.get("watch") == "true":
            return await _watch(request, template)
        self.calls["list"] += 1
        return self._list(request, template)

    def _list(self, request: web.Request, template: Template) -> web.Response:
        begin = _offset(request.query.get("continue", ""))
        limit = int(request.query.get("limit", "0")) or len(self._identities)
        identities = list(enumerate(self._identities))[begin : begin + limit]
        items = (
            [text for number, of in identities for text in template.texts(of, number)]
            if template.is_per_workspace
            else template.common()
        )
        metadata = {**template.head["metadata"], "resourceVersion": _VERSION}
        remaining = len(self._identities) - begin - limit
        if template.is_per_workspace and remaining > 0:
            metadata["continue"] = base64.urlsafe_b64encode(str(begin + limit).encode()).decode()
        head = json.dumps({**template.head, "metadata": metadata})
        return web.Response(text=f'{head[:-1]},"items":[{",".join(items)}]}}', content_type="application/json")


@asynccontextmanager
async def served(server: ApiServer) -> AsyncIterator[str]:
    """Serve on a free port of loopback; yield the address."""
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _watch(request: web.Request, template: Template) -> web.StreamResponse:
    """Send a bookmark now and then, as nothing changes."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    kind = str(template.head["kind"]).removesuffix("List")
    bookmark = {
        "type": "BOOKMARK",
        "object": {
            "kind": kind,
            "apiVersion": template.head["apiVersion"],
            "metadata": {"resourceVersion": _VERSION},
        },
    }
    with suppress(ConnectionResetError):  # the client has gone
        while True:
            await response.write(json.dumps(bookmark).encode() + b"\n")
            await asyncio.sleep(_BOOKMARK_SECONDS)
    return response


def _discovery(path: str) -> web.Response:
    if path in _DISCOVERY:
        return web.json_response(_DISCOVERY[path])
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"] or (parts[0] == "apis" and len(parts) == 3):  # noqa: PLR2004 - apis, group, version
        return web.json_response({"kind": "APIResourceList", "groupVersion": "/".join(parts[1:]), "resources": []})
    return web.Response(status=HTTPStatus.NOT_FOUND, text="404 page not found\n")


def _status(code: HTTPStatus, message: str, reason: str) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return web.json_response(body, status=code)


def _offset(token: str) -> int:
    return int(base64.urlsafe_b64decode(token)) if token else 0
