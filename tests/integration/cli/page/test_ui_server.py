"""`workspace-ctrl ui-server` as the chart starts and ends it."""

import asyncio
import os
import re
import signal
import socket
import ssl
from contextlib import asynccontextmanager

import aiohttp
from click.testing import CliRunner

from e2e.waiting import WAIT_SECONDS
from tests.certificates import make_certificate
from tests.integration.cli.page.running_page import on_thread
from tests.integration.cli.program import Program
from workspace_ctrl.cli.main import main


@asynccontextmanager
async def started(*arguments, variables=None):
    """Start the command; yield the program and the port that it prints."""
    environment = {**os.environ, **(variables or {})}
    program = Program("ui-server", "--port=0", "--address=127.0.0.1", *arguments, environment=environment)
    try:
        line = await program.line()
        assert line.startswith("the page is served on port "), await program.errors()
        yield program, int(re.search("[0-9]+", line)[0])
    finally:
        program.close()


async def status_of(session, url, context):
    """The status of a response; None while there is no certificate."""
    try:
        async with session.get(url, ssl=context) as response:
            return response.status
    except aiohttp.ClientConnectorError:
        return None


async def ended_by(number, program, port):
    """End the program by a signal, while a connection is open."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    program.process.send_signal(number)
    assert await asyncio.wait_for(program.code(), WAIT_SECONDS) == 0
    assert await program.errors() == ""
    writer.close()


async def test_it_is_served_by_http_until_the_kubelet_ends_it():
    variables = {"KUBERNETES_SERVICE_HOST": "192.0.2.1", "KUBERNETES_SERVICE_PORT": "443"}
    async with started(variables=variables) as (program, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
            assert response.status == 200
        await ended_by(signal.SIGTERM, program, port)


async def test_it_is_served_by_https_with_a_certificate_until_ctrl_c(tmp_path):
    authority = make_certificate(tmp_path)
    async with started("--api-server=https://192.0.2.1", f"--certificates={tmp_path}") as (program, port):
        context = ssl.create_default_context(cafile=authority)
        async with aiohttp.ClientSession() as session, asyncio.timeout(WAIT_SECONDS):
            url = f"https://127.0.0.1:{port}/healthz"
            # The certificate is loaded after the port is open, and nothing is printed then.
            while (status := await status_of(session, url, context)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert status == 200
        await ended_by(signal.SIGINT, program, port)


async def test_a_port_that_is_in_use_is_said_in_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ["--port", port, "--address", "127.0.0.1", "--api-server", "https://192.0.2.1"]
        result = await on_thread(lambda: CliRunner().invoke(main, ["ui-server", *options]))
    assert (result.exit_code, f"cannot listen on port {port}: " in result.output) == (1, True)


def test_outside_a_pod_the_api_server_has_to_be_named(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    result = CliRunner().invoke(main, ["ui-server"])
    assert (result.exit_code, "set --api-server outside a pod" in result.output) == (1, True)
