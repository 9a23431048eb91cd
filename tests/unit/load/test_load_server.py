"""What KEDA gets when it asks for a load: the sums of an endpoint picker, or an error, with which it keeps the replicas."""

import asyncio
import json
import socket

import aiohttp
import pytest
from aiohttp import web

from tests.unit.http_server import listening
from workspace_ctrl.load.load_reader import LoadReader, LoadUnknownError
from workspace_ctrl.process.load_server import serve_loads

PAGE = 'inference_extension_flow_control_queue_size{model_name="m"} 7\n'


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


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
        yield LoadReader(lambda namespace, name: f"http://127.0.0.1:{port}/{namespace}/{name}/metrics")


async def ask(port, path):
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def test_a_load_is_read_once_a_second(picker, reader):
    loads = await asyncio.gather(*(reader.read("team", "phi-epp") for _ in range(9)))
    assert {load.held for load in loads} == {7}
    assert len(picker.asked) <= 8  # those of one namespace that run at once
    await reader.read("team", "phi-epp")
    assert len(picker.asked) <= 8
    assert set(picker.asked) == {"/team/phi-epp/metrics"}
    assert reader.held == 7


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param({"status": 401}, "answers with 401", id="authentication"),
        pytest.param({"text": "inference_extension_flow_control_queue_size many"}, "does not answer with metrics", id="no metrics"),
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
    async with serve_loads(port, reader):
        status, body = await ask(port, "/load/team/phi-epp")
        assert (status, json.loads(body)["queueSize"]) == (200, 7)
        picker.answer = {"status": 500}
        status, body = await ask(port, "/load/other/phi-epp")
        assert (status, "answers with 500" in body) == (502, True)


@pytest.mark.parametrize("path", ["/", "/load/team", "/load/team/phi-epp/metrics", "/load/team/phi.example", "/load/TEAM/phi"])
async def test_nothing_else_is_served(picker, reader, path):
    port = free_port()
    async with serve_loads(port, reader):
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
