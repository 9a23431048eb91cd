"""The controller as a process of its own, as users run it, against a cluster of e2e/cluster."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from e2e.cluster import Cluster, Form, LocalCluster, MissingCapabilityError
from e2e.cluster.identity import CONTROLLER
from e2e.prepared import Running, start
from e2e.waiting import WAIT_SECONDS, until
from workspace_ctrl.settings.process import Settings

ACTOR = CONTROLLER
"""The user of the API server under whose name the controller runs, so that the audit log counts its calls alone."""

SMALL_REQUESTS = {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "1Mi"}
"""Of the stand-ins for model servers that run on this machine: it has not what the models would need."""
PROGRESS_SECONDS = Settings().progress_interval
"""Mere progress is told this often, so on a slow machine there are more status writes."""

_READS = frozenset({"get", "list", "watch"})


def command(cluster: Cluster, *arguments: str, gate: bool = True, earlier: bool = False) -> list[str]:
    """Return the controller's command line for a cluster, with the chart that the cluster has unless `arguments` name another.

    That of an `earlier` version has no options that came later.
    """
    gates = f"gatewayAPIInferenceExtension={str(gate).lower()}"
    chart = () if "--chart-url" in arguments else _chart_options(cluster)
    # From outside, and where pods are only played, no Gateway can be reached; nobody should wait until that is found out.
    probe = () if "--probe" in arguments else ("--probe", "off")
    # The clusters have the chart's policies, or the author of all Workspaces is their administrator.
    fields = () if earlier or "--restricted-fields" in arguments else ("--restricted-fields", "allow")
    plays = isinstance(cluster, LocalCluster) and cluster.form is Form.PLANE
    sizes = ",".join(f"{name}={size}" for name, size in SMALL_REQUESTS.items())
    requests = () if earlier or plays else ("--model-server-requests", sizes)
    hub = () if earlier or "--model-hub" in arguments else ("--model-hub", "off")  # no test depends on a server of others
    options = (*chart, *probe, *fields, *requests, *hub, *arguments)
    return [sys.executable, "-m", "workspace_ctrl", "run", "--feature-gates", gates, *options]


def _chart_options(cluster: Cluster) -> tuple[str, ...]:
    """Return the options that name the cluster's chart; a registry on loopback speaks plain HTTP."""
    url = cluster.chart_source_url()
    return ("--chart-url", url, *(["--chart-insecure"] if url.startswith("oci://127.0.0.1:") else []))


class ControllerProcess:
    """A running controller; use it as a context manager."""

    def __init__(
        self,
        cluster: Cluster,
        *arguments: str,
        gate: bool = True,
        kubeconfig: Path | None = None,
        inside: bool = False,
        may_fork: bool = True,
        source: Path | None = None,
    ) -> None:
        """Prepare a controller with further `arguments`, which reaches the cluster by `kubeconfig`, as its actor unless one is given.

        With `inside`, it runs where Services and pods can be reached, as it would in a pod, as far as the cluster is on this machine.
        Without `may_fork`, it is not forked from a prepared interpreter, which its memory would show. `source` is a folder with an earlier
        version of the code, which is run instead of this one.
        """
        self._inside = cluster if inside and isinstance(cluster, LocalCluster) else None
        self._may_fork = may_fork and source is None
        # Python takes the folder before what is installed, and leaves out the folder that it is started in.
        self._code = {"PYTHONPATH": str(source), "PYTHONSAFEPATH": "1"} if source is not None else {}
        self._cluster = cluster
        self._kubeconfig = kubeconfig or cluster.kubeconfig_for(ACTOR)
        self._command = command(cluster, *arguments, gate=gate, earlier=source is not None)
        self._process: Running | None = None
        self._reader: threading.Thread | None = None
        self._watching = threading.Event()
        self._audit_place = 0
        self.log: list[str] = []
        """Lines of the log so far."""

    def __enter__(self) -> Self:
        """Start the controller and wait until it watches."""
        with suppress(MissingCapabilityError):
            self._audit_place = self._cluster.audit_place()
        self._process = self._start()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._watching.wait(WAIT_SECONDS):
            self._end(signal.SIGABRT)  # Python writes down what each thread does
            raise AssertionError(f"the controller did not start within {WAIT_SECONDS} s:\n" + "\n".join(self.log))
        if not self.is_running:
            raise AssertionError(f"the controller ended with {self._process.wait()} at its start:\n" + "\n".join(self.log))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the controller; one that had ended by itself is an error."""
        if not self.is_running and error is None:
            raise AssertionError("the controller ended by itself:\n" + "\n".join(self.log))
        self.stop()
        if error is not None:
            error.add_note("log of the controller:\n" + "\n".join(self.log[-60:]))

    def _start(self) -> Running:
        if self._inside is not None:
            environment = {**os.environ, **self._inside.environment(), "KUBECONFIG": str(self._inside.inside_kubeconfig_for(ACTOR))}
        else:
            environment = {**os.environ, "KUBECONFIG": str(self._kubeconfig)}
        return start(
            self._command, {**environment, **self._code, "PYTHONFAULTHANDLER": "1"}, may_fork=self._may_fork, inside=self._inside
        )

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Id of the process."""
        if self._process is None:
            raise RuntimeError("the controller was not started")
        return self._process.pid

    def stop(self) -> int:
        """Stop the controller as the kubelet does and return its exit code."""
        return self._end(signal.SIGTERM)

    def calls(self, namespace: str | None = None) -> Counter[tuple[str, str]]:
        """Return how often the controller made which call since it was started: (verb, resource or path) → count; watches left out.

        With `namespace`, only calls on objects of that namespace; empty means those on no namespace.
        """
        events = self._cluster.audit_events(ACTOR, self._audit_place)
        return Counter(
            (event["verb"], _target(event))
            for event in events
            if event["verb"] != "watch" and namespace in {None, event.get("objectRef", {}).get("namespace", "")}
        )

    def writes(self, namespace: str) -> Counter[tuple[str, str]]:
        """Return the calls on objects of a namespace that are no reads, dry-runs included; events left out, which no pass writes."""
        calls = self.calls(namespace).items()
        return Counter({call: count for call, count in calls if call[0] not in _READS and call[1] != "events"})

    def streamed_lists(self, count: int) -> Counter[str]:
        """Return how often the controller, which must have stopped, listed which resource at the beginning of a watch.

        The audit log has a watch a moment after its end: that of at least `count` of them is waited for.
        """
        found: Counter[str] = Counter()

        def has_all() -> bool:
            events = self._cluster.audit_events(ACTOR, self._audit_place)
            found.clear()
            found.update(_target(event) for event in events if "sendInitialEvents=true" in event["requestURI"])
            return found.total() >= count

        until(has_all, f"{count} ended watches in the audit log")
        return found

    def _read(self) -> None:
        assert self._process is not None  # noqa: S101 - set before the thread starts
        assert self._process.stderr is not None  # noqa: S101 - a pipe was asked for
        for line in self._process.stderr:
            self.log.append(line.rstrip())
            if ": watching " in line:
                self._watching.set()
        self._process.wait(WAIT_SECONDS)  # a process closes its pipes before it counts as ended
        self._watching.set()

    def _end(self, signal_number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal_number)
        try:
            code = process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.send_signal(signal.SIGKILL)
            process.wait(WAIT_SECONDS)
            lines = "\n".join(self.log[-60:])
            raise AssertionError(f"the controller did not end within {WAIT_SECONDS} s:\n{lines}") from error
        if self._reader is not None:
            self._reader.join(WAIT_SECONDS)
        return code


def _target(event: dict[str, Any]) -> str:
    reference = event.get("objectRef")
    if not reference:
        return str(event["requestURI"]).partition("?")[0]
    parts = [reference["resource"], reference.get("subresource", ""), "dry-run" if "dryRun=All" in event["requestURI"] else ""]
    return "/".join(part for part in parts if part)
