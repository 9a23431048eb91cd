"""The recorded API server answers as a real one does: the same requests to both, compared by shape."""

import json
from contextlib import aclosing
from urllib.parse import urlsplit

import aiohttp
import pytest

from e2e.bench import recording
from e2e.bench.api_server import ApiServer, served
from e2e.bench.client import connect
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT
from workspace_ctrl.cache.watches import WATCHED

COUNT = 3
FREE_FORM = {"managedFields", "annotations", "labels", "matchLabels"}
"""Fields whose keys are data: only their being there is compared."""


def shape(value):
    """What a reader of JSON relies on: names of fields, types of values."""
    if isinstance(value, dict):
        return {key: "data" if key in FREE_FORM else shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape(entry)) for entry in value})
    return type(value).__name__


@pytest.fixture(scope="module")
def real(installed):
    recording.bring_about(installed)
    yield installed
    with ControllerProcess(installed):
        installed.kubectl("delete", "workspace", recording.NAME, "-n", recording.SPACE, KUBECTL_TIMEOUT)
    installed.kubectl("delete", "gateway", "--all", "-n", recording.GATEWAY_SPACE)
    installed.kubectl("delete", "namespace", recording.SPACE, recording.GATEWAY_SPACE, "--wait=false")


async def ask(address, path, **parameters):
    async with aiohttp.ClientSession() as session, session.get(address + path, params=parameters) as response:
        return response.status, await response.text()


async def first_event(session, path, **parameters):
    """The first event of a watch that tells nothing but how far it is."""
    parameters |= {"watch": "true", "allowWatchBookmarks": "true"}
    async with session.get(path, params=parameters) as response:
        assert response.content_type == "application/json"
        return json.loads(await response.content.readline())


@pytest.mark.parametrize("watched", WATCHED, ids=lambda watched: watched.name)
async def test_lists_have_the_shape_of_the_real_ones(real, watched):
    path = urlsplit(recording.path_of(watched))
    expected = recording.answer_of(real, watched)
    recorded = {item["metadata"]["name"] for item in recording.load()[watched.name]["items"]}
    expected["metadata"].pop("remainingItemCount", None)  # other tests may have left more namespaces than a page has
    expected["items"] = [item for item in expected["items"] if belongs(item, recorded)]
    async with served(ApiServer(COUNT)) as address:
        status, text = await ask(address, f"{path.path}?{path.query}")
    answer = json.loads(text)
    assert status == 200
    assert {key: value for key, value in shape(answer).items() if key != "items"} == {
        key: value for key, value in shape(expected).items() if key != "items"
    }
    # Every shape that the real one has; of kinds that are not made for a Workspace the recording may have more.
    assert set(shape(expected["items"])) <= set(shape(answer["items"]))
    per_workspace = watched.owner is not None and not watched.concerns_all
    if per_workspace:
        assert len(answer["items"]) == len(expected["items"]) * COUNT


def belongs(item, recorded):
    """Whether an object is one of those that were recorded; other tests may have left namespaces and GatewayClasses."""
    metadata = item["metadata"]
    return metadata.get("namespace") in {recording.SPACE, recording.GATEWAY_SPACE} or (
        "namespace" not in metadata and metadata["name"] in recorded
    )


async def test_pages_continue_as_the_real_ones_do(real):
    path = WATCHED[0].resource.path()
    first = json.loads(real.kubectl("get", "--raw", "/api/v1/namespaces?limit=1"))
    async with served(ApiServer(COUNT)) as address:
        pages, token = [], ""
        while not pages or token:
            _, text = await ask(address, path, limit="2", **({"continue": token} if token else {}))
            pages.append(json.loads(text))
            token = pages[-1]["metadata"].get("continue", "")
    assert set(pages[0]["metadata"]) == set(first["metadata"]) - {"remainingItemCount"}
    names = [item["metadata"]["name"] for page in pages for item in page["items"]]
    assert (len(pages), len(names), len(set(names))) == (2, COUNT, COUNT)


async def test_a_watch_begins_with_a_bookmark_of_the_real_shape(real):
    """Both are asked to say first how far they are, which an API server does where initial events are wanted."""
    resource = WATCHED[0].resource
    parameters = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "timeoutSeconds": "60"}
    async with connect(real.kubeconfig.read_text()) as client, aclosing(client.events(resource, parameters)) as events:
        expected = await anext(event async for event in events if event["type"] == "BOOKMARK")
    async with served(ApiServer(COUNT)) as address, aiohttp.ClientSession(base_url=address) as session:
        event = await first_event(session, resource.path())
    assert event["type"] == "BOOKMARK"
    assert {event["object"]["kind"], event["object"]["apiVersion"]} == {
        expected["object"]["kind"],
        expected["object"]["apiVersion"],
    }
    assert int(event["object"]["metadata"]["resourceVersion"]) > 0


async def test_unknown_kinds_are_not_found_as_by_the_real_one(real):
    path = "/apis/nobody.example.com/v1/things"
    words = real.kubectl("get", "--raw", path, check=False)
    async with served(ApiServer(COUNT)) as address:
        status, text = await ask(address, path)
    assert words == ""
    assert (status, text) == (404, "404 page not found\n")


async def test_writes_are_refused_and_counted():
    server = ApiServer(COUNT)
    path = WATCHED[0].resource.path("a", "b")
    async with served(server) as address, aiohttp.ClientSession(address) as session, session.patch(path) as response:
        answer = await response.json()
    assert (response.status, answer["kind"], answer["code"]) == (405, "Status", 405)
    assert server.calls == {"patch": 1}
