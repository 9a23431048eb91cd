"""A hub that only a proxy reaches, with a certificate of an authority of its own: as the environment of the process says."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager

import pytest

from e2e.waiting import WAIT_SECONDS
from tests.certificates import make_certificate
from tests.model_hub import ModelHub

PLAN = (sys.executable, "-m", "workspace_ctrl", "plan", "-f", "-", "--model-hub", "https://hub.example")
LOOPBACK = ("--model-hub-network", "127.0.0.0/8")
UNKNOWN = b"""
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: any}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: any}}}
inference: {preset: {name: some-lab/Model-7B}}
"""


@asynccontextmanager
async def tunnels_to(port, asked):
    """A proxy that connects whatever is asked for to a port of this machine, and notes what that was."""

    async def copy(reading, writing):
        while data := await reading.read(1 << 16):
            writing.write(data)
            await writing.drain()
        writing.close()

    async def serve(reading, writing):
        request = await reading.readuntil(b"\r\n\r\n")
        asked.append(request.split()[1].decode())
        there, to = await asyncio.open_connection("127.0.0.1", port)
        writing.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(copy(reading, to), copy(there, writing), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def planned(environment, *options):
    """What `workspace-ctrl plan` prints, in a process of its own, whose libraries read the environment when they are imported."""
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    process = await asyncio.create_subprocess_exec(*PLAN, *options, env=ours | environment, **pipes)
    output, errors = await asyncio.wait_for(process.communicate(UNKNOWN), WAIT_SECONDS)
    return process.returncode, (output + errors).decode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("hub"), "hub.example", "DNS:hub.example")


@pytest.mark.parametrize(
    ("trusts", "options", "code", "words"),
    [
        pytest.param(True, LOOPBACK, 0, "figures of the model hub: weights 15.0 GiB from the index", id="its authority is trusted"),
        pytest.param(False, LOOPBACK, 2, "certificate", id="its authority is not trusted"),
        pytest.param(True, (), 2, "it has a loopback address", id="the proxy has a special address"),
    ],
)
async def test_proxy_and_certificates_of_the_environment_are_used(certificate, trusts, options, code, words):
    asked = []
    with ModelHub(certificate) as hub:
        hub.add("some-lab/Model-7B")
        async with tunnels_to(hub.port, asked) as port:
            environment = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"} | ({"SSL_CERT_FILE": str(certificate)} if trusts else {})
            found, output = await planned(environment, *options)
    assert (found, words in output) == (code, True), output
    assert set(asked) == ({"hub.example:443"} if options else set())
