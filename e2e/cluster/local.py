"""A cluster of this machine, in either form."""

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e.cluster import remains
from e2e.cluster.audit_log import AuditLog
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX, KUBERNETES
from e2e.cluster.control import Control
from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form
from e2e.cluster.kubectl import ENDS_ITS_PROCESS, Kubectl
from e2e.cluster.places import HOST, INSIDE, ClusterPlaces
from e2e.cluster.processes import ProcessId
from e2e.cluster.program import write_json
from e2e.cluster.protocol import RUN_SECONDS, Cluster, Stream
from e2e.cluster.running import is_running
from e2e.cluster.settings import Settings

END_SECONDS = 20.0


class LocalCluster(Cluster):
    """A cluster whose programs this machine runs; made by `connect` and `up`."""

    def __init__(self, places: ClusterPlaces, settings: Settings, keeper: ProcessId, supervisor: ProcessId) -> None:
        self.name = settings.name
        self.form = settings.form
        self.places = places
        self.settings = settings
        self.keeper = keeper
        self.supervisor = supervisor
        self.control = Control(places)
        self._kubectl = Kubectl(places, self.control)
        self._audit_log = AuditLog(places.audit_log)

    @classmethod
    def attach(cls, name: str) -> "LocalCluster":
        """Return a running cluster."""
        places = ClusterPlaces(name)
        if not is_running(name):
            raise ClusterError(f"no cluster named {name} is running; start it with: up --name {name}")
        ids = json.loads(places.keeper.read_text())
        keeper, supervisor = (ProcessId.from_json(ids[key]) for key in ("keeper", "supervisor"))
        return cls(places, Settings.load(places), keeper, supervisor)

    @property
    def addons(self) -> frozenset[str]:
        """The installed add-ons."""
        return frozenset(json.loads(self.places.addons.read_text())) if self.places.addons.exists() else frozenset()

    def add_addon(self, name: str) -> None:
        """Note that an add-on is installed."""
        write_json(self.places.addons, sorted(self.addons | {name}))

    @property
    def gpu_node_name(self) -> str:
        """The node that the add-on `gpus` gives its accelerators."""
        return self.settings.node_name

    def kubeconfig_for(self, actor: str) -> Path:
        """Return an actor's kubeconfig for processes of the host."""
        return self._kubeconfig(actor, HOST)

    def inside_kubeconfig_for(self, actor: str) -> Path:
        """Return an actor's kubeconfig for processes started with `run` and `popen`."""
        return self._kubeconfig(actor, INSIDE)

    def _kubeconfig(self, actor: str, where: str) -> Path:
        path = self.places.kubeconfig(actor, where)
        if not path.exists():
            raise ClusterError(f"nobody is called {actor} in cluster {self.name}")
        return path

    def audit_events(self, user: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the audit log's events of a user from the place `since` on, oldest first."""
        calls = self._audit_log.finished_calls(f'"username":"{user}"', since)
        return [event for event in calls if event["user"]["username"] == user]

    def audit_events_with(self, text: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the audit log's events whose line contains `text`, from the place `since` on, oldest first."""
        return self._audit_log.finished_calls(text, since)

    def audit_place(self) -> int:
        """Return the place where the audit log ends now."""
        return self.places.audit_log.stat().st_size if self.places.audit_log.exists() else 0

    def chart_source_url(self, chart: str = "inferencepool") -> str:
        """Return the URL of a chart in the cluster's own registry."""
        return f"oci://{self.settings.registry}/charts/{chart}"

    def kubectl_command(self, actor: str) -> list[str]:
        """Return the beginning of a kubectl command line for the host."""
        options = [f"--kubeconfig={self.kubeconfig_for(actor)}", f"--cache-dir={self.places.kubectl_cache}"]
        return [str(build(KUBERNETES).binary("kubectl")), *options]

    def kubectl_result(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002
        actor: str = "admin",
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an actor, without a process of its own unless it has to be; file names have to be absolute."""
        if ENDS_ITS_PROCESS in arguments:
            return super().kubectl_result(*arguments, input=input, actor=actor)
        return self._kubectl.run(self.inside_kubeconfig_for(actor), arguments, input)

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002
        timeout: float = RUN_SECONDS,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the cluster's network and return its output."""
        pipe = subprocess.PIPE
        stdin = subprocess.DEVNULL if input is None else pipe
        with self.popen(argv, env=env, stdin=stdin, stdout=pipe, stderr=pipe) as process:
            try:
                out, err = process.communicate(input, timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
    ) -> subprocess.Popen[str]:
        """Start a command in the cluster's network; it dies with the returned process."""
        environment = {**os.environ, **self.environment(), **(env or {})}
        command = [*self.entry_command(), *argv]
        return subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, text=True)

    def entry_command(self) -> list[str]:
        """Return the beginning of a command line that leads inside; the command ends with its caller."""
        if self.form is Form.PLANE:
            return []
        namespaces = [f"--target={self.supervisor.pid}", "--net", "--mount", "--pid", f"--wd={Path.cwd()}"]
        return ["nsenter", *namespaces, "--", "setpriv", "--pdeathsig", "KILL", "--"]

    def environment(self) -> dict[str, str]:
        """Return what a process inside needs to know."""
        tools = [str(build(folder).binary("x").parent) for folder in (KUBERNETES, FLUX)]
        return {"KUBECONFIG": str(self.inside_kubeconfig), "PATH": ":".join([*tools, os.environ.get("PATH", "")])}

    def logs(self, program: str) -> str:
        """Return the whole log of a program."""
        path = self.places.log(program)
        if not path.exists():
            known = ", ".join(sorted(log.stem for log in self.places.logs.glob("*.log")))
            raise ClusterError(f"there is no log of {program}; there are: {known}")
        return path.read_text(errors="replace")

    def stop_program(self, name: str) -> None:
        """Stop a program."""
        self.control.stop(name)

    def kill_program(self, name: str) -> None:
        """End a program at once, as if it had crashed."""
        self.control.kill(name)

    def start_program(self, name: str) -> None:
        """Start a program again."""
        self.control.restart(name)

    def end(self) -> None:
        """End every process of the cluster and wait until nothing is left of it."""
        self.supervisor.kill()
        if not self.keeper.gone_within(END_SECONDS):
            self.keeper.kill()
        sweep(self.name)


def sweep(name: str) -> None:
    """Remove what a cluster has left whose keeper or supervisor is gone; its processes went with them."""
    places = ClusterPlaces(name)
    with contextlib.suppress(FileNotFoundError):
        for value in json.loads(places.keeper.read_text()).values():
            process = ProcessId.from_json(value)
            process.kill()
            process.gone_within(END_SECONDS)
    remains.remove(places)
