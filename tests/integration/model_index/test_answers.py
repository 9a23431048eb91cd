"""What clients get: the list, one model, or an error that OpenAI's Python client turns into NotFoundError; whatever they send."""

import asyncio
import gzip
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, NotFoundError
from yarl import URL

from e2e.cluster.settings import free_port
from e2e.waiting import WAIT_SECONDS
from tests.unit.model_index.served import PRIVATE, SHARED, from_gateway, known_index, routes, workspace
from workspace_ctrl.model_index.listing import listing
from workspace_ctrl.process.model_index_server import serve_model_index

CHAT = {"model": "gpt-4", "messages": [{"role": "user", "content": "a secret of the client"}]}


@asynccontextmanager
async def served(index):
    port = free_port()
    async with serve_model_index(port, index):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def clients(*documents, base="/v1", **given):
    """A function that makes a client of a Gateway in front of an index that knows these Workspaces."""
    async with served(known_index(*documents, **given)) as url, DefaultAsyncHttpxClient(trust_env=False) as http:

        def client(path=base, **gateway):
            about = {"default_headers": from_gateway(**gateway), "api_key": "unused", "max_retries": 0}
            return AsyncOpenAI(base_url=f"{url}{path}", http_client=http, **about)

        yield client


async def names(client):
    return [model.id async for model in client.models.list()]


def chat(client, model):
    return client.chat.completions.create(**CHAT | {"model": model})


async def test_the_client_lists_what_is_reached():
    async with clients(workspace("phi", "phi-4"), workspace("qwen", namespace="team-b")) as client:
        assert await names(client()) == ["phi-4", "qwen"]
        assert await names(client("/team-b/v1")) == ["qwen"]
        assert await names(client("/team-c/v1")) == []
        assert (await client().models.retrieve("phi-4")).owned_by == "team-a"


async def test_a_name_with_a_slash_is_one_name():
    async with clients(workspace("phi", "microsoft/phi-4")) as client:
        assert (await client().models.retrieve("microsoft/phi-4")).id == "microsoft/phi-4"


async def test_an_unknown_model_is_not_found_and_those_that_exist_are_named():
    async with clients(workspace("phi", "phi-4"), workspace("qwen", ready="False")) as client:
        with pytest.raises(NotFoundError) as caught:
            await chat(client(), "gpt-4")
        assert (caught.value.code, caught.value.param, caught.value.type) == ("model_not_found", "model", "invalid_request_error")
        assert caught.value.body["message"] == (
            "The model 'gpt-4' does not exist here. Models, with the paths of their base URLs: phi-4 (/team-a/phi/v1), "
            "qwen (/team-a/qwen/v1) [not ready]."
        )
        with pytest.raises(NotFoundError, match="The model 'gpt-4' does not exist here") as caught:
            await client().models.retrieve("gpt-4")
        assert caught.value.code == "model_not_found"


async def test_a_model_that_is_elsewhere_on_the_gateway_is_told_where():
    async with clients(workspace("phi", "phi-4")) as client:
        with pytest.raises(NotFoundError, match=r"reached by the base URL with the path /team-a/phi/v1\.") as caught:
            await chat(client(), "phi-4")
    assert caught.value.code == "model_not_found"


async def test_many_names_are_not_all_named():
    async with clients(*(workspace(f"m{number:02}") for number in range(30))) as client:
        with pytest.raises(NotFoundError, match=r"m19 \(/team-a/m19/v1\), and 10 more: see GET /v1/models\."):
            await chat(client(), "gpt-4")


async def test_without_models_that_is_said():
    async with clients() as client:
        with pytest.raises(NotFoundError, match=r"No models are listed here\."):
            await chat(client(), "gpt-4")


async def test_nobody_learns_what_is_not_at_his_gateway():
    documents = [workspace("one"), workspace("two", namespace="team-b", gateways=[PRIVATE])]
    made = [*routes(), *routes(key=PRIVATE)]
    async with clients(*documents, made=made, namespaces="same") as client:
        assert await names(client(key=PRIVATE)) == ["two"]
        for path in ("/v1", "/team-a/v1", "/team-b/v1"):
            assert await names(client(path, key=SHARED)) == []
        shared = client(key=SHARED)
        for request in (chat(shared, "two"), shared.models.retrieve("two"), chat(shared, "one")):
            with pytest.raises(NotFoundError, match=r"No models are listed here\."):
                await request


@pytest.mark.parametrize("key", ["", "0" * 32, SHARED])
async def test_who_does_not_come_from_a_gateway_learns_no_names(key):
    async with served(known_index(workspace("phi"))) as url, aiohttp.ClientSession() as session:
        headers = {"X-Workspace-Ctrl-Index": key} if key else {}
        for path in ("/v1/models", "/v1/models/phi", "/team-a/v1/models", "/"):
            async with session.get(url + path, headers=headers) as response:
                assert (response.status, b"phi" in await response.read()) == (404, False)


async def ask(url, method, path, **given):
    given["headers"] = from_gateway() | given.get("headers", {})
    async with aiohttp.ClientSession() as session, session.request(method, URL(url + path, encoded=True), **given) as response:
        return response.status, response.headers, await response.read()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/models/../../etc/passwd"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", "/team-a/phi/v1/models"),
        ("GET", "/TEAM_A/v1/models"),
        ("GET", "/v1/models?namespace=team-b" + "x" * 4000 + "/"),
        ("GET", "/v1/models/" + "x" * 4000),
        ("GET", "/v1/models/%00%1b%5b31m%e2%80%aephi"),
        ("POST", "/v1/models"),
        ("DELETE", "/v1/models/phi"),
        ("PUT", "/v1/models"),
        ("OPTIONS", "/v1/models"),
        ("TRACE", "/v1/models"),
        ("PROPFIND", "/v1/models"),
    ],
)
async def test_whatever_else_is_asked_gets_the_same_kind_of_error(method, path):
    async with served(known_index(workspace("phi"))) as url:
        status, headers, body = await ask(url, method, path)
    if path.startswith("/v1/models?"):
        assert (status, json.loads(body)["object"]) == (200, "list")  # parameters mean nothing
        return
    assert (status, headers["Content-Type"], headers["X-Content-Type-Options"]) == (404, "application/json", "nosniff")
    error = json.loads(body)["error"]
    assert error["code"] == "model_not_found"
    assert error["message"].isprintable()
    assert len(error["message"]) < 1000


async def test_a_head_request_has_no_body():
    async with served(known_index(workspace("phi"))) as url:
        status, headers, body = await ask(url, "HEAD", "/v1/models")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 100


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (json.dumps(CHAT).encode(), "gpt-4"),
        (json.dumps(CHAT | {"model": "\x1b[31m" + "x" * 5000}).encode(), "x" * 100),
        (b'{"model": "\\ud800"}', None),
        (json.dumps(CHAT | {"model": {"a": 1}}).encode(), None),
        (b"[" * 100_000, None),
        (b"\xff\xfe not JSON", None),
        (b"", None),
        (json.dumps(CHAT | {"image": "A" * 300_000}).encode(), None),
    ],
)
async def test_bodies_are_read_for_the_name_of_the_model_only(body, named):
    async with served(known_index(workspace("phi"))) as url:
        status, _, answer = await ask(url, "POST", "/v1/chat/completions", data=body)
    message = json.loads(answer)["error"]["message"]
    assert (status, "secret" in message, message.isprintable()) == (404, False, True)
    assert named in message if named else message.startswith("No model answers POST /v1/chat/completions.")


@pytest.mark.parametrize("compressed", [b"not what the header says", gzip.compress(json.dumps(CHAT).encode())])
async def test_a_body_that_is_compressed_is_not_read(compressed):
    async with served(known_index(workspace("phi"))) as url:
        headers = {"Content-Encoding": "gzip"}
        status, _, answer = await ask(url, "POST", "/v1/chat/completions", data=compressed, headers=headers)
    assert status == 404
    assert json.loads(answer)["error"]["message"].startswith("No model answers POST /v1/chat/completions.")


async def test_a_body_in_chunks_is_read_for_the_name_of_the_model():
    async def chunks():
        for part in (b'{"model": ', b'"gpt-4"', b"}"):
            yield part

    async with served(known_index(workspace("phi"))) as url:
        status, _, answer = await ask(url, "POST", "/v1/chat/completions", data=chunks())
    assert (status, json.loads(answer)["error"]["message"][:33]) == (404, "The model 'gpt-4' does not exist ")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/", "/team-a/v1/models/"])
@pytest.mark.parametrize("version", [aiohttp.HttpVersion10, aiohttp.HttpVersion11])
async def test_the_list_is_the_same_for_old_clients_and_with_a_slash_at_the_end(path, version):
    async with (
        served(known_index(workspace("phi"))) as url,
        aiohttp.ClientSession(version=version) as session,
        session.get(url + path, headers=from_gateway() | {"Accept-Encoding": "br, gzip"}) as response,
    ):
        assert "Content-Encoding" not in response.headers
        assert [entry["id"] for entry in (await response.json())["data"]] == ["phi"]


async def test_a_body_that_never_ends_is_answered_after_a_while_and_others_meanwhile():
    index = known_index(workspace("phi"))
    async with served(index) as url, asyncio.timeout(WAIT_SECONDS):

        async def endless():
            while True:
                yield b"x"
                await asyncio.sleep(0.05)

        slow = [asyncio.create_task(ask(url, "POST", "/v1/chat/completions", data=endless())) for _ in range(40)]
        status, _, _ = await ask(url, "POST", "/v1/chat/completions", data=json.dumps(CHAT).encode())
        assert status == 404
        assert (await ask(url, "GET", "/v1/models"))[0] == 200
        done = await asyncio.gather(*slow, return_exceptions=True)
    assert all(isinstance(entry, aiohttp.ClientError) or entry[0] == 404 for entry in done)


async def test_five_thousand_models_are_listed_from_what_was_made_before():
    documents = [workspace(f"m{number}", namespace=f"team-{number % 50}") for number in range(5000)]
    index = known_index(*documents)
    made = 0
    async with served(index) as url:
        first = index.listing(index.side(from_gateway()["X-Workspace-Ctrl-Index"], "shared.example"))
        status, _, body = await ask(url, "GET", "/v1/models")
        made = len(json.loads(body)["data"])
        assert index.listing(index.side(from_gateway()["X-Workspace-Ctrl-Index"], "shared.example")) is first
    assert (status, made) == (200, 5000)


def test_a_listing_is_made_again_when_a_model_changes_but_not_at_each_change(monkeypatch):
    now = 100.0
    monkeypatch.setattr("workspace_ctrl.model_index.model_index.monotonic", lambda: now)
    index = known_index(workspace("one"))
    side = index.side(from_gateway()["X-Workspace-Ctrl-Index"], "shared.example")
    first = index.listing(side)
    index._changed(None)
    assert index.listing(side) is first
    now += 2
    assert index.listing(side) is not first
    assert index.listing(side) == listing([model for store in index._models for model in store.values()], side, "all")
