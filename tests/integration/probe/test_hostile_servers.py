"""Model servers and Gateways that mean harm: their answers are bounded, and the requests of a Workspace go on."""

import asyncio
import gzip
import itertools
import logging
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.http_server import listening
from tests.integration.probe.gateways import ANSWERED, FAILED, KEY, LOCAL, NOT_POSSIBLE, target
from workspace_ctrl.model.probe_results import LONGEST_NAME, MOST_NAMES, ProbeResult
from workspace_ctrl.probe.model_list import ModelList, read_models
from workspace_ctrl.probe.probe_client import ProbeClient
from workspace_ctrl.probe.prober import Prober
from workspace_ctrl.settings.process import ProbeMode

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
IGNORED = "its models: only the first 128 printable names of at most 253 characters are used"


def listing(*names):
    return orjson.dumps({"data": [{"id": name} for name in names]})


NUMBERED = [f"model-{n}" for n in range(200)]
LISTS = [
    pytest.param(b"[" * 50_000, (), "", id="brackets"),
    pytest.param(b'{"data":' * 5_000, (), "", id="mappings in each other"),
    pytest.param(b'{"data": ' + b"9" * 10_000 + b"}", (), "", id="a number of 10,000 digits"),
    pytest.param(b'{"data": [{"id": NaN}]}', (), "", id="NaN"),
    pytest.param(b'{"data": [{"id": "\\ud800"}]}', (), "", id="half a surrogate pair"),
    pytest.param(b'\xff\xfe{"data": []}', (), "", id="no UTF-8"),
    pytest.param(b'{"data": [{"id": "a"}], "data": [{"id": "b", "id": "c"}]}', ("c",), "", id="keys that come twice"),
    pytest.param(b'[{"id": "a"}]', (), "", id="a list"),
    pytest.param(b'{"data": {"id": "a"}}', (), "", id="a mapping for the list"),
    pytest.param(b'{"data": "abc"}', (), "", id="a text for the list"),
    pytest.param(
        b'{"data": ["a", null, {"id": 1}, {"id": ["a"]}, {"name": "b"}, [], {"id": ""}, {"id": "d"}]}',
        ("d",),
        f"ignored 7 of {IGNORED}",
        id="entries of every type",
    ),
    pytest.param(listing("a", "b\x1b[31m"), ("a",), f"ignored 1 of {IGNORED}", id="a name with an escape"),
    pytest.param(listing("a\u202eb", "\u2066", "c\nd", " e", "f"), ("f",), f"ignored 4 of {IGNORED}", id="bidi"),
    pytest.param(listing("x" * 254, "y" * 253), ("y" * 253,), f"ignored 1 of {IGNORED}", id="a long name"),
    pytest.param(listing(*NUMBERED), tuple(NUMBERED[:128]), f"ignored 72 of {IGNORED}", id="200 names"),
    pytest.param(listing("a", "a", "b", "a"), ("a", "b"), "", id="the same name again"),
    pytest.param(
        listing(*["a"] * 100_000),
        (),
        "its model names are ignored, because it is compressed or too long",
        id="100,000 entries",
    ),
    pytest.param(listing("x" * 900_000), (), "its model names are ignored, because it is compressed or too long", id="900 KB"),
]


@pytest.mark.parametrize(("body", "names", "note"), LISTS)
async def test_a_list_of_models_gives_so_many_names_that_print(asker, body, names, note):
    async with answering(body) as target:
        result = await asker.ask(replace(target, any_server=True))
    shown = f"GET {target.url}/v1/models returned 200"
    expected = ProbeResult(ANSWERED, target.url, 200, f"{shown}; {note}" if note else shown, names)
    assert result == expected


async def test_the_name_that_is_asked_for_is_taken_wherever_it_stands(server, asker):
    server.body = listing(*NUMBERED).decode()
    result = await asker.ask(server.target(model="model-199"))
    assert result.models == (*NUMBERED[:127], "model-199")


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.sampled_from(["data", "id", "x"]), children, max_size=3),
    max_leaves=12,
)


@given(body=anything.map(orjson.dumps))
def test_names_of_any_answer_print_and_are_bounded(body):
    found = read_models(body)
    assert len(found.names) <= MOST_NAMES
    assert all(0 < len(name) <= LONGEST_NAME and name.isprintable() for name in found.names)


@given(body=st.binary(max_size=60))
def test_what_is_no_json_has_no_names(body):
    assert read_models(b"\xff" + body) == ModelList()


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        pytest.param(
            "\x1b]0;title\x07no\u202e\u2066 \x00way".encode(), "\ufffd]0;title\ufffdno\ufffd\ufffd \ufffdway", id="escapes"
        ),
        pytest.param(b"\xed\xa0\x80 half", "\ufffd\ufffd\ufffd half", id="half a surrogate pair"),
        pytest.param(b"x" * 1_000_000, "x" * 200, id="1 MB"),
        pytest.param(b"\n" * 1_000_000, "", id="lines"),
    ],
)
async def test_an_excerpt_of_a_body_prints(asker, body, excerpt):
    async with answering(body, status=500) as target:
        result = await asker.ask(target)
    shown = f"GET {target.url}/v1/models returned 500"
    assert result == ProbeResult(FAILED, target.url, 500, f"{shown}: {excerpt}" if excerpt else shown)


async def test_what_is_compressed_is_not_unpacked(asker):
    bomb = gzip.compress(b"[" * 20_000_000)
    async with answering(bomb, headers={"Content-Encoding": "gzip"}) as target:
        result = await asker.ask(target)
    said = f"GET {target.url}/v1/models returned 200; its model names are ignored, because it is compressed or too long"
    assert result == ProbeResult(ANSWERED, target.url, 200, said)


async def test_a_list_that_comes_in_pieces_is_read_to_its_end(asker):
    pieces = [b"%x\r\n%s\r\n" % (len(part), part) for part in (b'{"data": [', b'{"id": "a"},', b'{"id": "b"}]}', b"")]
    async with sending(CHUNKED, *pieces, pause=0.05) as target:
        result = await asker.ask(target)
    assert (result.outcome, result.models) == (ANSWERED, ("a", "b"))


async def test_cookies_are_not_kept(server, asker):
    target = server.target(addresses=("localhost",))
    async with sending(OK + b"Set-Cookie: spy=1\r\nContent-Length: 0\r\n\r\n", address="localhost") as hostile:
        await asker.ask(hostile)
    await asker.ask(target)
    ((_, _, headers, _),) = server.requests
    assert "Cookie" not in headers


ENDLESS = [
    pytest.param((CHUNKED,), b"1000\r\n" + b"a" * 4096 + b"\r\n", ANSWERED, id="chunks"),
    pytest.param((OK, b"\r\n"), b"a" * 4096, ANSWERED, id="a body"),
    pytest.param((OK,), b"X-A: b\r\n" * 100, FAILED, id="headers"),
    pytest.param((OK, b"X-A: "), b"a" * 4096, FAILED, id="one header"),
    pytest.param((b"HTTP/1.1 200 ",), b"a" * 4096, FAILED, id="a status line"),
    pytest.param((CHUNKED, b"0\r\n"), b"X-A: b\r\n" * 100, FAILED, id="trailers"),
    pytest.param((b"",), b"\xff\x00\x1b[31m" * 500, FAILED, id="no HTTP"),
    pytest.param((b"",), b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20, FAILED, id="interim answers"),
    pytest.param((CHUNKED, b"1;"), b"a" * 4096, FAILED, id="an extension of a chunk"),
]


@pytest.mark.parametrize(("beginning", "again", "outcome"), ENDLESS)
async def test_an_answer_without_an_end_ends(asker, beginning, again, outcome):
    async with sending(*beginning, again=again) as target, asyncio.timeout(10):
        result = await asker.ask(target)
    assert result.outcome is outcome
    assert len(result.message) < 400
    assert result.message.isprintable()


@pytest.mark.parametrize(
    ("beginning", "again"),
    [
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000, id="interim answers"),
        pytest.param(CHUNKED, b"1\r\na\r\n" * 10_000, id="chunks of one byte"),
        pytest.param(CHUNKED + b"1;", b"a" * 65_536, id="an extension of a chunk"),
    ],
)
async def test_what_takes_long_to_read_is_not_read_to_the_end_of_the_patience(asker, beginning, again):
    async with sending(beginning, again=again) as target:
        results = await asyncio.gather(*(asker.ask(target) for _ in range(4)))
    assert {(result.outcome, "no response within" in result.message) for result in results} == {(FAILED, False)}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 99999999999999999999 OK\r\n\r\n", id="a status of 20 digits"),
        pytest.param(OK + b"Content-Length: 99999999999999999999999\r\n\r\n", id="a length of 23 digits"),
        pytest.param(OK + b"Content-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(OK + b"Content-Length: 100\r\n\r\nshort", id="a body that is cut"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n", id="a chunk without a length"),
        pytest.param(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", id="HTTP/2"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", id="another protocol"),
    ],
)
async def test_what_is_no_answer_is_a_failure_in_words_that_print(asker, answer):
    async with sending(answer) as target:
        result = await asker.ask(target)
    assert result.outcome is FAILED
    assert result.message.startswith(f"GET {target.url}/v1/models")
    assert len(result.message) < 400
    assert result.message.isprintable()


async def test_a_body_that_trickles_is_given_up(asker):
    async with sending(CHUNKED, again=b"1\r\na\r\n", pause=0.1) as target, asyncio.timeout(10):
        result = await asker.ask(target)
    assert result == ProbeResult(FAILED, target.url, None, f"GET {target.url}/v1/models: no response within 2 s")


async def test_a_name_that_no_header_can_hold_is_a_failure(server, asker):
    result = await asker.ask(server.target(model="a\r\nX-Evil: 1", try_body=True))
    assert result.outcome is FAILED
    assert server.requests == []


class Broken(ProbeClient):
    """Raises what nobody thought of, as often as told, and answers then."""

    def __init__(self, *errors):
        super().__init__(ProbeMode.MODELS)
        self.errors = list(errors)
        self.asked = asyncio.Queue()

    async def ask(self, target, **_doubt):
        self.asked.put_nowait(target)
        if self.errors:
            raise self.errors.pop(0)
        return ProbeResult(ANSWERED, target.url, 200)


TARGET = target(1)


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), KeyError("x"), AssertionError(), UnicodeError()])
async def test_an_error_that_nobody_thought_of_is_logged_once_and_the_requests_go_on(caplog, told, error):
    prober = Prober(Broken(*[error] * 4), 0.05, told)
    prober._reached.add("ns/g")
    with caplog.at_level(logging.ERROR):
        prober.follow(KEY, (TARGET,), None)
        await told.wait()
        text = f"the request failed in the controller ({type(error).__name__}; see its log)"
        assert prober.result(KEY) == ProbeResult(NOT_POSSIBLE, TARGET.url, message=text)
        await told.wait()
        assert prober.result(KEY) == ProbeResult(ANSWERED, TARGET.url, 200)
    await prober.close()
    assert [record.getMessage() for record in caplog.records] == ["probe of ns/phi failed with an internal error"]


async def test_whoever_is_told_and_fails_does_not_end_the_requests(caplog):
    asker, told = Broken(), []

    def fail(key):
        told.append(key)
        raise KeyError(key)

    prober = Prober(asker, 0.05, fail)
    prober.follow(KEY, (TARGET,), None)
    async with asyncio.timeout(10):
        for _ in range(5):
            await asker.asked.get()
    await prober.close()
    assert told == [KEY]
    assert "probe ns/phi ended" in caplog.text


async def test_fifty_thousand_brackets_do_not_end_the_requests(server, told):
    server.body = "[" * 50_000
    prober = Prober(ProbeClient(ProbeMode.MODELS, trust=LOCAL), 0.05, told)
    prober.follow(KEY, (server.target(any_server=True),), None)
    await server.asked(4)
    await told.wait()
    assert (prober.result(KEY).outcome, prober.result(KEY).models) == (ANSWERED, ())
    server.status = 503
    await told.wait()
    assert prober.result(KEY).outcome is FAILED
    await prober.close()


@asynccontextmanager
async def answering(body, status=200, headers=None):
    """Serve one answer by aiohttp."""

    async def answer(_request):
        return web.Response(status=status, body=body, headers=headers)

    async with listening(answer) as port:
        yield target(port)


@asynccontextmanager
async def sending(*beginning, again=b"", pause=0.0, address="127.0.0.1"):
    """Serve bytes as they are, and then others until nobody reads them."""

    async def send(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in itertools.chain(beginning, itertools.repeat(again) if again else ()):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass  # whoever reads has had enough
        finally:
            writer.close()

    running = await asyncio.start_server(send, "127.0.0.1")
    try:
        yield target(running.sockets[0].getsockname()[1], addresses=(address,))
    finally:
        running.close()
