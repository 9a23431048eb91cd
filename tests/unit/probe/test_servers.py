"""Requests to model servers and Gateways that are not as most are: without a list of models, busy, behind a login, behind a balancer."""

import asyncio

import pytest
from aiohttp import web

from tests.unit.http_server import listening
from tests.unit.probe.gateways import ANSWERED, FAILED, NOT_POSSIBLE, target
from workspace_ctrl.model.probe_results import COMPLETIONS, EMBEDDINGS
from workspace_ctrl.probe.consecutive_results import Threshold

EMBEDDER = {("GET", "/health"): 200, ("POST", "/v1/embeddings"): 200}
"""What text-embeddings-inference answers; all else is 404, without a body."""


def table(codes, asked, **headers):
    async def answer(request):
        body = await request.json() if request.can_read_body else {}
        asked.append((request.method, request.path.removeprefix("/ns/phi"), body))
        return web.Response(status=codes.get(asked[-1][:2], 404), headers=headers)

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
