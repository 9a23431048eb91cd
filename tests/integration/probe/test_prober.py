"""Requests through a Gateway, against real HTTP servers on loopback."""

import asyncio
import json
import logging
from collections import Counter

import pytest

from tests.integration.probe.gateways import ANSWERED, FAILED, KEY, LOCAL, NOT_POSSIBLE, TOKEN, Server, reading
from workspace_ctrl.model.probe_results import CHAT_COMPLETIONS, ProbeResult, ProbeTarget
from workspace_ctrl.probe.consecutive_results import Pace, pace
from workspace_ctrl.probe.credentials import Credentials
from workspace_ctrl.probe.probe_client import ProbeClient
from workspace_ctrl.probe.prober import Prober
from workspace_ctrl.settings.process import ProbeMode


async def test_models_are_asked_for_as_a_client_does(server, asker):
    result = await asker.ask(server.target(hostname="m.example.com", model="phi"))
    assert (result.outcome, result.code, result.models) == (ANSWERED, 200, ("phi", "poet"))
    ((method, path, headers, _),) = server.requests
    assert (method, path) == ("GET", "/ns/phi/v1/models")
    assert headers["Host"] == f"m.example.com:{server.port}"
    assert headers["X-Gateway-Model-Name"] == "phi"


@pytest.mark.parametrize(("mode", "needed"), [(ProbeMode.COMPLETION, ""), (ProbeMode.MODELS, CHAT_COMPLETIONS)])
async def test_a_completion_is_one_token(server, mode, needed):
    asking = ProbeClient(mode, trust=LOCAL)
    result = await asking.ask(server.target(model="phi", completion=needed))
    await asking.close()
    ((method, path, _, body),) = server.requests
    assert (result.outcome, method, path) == (ANSWERED, "POST", "/ns/phi/v1/chat/completions")
    assert json.loads(body) | {"messages": []} == {"model": "phi", "messages": [], "max_tokens": 1}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (503, "no healthy upstream", FAILED),
        (500, "", FAILED),
        (404, "not\nfound", FAILED),
        (301, "", FAILED),
        (308, "", FAILED),
        (401, "who are you?", NOT_POSSIBLE),
        (403, "RBAC: access denied", NOT_POSSIBLE),
        (429, "", NOT_POSSIBLE),
    ],
)
async def test_other_answers_are_told_in_their_own_words(server, asker, status, body, outcome):
    server.status, server.body = status, body
    result = await asker.ask(server.target())
    assert (result.outcome, result.code) == (outcome, status)
    assert result.message == f"GET http://127.0.0.1:{server.port}/ns/phi/v1/models returned {status}" + (
        f": {' '.join(body.split())}" if body else ""
    )


async def test_a_long_answer_is_quoted_in_part(server, asker):
    server.status, server.body = 500, "x" * 100_000
    assert len((await asker.ask(server.target())).message) < 300


@pytest.mark.parametrize(
    ("led", "by_body"),
    [
        pytest.param(lambda model: model == "phi", True, id="a body-based router"),
        pytest.param(lambda _model: False, False, id="none"),
        pytest.param(lambda _model: True, None, id="somebody's catch-all: nothing is proved"),
    ],
)
async def test_whether_the_name_in_a_body_is_enough_is_found_out_without_computing(server, asker, led, by_body):
    server.led = led
    assert (await asker.ask(server.target(model="phi", try_body=True))).by_body is by_body
    assert (await asker.ask(server.target(model="phi"))).by_body is None


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"data": 1}', '{"data": [{}]}', "<html>"])
@pytest.mark.parametrize(("any_server", "outcome"), [(True, ANSWERED), (False, FAILED)])
async def test_an_answer_that_lists_no_models_is_one_of_servers_that_may_have_no_list(server, asker, body, any_server, outcome):
    server.body = body
    result = await asker.ask(server.target(any_server=any_server))
    assert (result.outcome, result.models) == (outcome, ())


async def test_where_nobody_listens_nothing_is_found_out(server, asker, unused_tcp_port):
    result = await asker.ask(server.target(port=unused_tcp_port))
    assert (result.outcome, result.code) == (NOT_POSSIBLE, None)
    assert f"the controller cannot connect to 127.0.0.1:{unused_tcp_port}" in result.message
    assert (await asker.ask(server.target(addresses=()))).message == "Gateway ns/g has no address"
    assert (await asker.ask(server.target(addresses=("no-such-host.invalid", "127.0.0.1")))).outcome is ANSWERED


async def test_a_connection_that_breaks_is_a_failure(asker):
    async def slam(_reader, writer):
        writer.close()

    listening = await asyncio.start_server(slam, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        result = await asker.ask(ProbeTarget("ns/g", "http", ("127.0.0.1",), port, ""))
    assert (result.outcome, result.code) == (FAILED, None)


UNTRUSTED = "; put the CA of the listener's certificate into ca.crt of the Secret of --probe-secret"


@pytest.mark.parametrize(
    ("credentials", "hostname", "words"),
    [
        pytest.param({}, "m.example.com", "", id="nothing to lose: not checked"),
        pytest.param(
            {"token": TOKEN}, "m.example.com", f"self-signed certificate{UNTRUSTED}", id="a token is not shown to anybody"
        ),
        pytest.param({"token": TOKEN, "ca": "own"}, "m.example.com", "", id="signed by the authority"),
        pytest.param(
            {"ca": "own"},
            "other.example.com",
            "Hostname mismatch, certificate is not valid for 'other.example.com'.",
            id="for another name",
        ),
    ],
)
async def test_certificates(certificate, credentials, hostname, words, caplog):
    context, pem = certificate
    asking = ProbeClient(ProbeMode.MODELS, reading(**{**credentials, **({"ca": pem} if "ca" in credentials else {})}), LOCAL)
    with caplog.at_level(logging.DEBUG):
        async with Server().served(context) as server:
            result = await asking.ask(server.target(scheme="https", hostname=hostname))
            assert result.outcome is (FAILED if words else ANSWERED)
            assert len(server.requests) == (not words)
    await asking.close()
    assert result.message.endswith(f": TLS: the certificate is not valid: {words}") or not words
    assert TOKEN not in caplog.text + result.message + repr(Credentials(token=TOKEN))


async def test_a_listener_without_tls_is_named_as_such(asker):
    async def refuse(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        result = await asker.ask(ProbeTarget("ns/g", "https", ("127.0.0.1",), port, ""))
    assert result.outcome is FAILED
    assert result.message == f"GET https://127.0.0.1:{port}/v1/models: TLS: the server does not speak TLS at this port"


@pytest.fixture
async def prober(told):
    following = Prober(ProbeClient(ProbeMode.MODELS, trust=LOCAL), 0.05, told)
    yield following
    await following.close()


async def test_two_answers_make_it_and_nobody_is_told_of_those_that_follow(server, prober, told):
    prober.follow(KEY, (server.target(),), None)
    assert prober.result(KEY) is None
    await told.wait()
    assert prober.result(KEY).outcome is ANSWERED
    await server.asked(5)
    assert told.count == 1


async def test_a_gateway_that_fails_is_told_with_its_words_and_so_is_its_return(server, prober, told):
    prober.follow(KEY, (server.target(),), None)
    await told.wait()
    server.status, server.body = 503, "no healthy upstream"
    await told.wait()
    assert (prober.result(KEY).outcome, prober.result(KEY).code) == (FAILED, 503)
    server.status, server.body = 200, '{"data": []}'
    await told.wait()
    assert prober.result(KEY).outcome is ANSWERED


async def test_one_listener_that_fails_is_enough(server, prober, told):
    async with Server().served() as broken:
        broken.status = 404
        prober.follow(KEY, (server.target(), broken.target()), None)
        await told.wait()
        assert prober.result(KEY).code == 404


async def test_a_model_that_hangs_is_believed_to_after_two_requests_whatever_else_could_be_asked(server, prober, told):
    server.open.clear()
    prober.follow(KEY, (server.target(), server.target(hostname="m.example.com")), None)
    await told.wait()
    assert prober.result(KEY).outcome is FAILED
    # The second one is a request that a server which is only busy rejects at once.
    assert prober.result(KEY).message.endswith("/v1/chat/completions: no response within 2 s")
    assert len(server.requests) == 2
    server.open.set()
    await told.wait()
    assert prober.result(KEY).outcome is ANSWERED


@pytest.fixture
async def computing(told):
    """Asks for completions."""
    following = Prober(ProbeClient(ProbeMode.COMPLETION, trust=LOCAL), 0.05, told)
    yield following
    await following.close()


def tokens(server):
    return [json.loads(body)["max_tokens"] for _, _, _, body in server.requests]


async def test_a_completion_that_waits_for_its_turn_is_waited_for(server, computing, told):
    server.free.clear()
    computing.follow(KEY, (server.target(model="phi"),), None)
    await server.asked(3)
    server.free.set()
    await told.wait()
    assert (computing.result(KEY).outcome, computing.result(KEY).code) == (ANSWERED, 200)
    assert tokens(server)[:3] == [1, 0, 1]


async def test_a_model_server_that_refuses_nothing_either_hangs(server, computing, told):
    server.open.clear()
    computing.follow(KEY, (server.target(model="phi"),), None)
    await told.wait()
    assert computing.result(KEY).outcome is FAILED
    assert computing.result(KEY).message.endswith("/v1/chat/completions: no response within 2 s")
    assert tokens(server) == [1, 0]
    server.open.set()
    await told.wait()
    assert computing.result(KEY).outcome is ANSWERED


async def test_a_gateway_that_was_never_reached_is_not_called_broken(server, prober, told, unused_tcp_port):
    prober.follow(KEY, (server.target(port=unused_tcp_port),), None)
    await told.wait()
    assert prober.result(KEY).outcome is NOT_POSSIBLE


@pytest.mark.parametrize("earlier", [True, False])
async def test_a_gateway_that_was_reached_once_is_broken_when_it_is_not_any_more(prober, told, unused_tcp_port, earlier):
    gateway = Server()
    if not earlier:
        async with gateway.served(port=unused_tcp_port):
            prober.follow(KEY, (gateway.target(),), None)
            await told.wait()
    else:
        gateway.port = unused_tcp_port
        prober.follow(KEY, (gateway.target(),), ProbeResult(ANSWERED, gateway.target().url, 200, "returned 200"))
    await told.wait()
    assert prober.result(KEY).outcome is FAILED


async def test_the_same_targets_are_followed_on_and_others_begin_anew(server, prober, told):
    prober.follow(KEY, (server.target(),), None)
    await told.wait()
    prober.follow(KEY, (server.target(),), None)
    assert prober.result(KEY) is not None
    prober.follow(KEY, (server.target(path="/other"),), None)
    assert prober.result(KEY) is None
    await told.wait()
    prober.follow(KEY, (), None)
    assert prober.result(KEY) is None


async def test_what_an_earlier_process_believed_holds_until_requests_say_otherwise(server, prober, told):
    earlier = ProbeResult(ANSWERED, server.target().url, 200, "answered", ("phi", "poet"))
    prober.follow(KEY, (server.target(),), earlier)
    assert prober.result(KEY) == earlier
    await server.asked(4)
    assert told.count == 0
    server.status = 503
    await told.wait()
    assert prober.result(KEY).outcome is FAILED


async def test_it_does_not_hold_for_another_address_or_after_the_chain_was_broken(server, prober, told):
    earlier = ProbeResult(ANSWERED, server.target().url, 200, "answered")
    prober.follow(("ns", "moved"), (server.target(path="/other"),), earlier)
    assert prober.result(("ns", "moved")) is None
    prober.follow(KEY, (), earlier)
    prober.follow(KEY, (server.target(),), earlier)
    assert prober.result(KEY) is None
    prober.gone(KEY)
    prober.follow(KEY, (server.target(),), earlier)
    assert prober.result(KEY) == earlier


async def test_requests_are_bounded_in_number(server, prober):
    server.open.clear()
    for number in range(60):
        prober.follow(("ns", f"w{number}"), (server.target(),), None)
    await server.asked(16)
    for _ in range(20):
        await asyncio.sleep(0)
    assert server.most_at_once == 16
    server.open.set()


async def test_slow_workspaces_of_one_namespace_do_not_delay_those_of_another(server, prober):
    server.open.clear()
    for number in range(1000):
        prober.follow(("many", f"w{number}"), (server.target(path="/many"),), None)
    await server.asked(16)
    for number in range(16):
        prober.follow(("few", f"w{number}"), (server.target(path="/few"),), None)
    await server.asked(32)
    for _ in range(20):
        await asyncio.sleep(0)
    assert Counter(path for _, path, _, _ in server.requests) == {"/many/v1/models": 16, "/few/v1/models": 16}
    server.open.set()


@pytest.mark.parametrize(
    ("in_namespace", "rest", "retry"),
    [
        pytest.param(9_999, 500.0, 500.0, id="the namespace with almost all Workspaces shares the limit with all"),
        pytest.param(1, 57.5, 4.0, id="the other namespace is not slowed down"),
    ],
)
def test_many_workspaces_of_one_namespace_slow_down_their_own_probes_only(in_namespace, rest, retry):
    assert pace(60.0, 10_000, in_namespace, 2) == Pace(rest, retry)
