"""`workspace-ctrl ui` as users start and end it."""

import asyncio
import os
import signal
import socket

import aiohttp
import pytest
import pytest_asyncio
from click.testing import CliRunner

from e2e.waiting import WAIT_SECONDS
from tests.integration.cli.page.running_page import on_thread
from tests.integration.cli.program import Program
from workspace_ctrl.cli.main import main
from workspace_ctrl.cli.page.ui import _same_cluster


@pytest_asyncio.fixture(loop_scope="session")
async def started(served):
    """Start the command; returns the program and the URL that it prints."""
    environment = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    programs = []

    async def start(*arguments):
        program = Program("ui", "--kubeconfig", str(served[1]), *arguments, environment=environment)
        programs.append(program)
        line = await program.line()
        assert line.startswith("The page is at http://127.0.0.1:"), await program.errors()
        return program, line.split()[-1]

    yield start
    for program in programs:
        program.close()


async def test_the_printed_url_is_that_of_the_page_at_the_chosen_port_until_ctrl_c(started, unused_tcp_port):
    program, url = await started("--port", str(unused_tcp_port))
    assert f":{unused_tcp_port}/" in url
    async with aiohttp.ClientSession() as session, session.get(f"{url}events") as events:
        assert await events.content.readline() == b"event: hello\n"
        program.process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(program.code(), WAIT_SECONDS)
    assert (code, "Traceback" in await program.errors()) == (130, False)


async def test_a_port_that_is_in_use_is_said_in_a_sentence(served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = await on_thread(lambda: CliRunner().invoke(main, ["ui", "--kubeconfig", str(served[1]), "--port", port]))
    assert (result.exit_code, f"cannot listen on 127.0.0.1 port {port}: " in result.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("--address", "example.com"), 2, "--address must be an IP address", id="address"),
        pytest.param(("-n", "a", "-A"), 2, "exclude each other", id="namespaces"),
        pytest.param(("--port", "70000"), 2, "70000", id="port"),
        pytest.param((), 1, "set KUBECONFIG or --kubeconfig", id="no kubeconfig"),
    ],
)
def test_wrong_use(arguments, code, words):
    result = CliRunner().invoke(main, ["ui", *arguments], env={"KUBECONFIG": "/nowhere"})
    assert result.exit_code == code
    assert words in result.output


async def test_without_an_api_server_it_ends_with_a_sentence(served, server):
    server.rule = lambda _query: 500
    result = await on_thread(lambda: CliRunner().invoke(main, ["ui", "--kubeconfig", str(served[1]), "--no-browser"]))
    assert (result.exit_code, "Error: " in result.output, "The page" in result.output) == (1, True, False)


def test_commands_on_the_page_choose_the_same_cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path))
    assert _same_cluster(tmp_path, None) == ""
    assert _same_cluster(tmp_path / "my file", "prod") == f"--kubeconfig '{tmp_path}/my file' --context prod"
