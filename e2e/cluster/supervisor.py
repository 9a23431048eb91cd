"""The process under which all programs of a cluster run: `python -m e2e.cluster.background supervisor NAME`.

Guarantees:
  * it starts and stops programs on request over a Unix socket and knows at any time what became of each;
  * when it ends, however it ends, every program ends: in the full form it is pid 1 of a pid namespace, in the plane
    form the kernel sends each child a SIGKILL when the parent dies;
  * it reaps orphans, as pid 1 has to.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from typing import Any

from e2e.cluster import isolation, unixsocket
from e2e.cluster.forms import Form
from e2e.cluster.places import ClusterPlaces
from e2e.cluster.program import Program, State
from e2e.cluster.settings import Settings

LINE_LIMIT = 1 << 20
RESTART_SECONDS = 1.0
STOP_SECONDS = 10.0
CORES = "WORKSPACE_CTRL_GOMAXPROCS"
"""What GOMAXPROCS is for all programs of a cluster, where it has no value of its own; not for what compiles them."""


class Supervisor:
    """Programs by name, and the orders that change them."""

    def __init__(self, places: ClusterPlaces) -> None:
        self._places = places
        self._specs: dict[str, Program] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._states: dict[str, State] = {}
        self._ended = asyncio.Event()

    async def serve(self) -> None:
        """Take orders until told to end."""
        loop = asyncio.get_running_loop()
        end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end.set)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        with unixsocket.listening(self._places.control_socket) as listener:
            server = await asyncio.start_unix_server(self._converse, sock=listener, limit=LINE_LIMIT)
            async with server:
                await end.wait()
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                try:
                    answer = await self._obey(json.loads(line))
                except (OSError, KeyError, ValueError) as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _obey(self, order: dict[str, Any]) -> dict[str, Any]:
        match order["do"]:
            case "start":
                self._start(Program.from_json(order["program"]))
            case "restart":
                self._start(self._specs[order["name"]])
            case "stop":
                await self._stop(order["name"])
            case "kill":
                await self._kill(order["name"])
            case "status":
                pass
            case unknown:
                raise ValueError(f"unknown order {unknown}")
        return {"programs": self._status()}

    def _start(self, program: Program) -> None:
        if self._states.get(program.name) is State.RUNNING:
            return
        with self._places.log(program.name).open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *program.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(program),
                cwd=self._places.data,
                start_new_session=True,
            )
        self._specs[program.name] = program
        self._processes[program.name] = process
        self._states[program.name] = State.RUNNING

    def _died(self, program: Program) -> None:
        self._states[program.name] = State.STOPPED if program.restarts else State.DIED
        if program.restarts:
            asyncio.get_running_loop().call_later(RESTART_SECONDS, self._start, program)

    async def _stop(self, name: str) -> None:
        process = self._processes[name]
        if self._states[name] is not State.RUNNING:
            return
        self._states[name] = State.STOPPED
        process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._until_ended(process)
        if process.returncode is None:
            process.kill()
            await self._until_ended(process)

    async def _kill(self, name: str) -> None:
        if self._states[name] is State.RUNNING:
            self._states[name] = State.STOPPED
            self._processes[name].kill()
            await self._until_ended(self._processes[name])

    async def _until_ended(self, process: subprocess.Popen[bytes]) -> None:
        while process.returncode is None:
            self._ended.clear()
            await self._ended.wait()

    def _status(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "state": self._states[name], "pid": process.pid, "code": process.returncode or 0}
            for name, process in self._processes.items()
        ]

    def _reap(self) -> None:
        """Collect every ended child; `Popen` is told of its own, because waiting for any child takes them from it."""
        by_pid = {process.pid: name for name, process in self._processes.items() if process.returncode is None}
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                if name := by_pid.get(pid):
                    self._processes[name].returncode = os.waitstatus_to_exitcode(status)
                    if self._states[name] is State.RUNNING:
                        self._died(self._specs[name])
        self._ended.set()


def environment(program: Program) -> dict[str, str]:
    """Return the environment that a program is started with: ours, with its own."""
    cores = {"GOMAXPROCS": os.environ[CORES]} if CORES in os.environ else {}
    return {**cores, **os.environ, **program.env}


def main(name: str) -> None:
    """Set up the inside and serve."""
    places = ClusterPlaces(name)
    if Settings.load(places).form is Form.FULL:
        isolation.enter(places)
    asyncio.run(Supervisor(places).serve())
