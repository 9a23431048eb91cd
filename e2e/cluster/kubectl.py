"""kubectl of a cluster of this machine: one process for all commands, as the start of one for each takes more CPU time than its work.

The process is `programs/kubernetes/kubectl-server`, which consists of the code of kubectl. It is a program of the cluster like others, and
is started by the first command.
"""

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2e.cluster import unixsocket
from e2e.cluster.builder import build
from e2e.cluster.catalog import KUBERNETES
from e2e.cluster.control import Control
from e2e.cluster.errors import ClusterError
from e2e.cluster.places import ClusterPlaces
from e2e.cluster.program import Program

NAME = "kubectl-server"
ENDS_ITS_PROCESS = "auth"
"""A command of kubectl that needs a process of its own: `auth can-i` says "no" by ending it."""
_START_SECONDS = 30.0
_PAUSE = 0.02


class Kubectl:
    """Runs commands of kubectl; safe to use from several threads."""

    def __init__(self, places: ClusterPlaces, control: Control) -> None:
        self._places = places
        self._control = control
        self._started = False

    def run(self, kubeconfig: Path, arguments: Sequence[str], text: str | None) -> subprocess.CompletedProcess[str]:
        """Run a command with a kubeconfig for processes inside and `text` as its standard input; return what a process would have left.

        File names among the arguments have to be absolute.

        Raises:
            ClusterError: the process does not start, or has ended.
        """
        self._start()
        command = [f"--kubeconfig={kubeconfig}", f"--cache-dir={self._places.kubectl_cache}", *arguments]
        answer = self._ask(json.dumps({"arguments": command, "input": text}))
        return subprocess.CompletedProcess(["kubectl", *command], answer["code"], answer["stdout"], answer["stderr"])

    def _ask(self, order: str) -> dict[str, Any]:
        try:
            with unixsocket.connected(self._places.kubectl_socket, None) as connection:
                connection.sendall(order.encode())
                with connection.makefile() as reading:
                    answer: dict[str, Any] = json.loads(reading.readline())
        except (OSError, json.JSONDecodeError) as error:
            self._control.check()
            raise ClusterError(f"{NAME} of {self._places.name} did not answer: {error}") from error
        return answer

    def _start(self) -> None:
        """Start the process unless it runs, and wait until it serves."""
        if self._started:
            return
        self._control.start(Program.make(NAME, build(KUBERNETES).binary(NAME), str(self._places.kubectl_socket)))
        deadline = time.monotonic() + _START_SECONDS
        while not self._serves():
            self._control.check()
            if time.monotonic() > deadline:
                raise ClusterError(f"{NAME} of {self._places.name} does not serve")
            time.sleep(_PAUSE)
        self._started = True

    def _serves(self) -> bool:
        try:
            unixsocket.connected(self._places.kubectl_socket, None).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True
