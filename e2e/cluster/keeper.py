"""The host's side of a cluster: `python -m e2e.cluster.background keeper NAME`, started once per cluster.

Guarantees:
  * the cluster lives exactly as long as this process and the supervisor both do;
  * when the supervisor ends, however it ends, folder and control groups of the cluster go away;
  * as long as the start is not confirmed, the end of the starting process ends the cluster;
  * in the full form, a loopback port of the host leads to the API server inside.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from e2e.cluster import identity, remains
from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form
from e2e.cluster.places import HOST, INSIDE, PYTHON, REPOSITORY, ClusterPlaces
from e2e.cluster.processes import ProcessId, adopt_orphans, await_children, children
from e2e.cluster.program import tail, write_json
from e2e.cluster.relay import Relay
from e2e.cluster.settings import Settings

CONFIRMED = b"!"
START_SECONDS = 60.0
"""Less than a second is usual; a machine on which several clusters start at once may need long."""
NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--")
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


def launch(places: ClusterPlaces, lifeline: int) -> None:
    """Start a keeper in the background and wait until it serves.

    It watches the reading end of the pipe `lifeline`. What it has to say about a start that failed comes through its
    standard output, which it closes once the start is decided.
    """
    with places.log("keeper").open("ab") as log:
        result = subprocess.run(
            [PYTHON, "-m", "e2e.cluster.background", "keeper", places.name],
            stdin=lifeline,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=REPOSITORY,
            start_new_session=True,
            check=True,
        )
    if result.stdout:
        raise ClusterError(result.stdout.decode())


def main(name: str) -> None:
    """Leave the starting process behind and keep the cluster."""
    if os.fork():
        os._exit(0)
    os.setsid()
    adopt_orphans()
    places = ClusterPlaces(name)
    settings = Settings.load(places)
    child = _start_supervisor(settings)
    try:
        supervisor = _supervisor_of(child, places, settings)
        asyncio.run(_keep(settings, places, supervisor))
    except ClusterError as error:
        print(f"{error}:\n{tail(places.log('keeper'))}", flush=True)
    finally:
        child.kill()
        child.wait()
        await_children()
        remains.remove(places)


def _say_nothing_more() -> None:
    """Close the standard output, for whose end the starting process waits."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _start_supervisor(settings: Settings) -> subprocess.Popen[bytes]:
    inner = (str(PYTHON), "-m", "e2e.cluster.background", "supervisor", settings.name)
    namespaces = NAMESPACES if settings.form is Form.FULL else ()
    return subprocess.Popen([*DIES_WITH_US, *namespaces, *inner], stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _supervisor_of(child: subprocess.Popen[bytes], places: ClusterPlaces, settings: Settings) -> ProcessId:
    deadline = time.monotonic() + START_SECONDS
    while not places.control_socket.exists():
        if child.poll() is not None:
            raise ClusterError(f"the supervisor ended with code {child.returncode}")
        if time.monotonic() > deadline:
            raise ClusterError(f"the supervisor did not serve within {START_SECONDS:.0f} s")
        time.sleep(0.01)
    return ProcessId.of(children(child.pid)[0] if settings.form is Form.FULL else child.pid)


async def _keep(settings: Settings, places: ClusterPlaces, supervisor: ProcessId) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.add_reader(handle := os.pidfd_open(supervisor.pid), end.set)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, handle)
        server = settings.api_url
        if settings.form is Form.FULL:
            network = stack.enter_context(ThreadPoolExecutor(max_workers=1))
            relay = await Relay.open(supervisor.pid, settings.ports["api"], network)
            server = f"https://127.0.0.1:{relay.port}"
        identity.write_kubeconfigs(places, HOST, server)
        identity.write_kubeconfigs(places, INSIDE, settings.api_url)
        watch = asyncio.ensure_future(_until_start_fails(end))
        identities = {"keeper": ProcessId.of(os.getpid()), "supervisor": supervisor}
        write_json(places.keeper, {name: vars(process) for name, process in identities.items()})
        _say_nothing_more()
        await end.wait()
        watch.cancel()


async def _until_start_fails(end: asyncio.Event) -> None:
    """End the cluster when the starting process is gone before it has confirmed the start."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe = Path("/dev/stdin").open("rb", buffering=0)  # noqa: ASYNC230, SIM115 - a pipe, closed with its transport
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    if await reader.read(1) != CONFIRMED:
        end.set()
    transport.close()
