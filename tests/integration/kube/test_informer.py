"""What an informer makes of lists and watches with objects in them that harm, on a server that sends just those."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from e2e.waiting import WAIT_SECONDS
from tests.integration.http_server import listening, not_served
from workspace_ctrl.kube import informer as informers
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.kube.errors import KindNotServedError
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.kube.store import Store

THING = ApiResource("example", "v1", "things", "Thing")
DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000


def thing(name, version, spec=b"{}"):
    metadata = json.dumps({"name": name, "namespace": "ns", "resourceVersion": str(version)}).encode()
    return b'{"metadata":%b,"spec":%b}' % (metadata, spec)


def event(type_, item):
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), item)


@asynccontextmanager
async def server_of(lists, events, streamed=None):
    """An API server without streamed lists: `lists` makes each page from a request's parameters; watches send `events` and hang.

    With `streamed` it begins a streamed list with these events, and hangs.
    """
    requests, closing = asyncio.Queue(), asyncio.Event()

    async def answer(request):
        requests.put_nowait(dict(request.query))
        if "watch" not in request.query:
            return web.Response(body=lists(request.query))
        is_list = "sendInitialEvents" in request.query
        if is_list and streamed is None:
            return web.json_response({"kind": "Status", "message": "unknown parameter"}, status=422)
        response = web.StreamResponse()
        if not is_list or streamed:
            await response.prepare(request)
            await response.write(b"".join(streamed if is_list else events))
        await closing.wait()  # of a connection that is gone, nobody else would end it
        return response

    async with listening(answer, shutdown_timeout=0.01) as port:
        async with aiohttp.ClientSession() as session:
            yield Client(Connection(f"http://127.0.0.1:{port}", session), "tester"), requests
        closing.set()


@asynccontextmanager
async def watching(client):
    """An informer of things, its store, and the names that it told."""
    store, told = Store(lambda _record: None), asyncio.Queue()
    informer = Informer(client, Source(THING, lambda raw, _: raw["metadata"]["name"]), store, told.put_nowait, lambda: None)
    task = asyncio.create_task(informer.run())
    yield store, told, informer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def page(*items, version=1, token=""):
    metadata = json.dumps({"resourceVersion": str(version), "continue": token}).encode()
    return b'{"metadata":%b,"items":[%b]}' % (metadata, b",".join(items))


async def test_a_list_and_a_watch_go_on_past_objects_that_are_too_deep():
    listed = page(thing("a", 1), thing("deep", 1, DEEP), thing("b", 1), version=3)
    events = [event("ADDED", thing("deeper", 4, DEEP)), event("ADDED", thing("good", 5))]
    async with server_of(lambda _: listed, events) as (client, requests), watching(client) as (store, told, _):
        names = [await asyncio.wait_for(told.get(), WAIT_SECONDS) for _ in range(5)]
    assert names == ["a", "deep", "b", "deeper", "good"]
    assert len(store) == 5
    assert requests.qsize() == 3  # the list that is not streamed, the page, and one watch


async def test_pages_of_large_objects_are_asked_for_in_smaller_ones():
    def lists(query):
        first, size = int(query.get("continue", 0)), int(query["limit"])
        items = [thing(f"t{number}", 1, b'"%b"' % (b"x" * 900_000)) for number in range(first, min(first + size, 30))]
        return page(*items, token=str(first + size) if first + size < 30 else "")

    async with server_of(lists, []) as (client, requests), watching(client) as (store, _, informer):
        await asyncio.wait_for(informer.wait_synced(), WAIT_SECONDS)
        assert len(store) == 30
    asked = [requests.get_nowait() for _ in range(requests.qsize())]
    assert [query["limit"] for query in asked if "limit" in query] == ["100", "20", *["4"] * 8]


async def test_whole_lists_are_read_whatever_the_size_of_their_objects():
    def lists(query):
        first, size = int(query.get("continue", 0)), int(query["limit"])
        items = [thing(f"t{number}", 1, b'"%b"' % (b"x" * 900_000)) for number in range(first, min(first + size, 25))]
        return page(*items, token=str(first + size) if first + size < 25 else "")

    async with server_of(lists, []) as (client, _):
        listed = await list_all(client, THING, {})
    assert [item["metadata"]["name"] for item in listed] == [f"t{number}" for number in range(25)]


@pytest.mark.parametrize("streamed", [[], [event("ADDED", thing("half", 1))]], ids=["no answer", "half a list"])
async def test_a_streamed_list_that_does_not_end_is_read_in_pages_and_the_next_one_is_streamed_again(streamed, caplog, monkeypatch):
    monkeypatch.setattr(informers, "_LIST_SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(informers, "_RELIST_SECONDS", 0.0)
    expired = b'{"type":"ERROR","object":{"code":410,"message":"too old"}}\n'
    serving = server_of(lambda _: page(thing("a", 1), version=7), [event("ADDED", thing("b", 8)), expired], streamed)
    async with serving as (client, requests), watching(client) as (_, told, _):
        assert [await told.get(), await told.get()] == ["a", "b"]
        assert ["sendInitialEvents" in await requests.get() for _ in range(4)] == [True, False, False, True]
    assert "things: the API server has sent nothing of its list for 0.05 s; listing page by page" in caplog.text


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(event("ADDED", b"[]"), id="a list"),
        pytest.param(event("ADDED", b'{"spec": 1}'), id="no metadata"),
        pytest.param(event("MODIFIED", b'{"metadata": {"name": "x", "resourceVersion": "new"}}'), id="a version that is no number"),
        pytest.param(event("DELETED", b'{"metadata": {"resourceVersion": "7"}}'), id="no name"),
        pytest.param(event("BOOKMARK", b'{"metadata": null}'), id="a bookmark without a version"),
        pytest.param(event("ERROR", b'"%b"' % (b"x" * 5000)), id="an error that is text"),
    ],
)
async def test_what_is_no_object_breaks_the_watch_which_is_begun_again_where_it_was(spoilt, caplog):
    events = [event("ADDED", thing("good", 5)), spoilt]
    async with server_of(lambda _: page(version=3), events) as (client, requests), watching(client) as (store, told, _):
        assert await asyncio.wait_for(told.get(), WAIT_SECONDS) == "good"
        while (await asyncio.wait_for(requests.get(), WAIT_SECONDS)).get("resourceVersion") not in {"5", "7"}:
            pass
        assert store.get(("ns", "good")) == "good"
    assert max(len(message) for message in caplog.messages) < 1000


TWICE = ApiResource("example", "v2", "things", "Thing", older=("v1",))


@asynccontextmanager
async def crd_of(served):
    """An API server with one thing, in the versions of the set `served`; it ends the watches where the test sets the event."""
    changed, requests = asyncio.Event(), asyncio.Queue()

    async def answer(request):
        version = request.path.split("/")[3]
        requests.put_nowait((version, request.query.get("resourceVersion")))
        if version not in served:
            return await not_served(request)
        item = b'{"apiVersion":"example/%b",%b' % (version.encode(), thing("a", 7)[1:])
        if "watch" not in request.query:
            return web.Response(body=page(item, version=9))
        response = web.StreamResponse()
        await response.prepare(request)
        if "sendInitialEvents" in request.query:
            end = b'{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}'
            await response.write(event("ADDED", item) + event("BOOKMARK", end))
        await changed.wait()
        changed.clear()
        return response

    async with listening(answer, shutdown_timeout=0.01) as port:
        async with aiohttp.ClientSession() as session:
            yield Client(Connection(f"http://127.0.0.1:{port}", session), "tester"), changed, requests
        changed.set()  # of a connection that is gone, nobody else would end the answer


@pytest.fixture
def without_delays(monkeypatch):
    monkeypatch.setattr(informers, "_SHORTEST_WATCH", 0.0)
    monkeypatch.setattr(informers, "_NOT_SERVED_SECONDS", 0.1)


@asynccontextmanager
async def watching_versions(client):
    """An informer of things in two versions; tells the version of each, and whether the kind was missing."""
    store, told, missing = Store(lambda _record: None), asyncio.Queue(), []
    informer = Informer(
        client, Source(TWICE, lambda raw, _: raw["apiVersion"]), store, told.put_nowait, lambda: missing.append(informer.is_missing)
    )
    task = asyncio.create_task(informer.run())
    yield told, missing
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("without_delays")
async def test_an_older_version_is_watched_where_it_alone_is_served_and_goes_on_where_it_was():
    async with crd_of({"v1"}) as (client, changed, requests), watching_versions(client) as (told, missing):
        assert await asyncio.wait_for(told.get(), WAIT_SECONDS) == "example/v1"
        changed.set()
        asked = [await asyncio.wait_for(requests.get(), WAIT_SECONDS) for _ in range(4)]
    assert asked == [("v2", ""), ("v1", ""), ("v2", ""), ("v1", "9")]
    assert told.empty()
    assert missing == []


@pytest.mark.usefixtures("without_delays")
@pytest.mark.parametrize("later", [{"v1", "v2"}, {"v2"}], ids=["beside the old one", "instead of the old one"])
async def test_a_new_version_is_used_when_the_watch_ends_and_nothing_seems_deleted_between(later, caplog):
    caplog.set_level("INFO")
    served = {"v1"}
    async with crd_of(served) as (client, changed, _), watching_versions(client) as (told, missing):
        assert await asyncio.wait_for(told.get(), WAIT_SECONDS) == "example/v1"
        served.clear()
        served |= later
        changed.set()
        assert await asyncio.wait_for(told.get(), WAIT_SECONDS) == "example/v2"
    assert missing == []
    assert "things are now served as example/v2" in caplog.messages


@pytest.mark.usefixtures("without_delays")
async def test_a_kind_is_missing_where_no_version_is_served():
    served = set()
    async with crd_of(served) as (client, _, requests), watching_versions(client) as (told, missing):
        assert [(await asyncio.wait_for(requests.get(), WAIT_SECONDS))[0] for _ in range(2)] == ["v2", "v1"]
        served.add("v1")
        assert await asyncio.wait_for(told.get(), WAIT_SECONDS) == "example/v1"
    assert missing == [True, False]


@pytest.mark.parametrize(("served", "asked"), [({"v2"}, ["v2"]), ({"v1", "v2"}, ["v2"]), ({"v1"}, ["v2", "v1"])])
async def test_a_list_is_of_the_newest_version_that_is_served_and_costs_one_request_where_that_is_the_newest_of_all(served, asked):
    async with crd_of(served) as (client, _, requests):
        found = await client.find(TWICE, "ns", "a")
    assert found["apiVersion"] == f"example/{asked[-1]}"
    assert [requests.get_nowait()[0] for _ in range(requests.qsize())] == asked


async def test_a_list_of_a_kind_that_is_served_in_no_version_says_so():
    async with crd_of(set()) as (client, _, _requests):
        with pytest.raises(KindNotServedError):
            await list_all(client, TWICE, {})
