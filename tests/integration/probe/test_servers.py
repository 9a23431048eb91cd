"""Requests to model servers and Gateways that are not as most are: without a list of models, busy, behind a login, behind a balancer."""

import asyncio
import gzip

import pytest
from aiohttp import web

from tests.integration.http_server import listening
from tests.integration.probe.gateways import ANSWERED, FAILED, NOT_POSSIBLE, target
from workspace_ctrl.model.probe_results import CHAT_COMPLETIONS, COMPLETIONS, EMBEDDINGS, MODELS
from workspace_ctrl.probe.consecutive_results import Threshold

EMBEDDER = {("GET", "/health"): 200, ("POST", "/v1/embeddings"): 200}
"""What text-embeddings-inference answers; all else is 404, without a body."""
PAGE = ("<!DOCTYPE html><title>Our web shop</title>", "text/html")


def table(codes, asked, **headers):
    async def answer(request):
        body = await request.json() if request.can_read_body else {}
        asked.append((request.method, request.path.removeprefix("/ns/phi"), body))
        code = codes.get(asked[-1][:2], 404)
        text = '{"data": [{"id": "phi"}], "choices": []}' if code == 200 else ""
        return web.Response(status=code, headers=headers, text=text)

    return answer


@pytest.mark.parametrize(
    ("codes", "fields", "outcome", "code", "paths"),
    [
        pytest.param(EMBEDDER, {"any_server": True}, ANSWERED, 200, ["/v1/models", "/health"], id="its health is enough"),
        pytest.param(EMBEDDER, {}, FAILED, 404, ["/v1/models"], id="of vLLM the list is known to be there"),
        pytest.param({}, {"any_server": True}, FAILED, 404, ["/v1/models", "/health"], id="404 of a Gateway without a route"),
        pytest.param({}, {"get": "/info", "codes": (200, 404)}, ANSWERED, 404, ["/info"], id="the Workspace says what counts"),
        pytest.param(EMBEDDER, {"get": "/health", "codes": (204,)}, FAILED, 200, ["/health"], id="and what does not"),
        pytest.param(EMBEDDER, {"completion": EMBEDDINGS}, ANSWERED, 200, ["/v1/embeddings"], id="only embeddings are routed"),
    ],
)
async def test_servers_without_a_list_of_models(asker, codes, fields, outcome, code, paths):
    asked = []
    async with listening(table(codes, asked)) as port:
        result = await asker.ask(target(port, **fields))
    assert (result.outcome, result.code, [path for _, path, _ in asked]) == (outcome, code, paths)
    assert ("set gateway.probe.path" in result.message) == (outcome is FAILED and fields == {"any_server": True})


OTHERS = [
    pytest.param(MODELS, {}, *PAGE, "it is a web page", id="a page"),
    pytest.param(MODELS, {}, "<title>Our web shop</title>", "text/plain", "it is not a list of models", id="a text"),
    pytest.param(MODELS, {}, "", "application/json", "it is not a list of models", id="nothing"),
    pytest.param(MODELS, {}, '{"data": [{"sku": 1}]}', "application/json", "it is not a list of models", id="another list"),
    pytest.param(MODELS, {}, '{"object": "list", "data": []}', "application/json", "", id="a list without models"),
    pytest.param(MODELS, {}, '{"data": [{"id": "a name"}]}', "application/json", "", id="a list with invalid names only"),
    pytest.param(CHAT_COMPLETIONS, {}, *PAGE, "it is a web page", id="a page for a completion"),
    pytest.param(CHAT_COMPLETIONS, {}, '{"status": "ok"}', "application/json", "it is not a completion", id="no completion"),
    pytest.param(COMPLETIONS, {}, "[", "application/json", "it is not a completion", id="no completion of a text"),
    pytest.param(COMPLETIONS, {}, '{"choices": []}', "application/json", "", id="a completion of a text"),
    pytest.param(EMBEDDINGS, {}, '{"choices": []}', "application/json", "it is not a list of embeddings", id="no embedding"),
    pytest.param(EMBEDDINGS, {}, '{"data": []}', "application/json", "", id="an embedding"),
    pytest.param(MODELS, {"get": "/health", "codes": (200,)}, *PAGE, "", id="what the Workspace wants to be asked for"),
    pytest.param(MODELS, {"any_server": True}, '{"status": "ok"}', "application/json", "", id="any server answers as it likes"),
    pytest.param(MODELS, {"any_server": True}, "OK", "text/html", "", id="a text that its server calls a page"),
    pytest.param(MODELS, {"any_server": True}, *PAGE, "it is a web page", id="a page for the list and for the health"),
    pytest.param(
        MODELS, {"any_server": True}, "\ufeff\n<!-- 2026 --><html>", "text/html", "it is a web page", id="a page with a mark"
    ),
    pytest.param(CHAT_COMPLETIONS, {"any_server": True}, *PAGE, "it is a web page", id="a page of any server"),
]


@pytest.mark.parametrize(("path", "fields", "body", "content_type", "instead"), OTHERS)
async def test_an_answer_of_another_server_is_a_failure(asker, path, fields, body, content_type, instead):
    async def answer(_request):
        return web.Response(text=body, content_type=content_type)

    async with listening(answer) as port:
        result = await asker.ask(target(port, **({"completion": path} if path != MODELS else {}), **fields))
    assert (result.outcome, result.code) == (FAILED if instead else ANSWERED, 200)
    assert f"returned 200, but not by a model server: {instead}; see which route of Gateway ns/g" in result.message or not instead
    assert "set gateway.probe.path" in result.message or not instead


async def test_a_compressed_page_is_a_page_and_what_is_compressed_otherwise_is_not_judged(asker):
    for content_type, outcome in (("text/html", FAILED), ("application/json", ANSWERED)):

        async def answer(_request, content_type=content_type):
            return web.Response(body=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip", "Content-Type": content_type})

        async with listening(answer) as port:
            assert (await asker.ask(target(port))).outcome is outcome


async def test_a_server_that_has_a_page_for_every_path_but_its_health_answers(asker):
    async def answer(request):
        is_health = request.path.endswith("/health")
        return web.Response(text="OK") if is_health else web.Response(text=PAGE[0], content_type=PAGE[1])

    async with listening(answer) as port:
        result = await asker.ask(target(port, any_server=True))
    assert (result.outcome, result.code) == (ANSWERED, 200)
    assert result.message.endswith("/health returned 200 (/v1/models is a web page)")


@pytest.mark.parametrize(("path", "key"), [(COMPLETIONS, "prompt"), (EMBEDDINGS, "input")])
async def test_a_request_is_as_its_path_wants_it(asker, path, key):
    asked = []
    async with listening(table({}, asked)) as port:
        await asker.ask(target(port, model="phi", completion=path))
    assert key in asked[0][2]


@pytest.mark.parametrize("code", [302, 303, 307])
async def test_a_login_page_says_nothing_of_the_model(asker, code):
    login = "https://login.example/?next=m"
    async with listening(table({("GET", "/v1/models"): code}, [], Location=login)) as port:
        result = await asker.ask(target(port))
    assert (result.outcome, result.code) == (NOT_POSSIBLE, code)
    assert result.message.endswith(
        f"returned {code} to {login}; only authenticated clients get a response: set a token in --probe-secret"
    )


async def test_a_server_whose_list_is_slow_has_not_failed(asker):
    async def answer(request):
        if request.path.endswith("/v1/models"):
            await asyncio.sleep(2.3)
        return web.json_response({"data": [{"id": "busy"}]})

    async with listening(answer) as port:
        known = Threshold()
        outcomes = []
        for _ in range(4):
            result = await asker.ask(target(port), in_doubt=known.is_in_doubt)
            known = known.after(result)
            outcomes.append(result.outcome)
    assert outcomes == [FAILED, ANSWERED, ANSWERED, ANSWERED]
    assert (known.believed.outcome, known.believed.models) == (ANSWERED, ("busy",))


async def test_a_gateway_that_wants_the_proxy_protocol_is_asked_where_clients_come_in(asker):
    async def slam(_reader, writer):
        writer.close()

    inside = await asyncio.start_server(slam, "127.0.0.1", 0)
    async with inside:
        port = inside.sockets[0].getsockname()[1]
        alone = await asker.ask(target(port))
        async with listening(table({("GET", "/v1/models"): 200}, []), host="127.0.0.2", port=port):
            result = await asker.ask(target(port, addresses=("127.0.0.1", "127.0.0.2")))
        unreachable = await asker.ask(target(port, addresses=("127.0.0.1", "127.0.0.2")))
    assert (alone.outcome, unreachable.outcome) == (FAILED, FAILED)
    assert "if the Gateway requires the PROXY protocol" in alone.message
    assert unreachable.message == alone.message
    assert (result.outcome, result.code) == (ANSWERED, 200)
