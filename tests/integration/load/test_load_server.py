"""What KEDA gets when it asks for a load: the sums of an endpoint picker, or an error, with which it keeps the replicas."""

import asyncio
import gzip
import json
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web

from e2e.cluster.settings import free_port
from e2e.waiting import WAIT_SECONDS
from tests.integration.busy_threads import busy_threads
from tests.integration.http_server import listening
from workspace_ctrl.load.load_reader import LoadReader, LoadUnknownError
from workspace_ctrl.process.load_server import serve_loads

LOOPBACK = (ip_network("127.0.0.0/8"),)
PAGE = 'inference_extension_flow_control_queue_size{model_name="m"} 7\n'


class Picker:
    """An endpoint picker whose answers a test sets."""

    def __init__(self):
        self.answer = {"text": PAGE}
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request.path)
        return web.Response(**self.answer)


@pytest.fixture
def picker():
    return Picker()


@pytest.fixture
async def reader(picker):
    async with listening(picker) as port:
        yield LoadReader(lambda _namespace, _name: f"http://127.0.0.1:{port}", LOOPBACK)


def known(*pickers):
    return lambda namespace, picker: (namespace, picker) in pickers


OURS = known(("team", "phi-epp"), ("other", "phi-epp"), ("third", "phi-epp"))


async def ask(port, path):
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def test_a_load_is_read_once_a_second(picker, reader):
    loads = await asyncio.gather(*(reader.read("team", "phi-epp") for _ in range(9)))
    assert {load.held for load in loads} == {7}
    assert len(picker.asked) <= 8  # those of one namespace that run at once
    await reader.read("team", "phi-epp")
    assert len(picker.asked) <= 8
    assert set(picker.asked) == {"/metrics"}
    assert reader.held == 7


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param({"status": 401}, "answers with 401", id="authentication"),
        pytest.param(
            {"text": "inference_extension_flow_control_queue_size many"}, "could not convert|invalid line", id="no metrics"
        ),
        pytest.param(
            {"body": gzip.compress(PAGE.encode()), "headers": {"Content-Encoding": "gzip"}}, "compressed metrics", id="a bomb"
        ),
        pytest.param({"body": PAGE.encode() + b"#" * (8 << 20)}, "more than 8 MiB", id="too much"),
        pytest.param({"text": PAGE.replace(" 7", " NaN")}, "of nan", id="not a number"),
        pytest.param({"text": PAGE.replace(" 7", " 1e308")}, "of 1e[+]308", id="more than there can be"),
        pytest.param({"status": 302, "headers": {"Location": "http://elsewhere"}}, "answers with 302", id="a redirection"),
    ],
)
async def test_an_answer_without_a_load_is_an_error(picker, reader, answer, words):
    picker.answer = answer
    with pytest.raises(LoadUnknownError, match=words):
        await reader.read("team", "phi-epp")
    assert reader.held == 0


async def test_keda_gets_the_sums_or_an_error(picker, reader):
    port = free_port()
    async with serve_loads(port, reader, OURS):
        status, body = await ask(port, "/load/team/phi-epp")
        assert (status, json.loads(body)["queueSize"]) == (200, 7)
        picker.answer = {"status": 500}
        told = await ask(port, "/load/other/phi-epp")
        assert told == (502, "the endpoint picker gives no load; the log of the controller says why\n")
        picker.answer = {"text": f"{PAGE.partition('{')[0]} secret"}
        assert await ask(port, "/load/third/phi-epp") == told


async def test_the_log_says_once_why_there_is_no_load(picker, reader, caplog):
    picker.answer = {"status": 500}
    for _ in range(3):
        with pytest.raises(LoadUnknownError):
            await reader.read("team", "phi-epp")
    (message,) = [record.getMessage() for record in caplog.records if "phi-epp" in record.getMessage()]
    assert message.startswith("load of endpoint picker team/phi-epp is not known: http://127.0.0.1")
    assert message.endswith("answers with 500")


async def test_a_service_that_leads_to_a_special_address_is_not_connected_to(picker):
    async with listening(picker) as port:
        reader = LoadReader(lambda _namespace, _name: f"http://localhost:{port}")
        with pytest.raises(LoadUnknownError, match="loopback address"):
            await reader.read("team", "phi-epp")
    assert picker.asked == []


async def test_neither_names_nor_metrics_wait_for_other_work_in_threads_or_keep_it_waiting(picker):
    async with listening(picker, host="localhost") as port:
        reader = LoadReader(lambda _namespace, _name: f"http://localhost:{port}", (*LOOPBACK, ip_network("::1")))
        async with busy_threads(), asyncio.timeout(WAIT_SECONDS):
            assert (await reader.read("team", "phi-epp")).held == 7


async def test_a_long_page_in_small_chunks_is_read(picker):
    async def chunked(request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(4096):
            await response.write(b"# " + b"x" * 1021 + b"\n")
        await response.write(PAGE.encode())
        return response

    async with listening(chunked) as port:
        reader = LoadReader(lambda _namespace, _name: f"http://127.0.0.1:{port}", LOOPBACK)
        assert (await reader.read("team", "phi-epp")).held == 7


async def test_only_pickers_of_scaled_sets_are_asked(picker, reader):
    port = free_port()
    async with serve_loads(port, reader, known(("team", "phi-epp"))):
        assert (await ask(port, "/load/team/other-epp"))[0] == 404
        assert (await ask(port, "/load/kube-system/phi-epp"))[0] == 404
        assert picker.asked == []
        assert (await ask(port, "/load/team/phi-epp"))[0] == 200


async def test_before_the_scaled_objects_are_read_nothing_is_said_of_any_picker(picker, reader):
    port = free_port()
    async with serve_loads(port, reader, lambda _namespace, _picker: None):
        assert (await ask(port, "/load/team/phi-epp"))[0] == 503
    assert picker.asked == []


async def test_a_question_ends_with_its_connection(reader, monkeypatch):
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def read(_namespace, _picker):
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(reader, "read", read)
    port = free_port()
    async with serve_loads(port, reader, OURS):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /load/team/phi-epp HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(waiting.wait(), WAIT_SECONDS)
        writer.close()
        await asyncio.wait_for(ended.wait(), WAIT_SECONDS)


@pytest.mark.parametrize("path", ["/", "/load/team", "/load/team/phi-epp/metrics", "/load/team/phi.example", "/load/TEAM/phi"])
async def test_nothing_else_is_served(picker, reader, path):
    port = free_port()
    async with serve_loads(port, reader, lambda _namespace, _picker: True):
        assert (await ask(port, path))[0] == 404
    assert picker.asked == []


async def test_how_long_nobody_has_asked_is_known_from_the_first_question_on(reader, monkeypatch):
    moments = iter([10.0, 25.0])
    monkeypatch.setattr("workspace_ctrl.load.load_reader.monotonic", lambda: next(moments))
    assert reader.unread_for("team", "phi-epp") == 0
    assert reader.unread_for("team", "phi-epp") == 15
    monkeypatch.undo()
    await reader.read("team", "phi-epp")
    assert reader.unread_for("team", "phi-epp") < 5
