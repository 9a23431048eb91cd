"""What tests may ask of a cluster, whichever kind it is."""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form

RUN_SECONDS = 120.0
Stream = int | IO[Any] | None


class Cluster(ABC):
    """A running cluster."""

    name: str
    form: Form

    @property
    @abstractmethod
    def addons(self) -> frozenset[str]:
        """The installed add-ons."""

    @property
    @abstractmethod
    def gpu_node_name(self) -> str:
        """A node that offers `nvidia.com/gpu`."""

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig for processes of the host."""
        return self.kubeconfig_for("admin")

    @property
    def inside_kubeconfig(self) -> Path:
        """The admin's kubeconfig for processes started with `run` and `popen`."""
        return self.inside_kubeconfig_for("admin")

    @abstractmethod
    def kubeconfig_for(self, actor: str) -> Path:
        """Return an actor's kubeconfig for processes of the host."""

    @abstractmethod
    def inside_kubeconfig_for(self, actor: str) -> Path:
        """Return an actor's kubeconfig for processes started with `run` and `popen`."""

    @abstractmethod
    def audit_events(self, user: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the audit log's events of a user from the place `since` on, oldest first: one per finished API call."""

    @abstractmethod
    def audit_events_with(self, text: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the audit log's events of everybody whose line of JSON contains `text`, from the place `since` on, oldest first."""

    @abstractmethod
    def audit_place(self) -> int:
        """Return the place where the audit log ends now."""

    @abstractmethod
    def chart_source_url(self, chart: str = "inferencepool") -> str:
        """Return the URL for an OCIRepository (with `insecure: true`) of a chart."""

    @abstractmethod
    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - named as in subprocess
        timeout: float = RUN_SECONDS,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command where Services, pods and cluster names are reachable, and return its output."""

    @abstractmethod
    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
    ) -> subprocess.Popen[str]:
        """Start a command where Services, pods and cluster names are reachable; streams are those of Popen."""

    @abstractmethod
    def logs(self, program: str) -> str:
        """Return the log of one of the cluster's own programs."""

    @abstractmethod
    def stop_program(self, name: str) -> None:
        """Stop one of the cluster's own programs, to see what its absence does."""

    @abstractmethod
    def start_program(self, name: str) -> None:
        """Start a program again that was stopped."""

    @abstractmethod
    def kubectl_command(self, actor: str) -> list[str]:
        """Return the beginning of a kubectl command line."""

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - named as in subprocess
        check: bool = True,
        actor: str = "admin",
    ) -> str:
        """Run kubectl as an actor and return what it printed; raise with its error message if `check`."""
        result = self.kubectl_result(*arguments, input=input, actor=actor)
        if check and result.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def kubectl_result(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - named as in subprocess
        actor: str = "admin",
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an actor and return also its exit code, and what it printed to standard error."""
        command = [*self.kubectl_command(actor), *arguments]
        return subprocess.run(command, input=input, capture_output=True, text=True, check=False)
