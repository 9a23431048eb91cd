"""An API server with nothing but Workspaces, in memory: lists in pages, watches with their lists, and faults on request."""

import asyncio
import json
from contextlib import asynccontextmanager

import yaml
from aiohttp import web

from e2e.waiting import WAIT_SECONDS
from tests.integration.http_server import not_served

PATH = "/apis/kaito.sh/v1beta1"
END_OF_LIST = {"k8s.io/initial-events-end": "true"}


def ready(status="True", generation=1):
    """A status whose only conditions are Ready and one link."""
    said = {"status": status, "reason": "Because", "message": "so it is", "observedGeneration": generation}
    return {"observedGeneration": generation, "conditions": [{"type": "Ready", **said}, {"type": "InferenceReady", **said}]}


class WorkspaceServer:
    """The server; `rule` says with which HTTP status a request, given by its query and namespace, is refused, and 0 where it is not."""

    def __init__(self):
        self.lists = []
        """Queries of all lists so far."""
        self.watches = asyncio.Queue()
        """Queries of watches, each once the watch is open or refused."""
        self.rule = lambda _query: 0
        self.users = {}
        """Name and namespaces ("" for all) of the user of each token; empty: whoever asks may see everything."""
        self.asked = []
        """Path and token of all requests so far."""
        self._version = 1
        self._items = {}
        self._events = []
        self._open = {}

    def put(self, name, status=None, namespace="ns", generation=1):
        """Create or change a Workspace."""
        self._version += 1
        version = str(self._version)
        metadata = {"namespace": namespace, "name": name, "generation": generation, "resourceVersion": version}
        item = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": metadata, "status": status or {}}
        type_ = "MODIFIED" if (namespace, name) in self._items else "ADDED"
        self._items[namespace, name] = item
        self._tell(type_, item)

    def delete(self, name, namespace="ns"):
        """Delete a Workspace."""
        self._version += 1
        item = self._items.pop((namespace, name))
        self._tell("DELETED", {**item, "metadata": {**item["metadata"], "resourceVersion": str(self._version)}})

    def expire(self):
        """Tell all open watches that their version is too old, and forget the events before."""
        self._events.clear()
        for events in self._open.values():
            events.put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})
        self.end_watches()

    def end_watches(self):
        """End all open watches once all events have been sent."""
        for events in self._open.values():
            events.put_nowait(None)

    def break_watches(self):
        """Tear the connections of all open watches down."""
        for transport in list(self._open):
            transport.abort()

    def _tell(self, type_, item):
        self._events.append({"type": type_, "object": item})
        for events in self._open.values():
            events.put_nowait(self._events[-1])

    async def answer(self, request):
        """Answer a list or a watch."""
        query = dict(request.query)
        if not query.get("watch"):
            self.lists.append(query)
        namespace = request.match_info.get("namespace", "")
        code = self._refused(request, namespace) or self.rule({**query, "namespace": namespace})
        if code:
            if query.get("watch"):
                self.watches.put_nowait(query)
            body = {"kind": "Status", "code": code, "message": f"refused with {code}"}
            return await not_served(request) if code == 404 else web.json_response(body, status=code)
        is_wanted = self._selection(request.match_info.get("namespace", ""), query.get("fieldSelector", ""))
        return await (self._watch if query.get("watch") else self._list)(request, query, is_wanted)

    def _refused(self, request, namespace):
        """Return the status with which a request is refused for its token; 0 if it is not."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((request.path, token))
        if not self.users:
            return 0
        if token not in self.users:
            return 401
        return 0 if {"", namespace} & self.users[token][1] else 403

    async def review(self, request):
        """Answer who the user of a token is."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((request.path, token))
        code = self.rule({"review": token}) or (0 if token in self.users else 401)
        if code:
            return web.json_response({"kind": "Status", "code": code, "message": f"refused with {code}"}, status=code)
        return web.json_response({"status": {"userInfo": {"username": self.users[token][0]}}}, status=201)

    async def version(self, request):
        """Answer a request that is about no object."""
        code = self._refused(request, "")
        code = self.rule({}) if code in {0, 403} else code
        return web.json_response({"kind": "Status", "code": code}, status=code) if code else web.json_response({})

    @staticmethod
    def _selection(namespace, selector):
        name = selector.removeprefix("metadata.name=")
        return lambda item: namespace in {"", item["metadata"]["namespace"]} and name in {"", item["metadata"]["name"]}

    async def _list(self, _request, query, is_wanted):
        items = [item for _, item in sorted(self._items.items()) if is_wanted(item)]
        begin, limit = int(query.get("continue", 0)), int(query.get("limit", len(items)))
        end = begin + limit
        metadata = {"resourceVersion": str(self._version)} | ({"continue": str(end)} if end < len(items) else {})
        return web.json_response({"kind": "WorkspaceList", "metadata": metadata, "items": items[begin:end]})

    async def _watch(self, request, query, is_wanted):
        events = asyncio.Queue()
        for event in self._first(query):
            events.put_nowait(event)
        response = web.StreamResponse()
        await response.prepare(request)
        transport = request.transport
        self._open[transport] = events
        self.watches.put_nowait(query)
        try:
            while (event := await events.get()) is not None:
                if event["type"] in {"BOOKMARK", "ERROR"} or is_wanted(event["object"]):
                    await response.write(json.dumps(event).encode() + b"\n")
        finally:
            del self._open[transport]
        return response

    def _first(self, query):
        if query.get("sendInitialEvents"):
            yield from ({"type": "ADDED", "object": item} for item in self._items.values())
            metadata = {"resourceVersion": str(self._version), "annotations": END_OF_LIST}
            yield {"type": "BOOKMARK", "object": {"kind": "Workspace", "metadata": metadata}}
        else:
            seen = int(query["resourceVersion"])
            yield from (event for event in self._events if int(event["object"]["metadata"]["resourceVersion"]) > seen)


@asynccontextmanager
async def serving(folder):
    """Serve on loopback; yield the server and the path of a kubeconfig for it."""
    server = WorkspaceServer()
    application = web.Application()
    for path in ("/workspaces", "/namespaces/{namespace}/workspaces"):
        application.router.add_get(PATH + path, server.answer)
    application.router.add_get("/version", server.version)
    application.router.add_post("/apis/authentication.k8s.io/v1/selfsubjectreviews", server.review)
    application.router.add_route("*", "/{path:.*}", not_served)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    named = [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}]
    contexts = [{"name": "it", "context": {"cluster": "it", "user": "it"}}]
    users = [{"name": "it", "user": {"token": "secret"}}]
    document = {"current-context": "it", "clusters": named, "contexts": contexts, "users": users}
    kubeconfig = folder / "kubeconfig.yaml"
    kubeconfig.write_text(yaml.safe_dump(document))
    try:
        yield server, kubeconfig
    finally:
        await runner.cleanup()


async def ended(task):
    """Return what came of a command."""
    return await asyncio.wait_for(task, WAIT_SECONDS)
