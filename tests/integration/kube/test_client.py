"""Requests whose answers something between us and the API server has spoilt."""

import asyncio
import json
from contextlib import aclosing, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.integration.http_server import listening
from workspace_ctrl.cache.watches import WORKSPACE
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.kube.decoding import lines
from workspace_ctrl.kube.errors import ConflictError, RedirectedError, RejectedError, RetryableError

EVENT = b'{"type": "ADDED", "object": {"metadata": {"name": "phi"}}}\n'


@asynccontextmanager
async def answering(body, status=200):
    """A client of a server that answers everything with `body`; the requests that it got."""
    requests = []

    async def answer(request):
        requests.append(request.path)
        return web.Response(body=body, status=status)

    async with listening(answer) as port, aiohttp.ClientSession() as session:
        yield Client(Connection(f"http://127.0.0.1:{port}", session), "tester"), requests


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        pytest.param(b'{"type": "ADDED", "obj{"type": "ERROR", "object": {}}\n', "not JSON", id="torn, and another line after it"),
        pytest.param(b"<html>moved</html>\n", "not JSON", id="a page"),
        pytest.param(b"[]\n", "not from the API server", id="a list"),
        pytest.param(b'{"kind": "Status"}\n', "not from the API server", id="no event"),
    ],
)
async def test_a_spoilt_event_breaks_the_watch_after_those_before_it(spoilt, words):
    async with answering(EVENT + spoilt + EVENT) as (client, _), aclosing(client.watch(WORKSPACE, {})) as events:
        assert (await anext(events))["object"]["metadata"]["name"] == "phi"
        with pytest.raises(RetryableError, match=f"watch of workspaces: the response is {words}"):
            await anext(events)


@pytest.mark.parametrize("spoilt", [b"", b'{"metadata": {', b"<html>log in</html>", b'"fine"'])
async def test_a_spoilt_answer_is_asked_for_again_and_then_told(spoilt, monkeypatch):
    monkeypatch.setattr("workspace_ctrl.kube.client._wait", lambda _state: 0.0)
    async with answering(spoilt) as (client, requests):
        with pytest.raises(RetryableError, match="get .*/workspaces/phi: the response is not"):
            await client.get(WORKSPACE, "ns", "phi")
    assert len(requests) == 4


async def test_a_request_that_is_never_answered_ends_after_the_time_for_which_it_is_repeated(monkeypatch):
    monkeypatch.setattr("workspace_ctrl.kube.client._REQUEST_TIMEOUT", aiohttp.ClientTimeout(total=0.05))
    monkeypatch.setattr("workspace_ctrl.kube.client._REPEATED_SECONDS", 0.05)
    monkeypatch.setattr("workspace_ctrl.kube.client._wait", lambda _state: 0.0)
    asked, closing = [], asyncio.Event()

    async def answer(request):
        asked.append(request.path)
        await closing.wait()
        return web.Response()

    async with listening(answer, shutdown_timeout=0.01) as port, aiohttp.ClientSession() as session:
        with pytest.raises(RetryableError, match="no response in time"):
            await Client(Connection(f"http://127.0.0.1:{port}", session), "tester").get(WORKSPACE, "ns", "phi")
        closing.set()
    assert len(asked) == 2


async def silent(reader, writer):
    while await reader.read(1000):
        pass
    writer.close()


async def plain(reader, writer):
    await reader.read(1)
    writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (plain, "it does not answer in TLS, but perhaps in plain HTTP"),
        (silent, "no connection, with TLS where it is used, in time"),
    ],
)
async def test_a_server_that_does_not_speak_tls_is_said_to_be_one(serve, words, monkeypatch):
    monkeypatch.setattr("workspace_ctrl.kube.client._REQUEST_TIMEOUT", aiohttp.ClientTimeout(total=30, connect=0.2))
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        with pytest.raises(RetryableError) as found:
            await Client(Connection(f"https://127.0.0.1:{port}", session), "tester", attempts=1).get_path("/version")
    assert str(found.value) == f"get /version: cannot connect to 127.0.0.1:{port}: {words}"


async def test_a_request_without_an_answer_is_sent_again_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setattr("workspace_ctrl.kube.client._REQUEST_TIMEOUT", aiohttp.ClientTimeout(total=0.05))
    caplog.set_level("INFO", "workspace_ctrl")
    asked, closing = asyncio.Queue(), asyncio.Event()

    async def answer(request):
        asked.put_nowait(request.path)
        if asked.qsize() == 1:
            await closing.wait()
        return web.json_response({"metadata": {"name": "phi"}})

    async with listening(answer, shutdown_timeout=0.01) as port, aiohttp.ClientSession() as session:
        found = await Client(Connection(f"http://127.0.0.1:{port}", session), "tester").get(WORKSPACE, "ns", "phi")
        closing.set()
    assert (found["metadata"]["name"], asked.qsize()) == ("phi", 2)
    assert [record.message for record in caplog.records if record.name == "workspace_ctrl.kube.client"] == [
        "get /apis/kaito.sh/v1beta1/namespaces/ns/workspaces/phi: no response in time; retrying"
    ]


@pytest.mark.parametrize(
    ("message", "type_"),
    [
        pytest.param("the server rejected our request due to an error in our request", ConflictError, id="a test failed"),
        pytest.param('Workspace.kaito.sh "phi" is invalid: status.conditions[0].reason', RejectedError, id="invalid"),
    ],
)
async def test_a_json_patch_that_does_not_fit_the_object_is_a_conflict(message, type_):
    body = json.dumps({"kind": "Status", "message": message}).encode()
    async with answering(body, 422) as (client, requests):
        with pytest.raises(RejectedError) as caught:
            await client.json_patch(WORKSPACE, "ns", "phi", [], "status")
    assert type(caught.value) is type_
    assert requests == ["/apis/kaito.sh/v1beta1/namespaces/ns/workspaces/phi/status"]


class Chunks:
    """A stream that arrives in chunks of one size."""

    def __init__(self, text, size):
        self._text, self._size = text, size

    async def iter_any(self):
        for place in range(0, len(self._text), self._size):
            yield self._text[place : place + self._size]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_lines_are_whole_whatever_the_chunks(size):
    assert [line async for line in lines(Chunks(b"one\n\ntwo\nthree\ntorn", size))] == [b"one", b"two", b"three"]


async def test_each_chunk_of_a_long_line_is_read_once():
    """Joining each chunk to the earlier ones blocked the event loop for five seconds on an object of 9 MB."""
    line = b"x" * (64 << 20)
    assert [len(line) async for line in lines(Chunks(line + b"\n", 4096))] == [len(line)]


class Elsewhere:
    """A server that redirects every request to another one, which records what it gets."""

    def __init__(self, status):
        self.status = status
        self.reached = []

    @asynccontextmanager
    async def client(self):
        async with (
            listening(self._record) as target,
            listening(self._redirecting_to(f"http://127.0.0.1:{target}")) as server,
            aiohttp.ClientSession(headers={"Authorization": "Bearer secret"}) as session,
        ):
            yield Client(Connection(f"http://127.0.0.1:{server}", session), "tester")

    async def _record(self, request):
        self.reached.append((request.headers.get("Authorization"), await request.text()))
        return web.json_response({"kind": "Workspace", "metadata": {"name": "phi", "resourceVersion": "1"}})

    def _redirecting_to(self, target):
        async def answer(request):
            return web.Response(status=self.status, headers={"Location": f"{target}{request.path}"}, body=b"Found")

        return answer


MANIFEST = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "phi", "namespace": "ns"}}
REQUESTS = {
    "get": lambda client: client.get(WORKSPACE, "ns", "phi"),
    "list": lambda client: client.list_page(WORKSPACE, {"limit": "500"}),
    "find": lambda client: client.find(WORKSPACE, "ns", "phi"),
    "discovery": lambda client: client.find_resource("example.com/v1", "Server"),
    "create": lambda client: client.create(WORKSPACE, MANIFEST),
    "apply": lambda client: client.apply(WORKSPACE, MANIFEST, force=True),
    "merge patch": lambda client: client.merge_patch(WORKSPACE, "ns", "phi", {}),
    "update": lambda client: client.replace(WORKSPACE, MANIFEST),
    "delete": lambda client: client.delete(WORKSPACE, "ns", "phi", "uid"),
    "delete collection": lambda client: client.delete_collection(WORKSPACE, "ns", "a=b"),
    "watch": lambda client: anext(client.watch(WORKSPACE, {})),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_redirect_is_an_error_and_nothing_is_sent_to_its_target(status, request_):
    server = Elsewhere(status)
    async with server.client() as client:
        with pytest.raises(RedirectedError, match=rf"redirect to http://127.0.0.1:\d+/.* \({status}\), which is not followed"):
            await request_(client)
    assert server.reached == []
