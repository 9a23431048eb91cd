"""Where faults are tried: a Gateway of one class, two Workspaces behind it, and what can be done to them."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e import workspaces
from e2e.cluster import Cluster
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

GATEWAY = "inference-gateway"
CERTIFICATE = "inference-gateway-certificate"
PLAIN = "plain"
"""The Workspace that is asked over HTTP."""
SECURE = "secure"
"""The Workspace that is asked over HTTPS."""
PROBE_SECONDS = 5.0
"""Interval of the controller's own requests through the Gateway."""

_SIGNAL_CONTAINER = """
import os, pathlib, sys
number, containers, found = int(sys.argv[1]), sys.argv[2:], 0
for group in pathlib.Path("/proc").glob("[0-9]*/cgroup"):
    try:
        of = group.read_text()
        if any(container in of for container in containers):
            os.kill(int(group.parent.name), number)
            found += 1
    except (FileNotFoundError, ProcessLookupError):
        continue
sys.exit(not found)
"""


@dataclass(frozen=True)
class GatewayClass:
    """A class of Gateways under test."""

    name: str
    addon: str
    """Add-on of the cluster that brings it."""
    controllers: tuple[tuple[str, str], ...]
    """Namespace and name of the Deployments that serve the class."""
    proxy_selector: str
    """Labels of the pods that are the Gateway's proxy."""
    passes_the_picker: bool
    """Whether requests go on without an endpoint picker, as the pool's FailOpen asks."""
    proxy_namespace: str = ""
    """Where those pods are, if not beside the Gateway."""
    own_gateway: tuple[str, str] | None = None
    """Namespace and name of the Gateway that the class brings; where there is none, one is made."""


ISTIO = GatewayClass(
    "istio",
    "istio",
    (("istio-system", "istiod"),),
    proxy_selector=f"gateway.networking.k8s.io/gateway-name={GATEWAY}",
    passes_the_picker=True,
)
ENVOY_GATEWAY = GatewayClass(
    "envoy-gateway",
    "envoy-gateway",
    (("envoy-gateway-system", "envoy-gateway"), ("envoy-ai-gateway-system", "ai-gateway-controller")),
    proxy_selector=f"gateway.envoyproxy.io/owning-gateway-name={GATEWAY}",
    proxy_namespace="envoy-gateway-system",
    passes_the_picker=False,
)
KTHENA = GatewayClass(
    "kthena-router",
    "kthena",
    (("kthena-system", "kthena-router"),),
    proxy_selector="app.kubernetes.io/component=kthena-router",
    proxy_namespace="kthena-system",
    passes_the_picker=True,
    own_gateway=("kthena-system", "default"),
)
ADDONS = ("flux", "registry", "gateway-api", "coredns", "gpus", "endpoint-picker", "vllm")
"""Add-ons that every class needs; where controllers of two classes are installed, they write each other's statuses."""

CLASSES = {entry.name: entry for entry in (ISTIO, ENVOY_GATEWAY, KTHENA)}


@dataclass(frozen=True)
class Scene:
    """A Workspace that serves, and the hands to break what it stands on."""

    cluster: Cluster
    namespace: str
    gateway_class: GatewayClass

    def kubectl(self, *arguments: str, document: dict[str, Any] | None = None) -> str:
        """Run kubectl in the namespace, as the user."""
        given = json.dumps(document) if document else None
        return self.cluster.kubectl(*arguments, "-n", self.namespace, actor="user", input=given)

    def apply(self, *documents: dict[str, Any]) -> None:
        """Apply objects, as the user."""
        workspaces.apply(self.cluster, self.namespace, *documents)

    def picker(self, workspace: str) -> str:
        """Name of the endpoint picker's Deployment and Service."""
        return f"{workspace}-inferencepool-epp"

    def containers(self, selector: str, namespace: str = "") -> list[str]:
        """Return the ids of the running containers of the pods with some labels, of this namespace or another."""
        pods = workspaces.items(self.cluster, namespace or self.namespace, "pod", selector)
        statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", [])]
        return [status["containerID"].partition("://")[2] for status in statuses if "running" in status["state"]]

    def signal(self, number: int, containers: Sequence[str]) -> None:
        """Send a signal to all processes of some containers."""
        result = self.cluster.run(["python3", "-c", _SIGNAL_CONTAINER, str(int(number)), *containers])
        if result.returncode:
            raise AssertionError(f"no process of the containers {', '.join(containers)} was found: {result.stderr}")

    def addresses(self, selector: str) -> list[str]:
        """Return the addresses of the pods with some labels."""
        return [pod["status"]["podIP"] for pod in workspaces.items(self.cluster, self.namespace, "pod", selector)]

    def nft(self, rules: str) -> None:
        """Change the node's packet filter."""
        result = self.cluster.run(["nft", "-f", "-"], input=rules)
        if result.returncode:
            raise AssertionError(f"nft: {result.stderr}")

    def model_pods(self, workspace: str) -> str:
        """Return the selector of a Workspace's model pods."""
        return f"kaito.sh/workspace={workspace}"

    def proxy_containers(self) -> list[str]:
        """Return the ids of the running containers of the Gateway's proxy."""
        return self.containers(self.gateway_class.proxy_selector, self.gateway_class.proxy_namespace)

    def stop_controllers(self) -> None:
        """Scale to 0 what serves the class, and wait until it is gone."""
        for place, name in self._controllers():
            self.cluster.kubectl("scale", f"deployment/{name}", "--replicas=0", *place)
        for place, name in self._controllers():
            self.cluster.kubectl("rollout", "status", f"deployment/{name}", KUBECTL_TIMEOUT, *place)

    def start_controllers(self) -> None:
        """Scale to 1 what serves the class, and wait until it is ready."""
        for place, name in self._controllers():
            self.cluster.kubectl("scale", f"deployment/{name}", "--replicas=1", *place)
        for place, name in self._controllers():
            self.cluster.kubectl("rollout", "status", f"deployment/{name}", KUBECTL_TIMEOUT, *place)

    def _controllers(self) -> Iterator[tuple[tuple[str, str], str]]:
        for namespace, name in self.gateway_class.controllers:
            yield ("-n", namespace), name


@contextmanager
def scene(cluster: Cluster, namespace: str, gateway_class: GatewayClass) -> Iterator[Scene]:
    """Make the Gateway and the Workspaces, and run the controller; take the Workspaces away while it still runs."""
    prepared = Scene(cluster, namespace, gateway_class)
    documents = {PLAIN: workspaces.workspace(PLAIN)}
    if gateway_class.own_gateway is None:
        with tempfile.TemporaryDirectory() as folder:
            _make_certificate(prepared, Path(folder))
        prepared.apply(gateway(gateway_class.name))
        secure = {"parentRefs": [{"name": GATEWAY, "namespace": namespace, "sectionName": "https"}]}
        documents[SECURE] = workspaces.workspace(SECURE, gateway=secure)
    probing = ("--probe", "models", "--probe-interval", f"{PROBE_SECONDS:g}")
    attached = "/".join(gateway_class.own_gateway or (namespace, GATEWAY))
    with ControllerProcess(cluster, "--gateway", attached, *probing, inside=True):
        prepared.apply(*documents.values())
        for name in documents:
            workspaces.wait_ready(cluster, namespace, name)
        yield prepared
        prepared.kubectl("delete", "workspace", *documents, KUBECTL_TIMEOUT)


def gateway(class_name: str, port: int = 80) -> dict[str, Any]:
    """Return the Gateway, with a listener for each scheme."""
    document = workspaces.gateway(GATEWAY, class_name)
    plain = document["spec"]["listeners"][0]
    plain["port"] = port
    tls = {"mode": "Terminate", "certificateRefs": [{"name": CERTIFICATE}]}
    document["spec"]["listeners"].append({**plain, "name": "https", "protocol": "HTTPS", "port": 443, "tls": tls})
    return document


def _make_certificate(prepared: Scene, folder: Path) -> None:
    key, certificate = folder / "tls.key", folder / "tls.crt"
    subject = ["-subj", "/CN=inference-gateway", "-addext", "subjectAltName=DNS:inference-gateway"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    prepared.kubectl("create", "secret", "tls", CERTIFICATE, f"--cert={certificate}", f"--key={key}")
