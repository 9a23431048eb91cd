"""Any other cluster (kind, a cloud's, ...) behind the same interface, by way of kubectl.

Chosen with WORKSPACE_CTRL_E2E=external and KUBECONFIG. What only the machine of a local cluster can do is refused by
name, so a test can skip on it.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from e2e.cluster.errors import ClusterError, MissingCapabilityError
from e2e.cluster.forms import Form
from e2e.cluster.protocol import RUN_SECONDS, Cluster, Stream

SWITCH = "WORKSPACE_CTRL_E2E"
HELPER_IMAGE = "docker.io/library/python:3.13-slim"
HELPER_NAMESPACE = "workspace-ctrl-e2e"
HELPER = "helper"
GPU = "nvidia.com/gpu"

ADDON_KINDS = {
    "flux": "helmreleases.helm.toolkit.fluxcd.io",
    "gateway-api": "inferencepools.inference.networking.k8s.io",
    "istio": "destinationrules.networking.istio.io",
}
"""Add-ons that are recognised, each by a CRD that comes with it."""


def wanted() -> bool:
    """Say whether the environment asks for an external cluster."""
    return os.environ.get(SWITCH) == "external"


class ExternalCluster(Cluster):
    """A cluster that somebody else runs."""

    form = Form.FULL

    def __init__(self) -> None:
        config = os.environ.get("KUBECONFIG")
        if not config:
            raise ClusterError(f"{SWITCH}=external needs KUBECONFIG")
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            raise ClusterError(f"{SWITCH}=external needs kubectl on PATH")
        self.name = "external"
        self._config = Path(config)
        self._kubectl = kubectl

    @property
    def addons(self) -> frozenset[str]:
        """The add-ons whose CRDs are there."""
        listed = self.kubectl("get", "customresourcedefinitions", "--output=name")
        return frozenset(name for name, crd in ADDON_KINDS.items() if crd in listed)

    @property
    def gpu_node_name(self) -> str:
        """The first node that offers GPUs."""
        nodes = json.loads(self.kubectl("get", "nodes", "--output=json"))["items"]
        names = [str(node["metadata"]["name"]) for node in nodes if int(node["status"]["allocatable"].get(GPU, "0"))]
        if not names:
            self._refuse("nodes with GPUs")
        return names[0]

    def kubeconfig_for(self, actor: str) -> Path:
        """Return the only kubeconfig there is; actors are the same person here."""
        del actor
        return self._config

    def inside_kubeconfig_for(self, actor: str) -> Path:
        """Refuse: the helper pod has a service account instead."""
        del actor
        self._refuse("a kubeconfig for processes inside")

    def audit_events(self, user: str, since: int = 0) -> list[dict[str, Any]]:
        """Refuse: the audit log is out of reach."""
        del user, since
        self._refuse("an audit log")

    def audit_events_with(self, text: str, since: int = 0) -> list[dict[str, Any]]:
        """Refuse: the audit log is out of reach."""
        del text, since
        self._refuse("an audit log")

    def audit_place(self) -> int:
        """Refuse: the audit log is out of reach."""
        self._refuse("an audit log")

    def chart_source_url(self, chart: str = "inferencepool") -> str:
        """Return the place of the charts that the environment names."""
        prefix = os.environ.get("WORKSPACE_CTRL_E2E_CHARTS")
        if not prefix:
            self._refuse("a chart registry (name one in WORKSPACE_CTRL_E2E_CHARTS)")
        return f"{prefix}/{chart}"

    def kubectl_command(self, actor: str) -> list[str]:
        """Return the beginning of a kubectl command line."""
        return [self._kubectl, f"--kubeconfig={self.kubeconfig_for(actor)}"]

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002
        timeout: float = RUN_SECONDS,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the helper pod."""
        command = self._exec(argv, env)
        return subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout, check=False)

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
    ) -> subprocess.Popen[str]:
        """Start a command in the helper pod."""
        return subprocess.Popen(self._exec(argv, env), stdin=stdin, stdout=stdout, stderr=stderr, text=True)

    def logs(self, program: str) -> str:
        """Refuse: the cluster's own programs are out of reach."""
        self._refuse(f"the log of {program}")

    def stop_program(self, name: str) -> None:
        """Refuse: the cluster's own programs are out of reach."""
        self._refuse(f"stopping {name}")

    def start_program(self, name: str) -> None:
        """Refuse: the cluster's own programs are out of reach."""
        self._refuse(f"starting {name}")

    def _exec(self, argv: Sequence[str], env: Mapping[str, str] | None) -> list[str]:
        self._ensure_helper()
        variables = [f"{key}={value}" for key, value in (env or {}).items()]
        target = ["exec", "--stdin", f"--namespace={HELPER_NAMESPACE}", HELPER, "--", "env", *variables]
        return [*self.kubectl_command("admin"), *target, *argv]

    def _ensure_helper(self) -> None:
        where = f"--namespace={HELPER_NAMESPACE}"
        if self.kubectl("get", "pod", HELPER, where, "--ignore-not-found", "--output=name"):
            return
        self.kubectl("create", "namespace", HELPER_NAMESPACE, check=False)
        image = os.environ.get("WORKSPACE_CTRL_E2E_IMAGE", HELPER_IMAGE)
        self.kubectl("run", HELPER, where, f"--image={image}", "--command", "--", "sleep", "infinity")
        self.kubectl("wait", "--for=condition=Ready", f"pod/{HELPER}", where, "--timeout=120s")

    def _refuse(self, what: str) -> NoReturn:
        raise MissingCapabilityError(f"an external cluster does not offer {what}")
