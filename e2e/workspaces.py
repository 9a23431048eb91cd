"""Workspaces as a user handles them: apply, wait, look."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import chain, islice
from typing import Any

import yaml

from e2e.cluster import Cluster, ClusterError
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS, until
from workspace_ctrl.api.crd import KINDS, crd
from workspace_ctrl.api.labels import GROUP, PLURAL, SET_PLURAL


def apply(cluster: Cluster, namespace: str, *objects: dict[str, Any]) -> str:
    """Apply objects to a namespace with kubectl, as the user."""
    return cluster.kubectl("apply", "-n", namespace, "-f", "-", input="\n---\n".join(map(json.dumps, objects)), actor="user")


def apply_server_side(cluster: Cluster, namespace: str, document: dict[str, Any]) -> str:
    """Apply an object that is too large for the annotation that kubectl keeps otherwise."""
    return cluster.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", input=json.dumps(document), actor="user")


def workspace(name: str = "phi", **fields: Any) -> dict[str, Any]:
    """Return a Workspace of the quickstart's shape; `fields` replace top-level fields, None removes one."""
    document: dict[str, Any] = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": name},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi-4-mini"}}},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
        **fields,
    }
    return {key: value for key, value in document.items() if value is not None}


def inference_set(name: str = "phi", **fields: Any) -> dict[str, Any]:
    """Return an InferenceSet of the same model; `fields` replace fields of its spec, None removes one."""
    one = workspace(name)
    spec = {
        "labelSelector": one["resource"]["labelSelector"],
        "template": {"resource": {"instanceType": one["resource"]["instanceType"]}, "inference": one["inference"]},
        **fields,
    }
    kept = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": {"name": name}, "spec": kept}


def gateway(name: str = "inference-gateway", class_name: str = "istio") -> dict[str, Any]:
    """Return a Gateway with one HTTP listener that admits every namespace."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "annotations": {"networking.istio.io/service-type": "ClusterIP"}},
        "spec": {
            "gatewayClassName": class_name,
            "listeners": [{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}],
        },
    }


def played_gateway(name: str = "inference-gateway") -> list[dict[str, Any]]:
    """Return a Gateway with the Service and the endpoint that Istio's proxy would have, for clusters where pods do not run."""
    service = f"{name}-istio"
    return [
        gateway(name),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service}, "spec": {"ports": [{"name": "http", "port": 80}]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["192.0.2.10"], "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
    ]


def behind(name: str, namespace: str) -> dict[str, Any]:
    """Return the `gateway` field that names a Gateway."""
    return {"parentRefs": [{"name": name, "namespace": namespace}]}


def destination_rule(picker: str) -> dict[str, Any]:
    """Return the DestinationRule by which users of KAITO have Istio accept the self-signed certificate of an endpoint picker's Service."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": picker},
        "spec": {"host": picker, "trafficPolicy": {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}},
    }


def get(cluster: Cluster, namespace: str, kind: str, name: str) -> dict[str, Any]:
    """Return an object as JSON."""
    document: dict[str, Any] = json.loads(cluster.kubectl("get", kind, name, "-n", namespace, "-o", "json"))
    return document


def items(cluster: Cluster, namespace: str, kinds: str, selector: str = "") -> list[dict[str, Any]]:
    """Return the objects of some kinds as JSON."""
    selection = ("-l", selector) if selector else ()
    document = json.loads(cluster.kubectl("get", kinds, "-n", namespace, *selection, "-o", "json"))
    listed: list[dict[str, Any]] = document["items"]
    return listed


def command_of(cluster: Cluster, namespace: str, kind: str, name: str) -> list[str]:
    """Return the command of the first container of a workload."""
    command: list[str] = get(cluster, namespace, kind, name)["spec"]["template"]["spec"]["containers"][0]["command"]
    return command


def condition(cluster: Cluster, namespace: str, name: str, type_: str, *, kind: str = "workspace") -> dict[str, Any]:
    """Return a condition of a Workspace, or of another kind; empty where it is not there."""
    return _condition(get(cluster, namespace, kind, name), type_)


def _condition(document: dict[str, Any], type_: str) -> dict[str, Any]:
    return next((entry for entry in document.get("status", {}).get("conditions", []) if entry["type"] == type_), {})


def wait_ready(
    cluster: Cluster,
    namespace: str,
    name: str,
    type_: str = "GatewayReady",
    seconds: int = WAIT_SECONDS,
    *,
    kind: str = "workspace",
) -> None:
    """Wait until a condition of a Workspace, or of another kind, is True.

    Raises:
        ClusterError: it did not in `seconds`; the message has the conditions that are not True.
    """
    try:
        cluster.kubectl("wait", f"{kind}/{name}", "-n", namespace, f"--for=condition={type_}", f"--timeout={seconds}s")
    except ClusterError as error:
        conditions = get(cluster, namespace, kind, name).get("status", {}).get("conditions", [])
        told = [f"{entry['type']}: {entry['reason']}: {entry['message']}" for entry in conditions if entry["status"] != "True"]
        raise ClusterError("\n".join([str(error), *told])) from error


def wait_reason(
    cluster: Cluster, namespace: str, name: str, type_: str, reason: str, *, seconds: int = WAIT_SECONDS, kind: str = "workspace"
) -> dict[str, Any]:
    """Wait until a condition of a Workspace, or of another kind, has a reason, and return the condition as it is then."""
    path = f'jsonpath={{.status.conditions[?(@.type=="{type_}")].reason}}={reason}'
    wait = ("wait", f"{kind}/{name}", "-n", namespace, f"--for={path}", f"--timeout={seconds}s", "-o", "json")
    return _condition(json.loads(cluster.kubectl(*wait)), type_)


def wait_message(cluster: Cluster, namespace: str, name: str, type_: str, words: str, *, kind: str = "workspace") -> dict[str, Any]:
    """Wait until the message of a condition of a Workspace, or of another kind, contains `words`, and return the condition."""
    found: dict[str, Any] = {}

    def has_words() -> bool:
        found.update(condition(cluster, namespace, name, type_, kind=kind))
        return words in found.get("message", "")

    until(has_words, f"{type_} to say: {words}")
    return found


@contextmanager
def programmed_gateway(cluster: Cluster, namespace: str, class_name: str = "istio") -> Iterator[dict[str, Any]]:
    """Have a Gateway in the namespace until the end of the block; yields the `gateway` field that names it, once it is programmed."""
    name = "inference-gateway"
    apply(cluster, namespace, gateway(name, class_name))
    cluster.kubectl("wait", f"gateway/{name}", "-n", namespace, "--for=condition=Programmed", KUBECTL_TIMEOUT)
    yield behind(name, namespace)
    cluster.kubectl("delete", "gateway", name, "-n", namespace)


@contextmanager
def followed(cluster: Cluster, namespace: str, plural: str, template: str) -> Iterator[Iterator[str]]:
    """Watch the objects of a kind from now on; yields what JSONPath makes of each event, also of a state of a moment.

    Where there are objects, it has begun to watch when the block does: a program may take seconds to start, and miss a state meanwhile.
    """
    path = f'jsonpath={template}{{"\\n"}}'
    command = [*cluster.kubectl_command("admin"), "get", plural, "-n", namespace, "--watch", "-o", path]
    some = bool(cluster.kubectl("get", plural, "-n", namespace, "-o", "name"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = (line.strip() for line in process.stdout or ())
            yield chain(list(islice(lines, int(some))), lines)
        finally:
            process.terminate()


def statuses(cluster: Cluster, namespace: str, plural: str, type_: str) -> AbstractContextManager[Iterator[str]]:
    """Watch the objects of a kind from now on; yields the status of a condition in each event."""
    return followed(cluster, namespace, plural, f'{{.status.conditions[?(@.type=="{type_}")].status}}')


def wait_gone(cluster: Cluster, namespace: str, kind: str, name: str, seconds: int = WAIT_SECONDS) -> None:
    """Wait until an object is gone."""
    cluster.kubectl("wait", f"{kind}/{name}", "-n", namespace, "--for=delete", f"--timeout={seconds}s")


def install_crd(cluster: Cluster) -> None:
    """Install the CRDs as the README says."""
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all([crd(kind) for kind in KINDS]))
    for plural in (PLURAL, SET_PLURAL):
        wait_served(cluster, f"{plural}.{GROUP}")


def wait_served(cluster: Cluster, name: str) -> None:
    """Wait until the kind of a CRD can be used, in all versions that it has: that is a moment after the CRD is established.

    The API server is asked by paths, because kubectl would keep what it has learnt of a kind that a test changes later.
    """

    def answers(path: str, words: str) -> bool:
        result = cluster.kubectl_result("get", "--raw", path)
        return result.returncode == 0 and words in result.stdout

    def is_served() -> bool:
        spec = json.loads(cluster.kubectl("get", "crd", name, "-o", "json"))["spec"]
        group, kind, plural = spec["group"], spec["names"]["kind"], spec["names"]["plural"]
        versions = [f"/apis/{group}/{version['name']}" for version in spec["versions"] if version["served"]]
        return all(answers(path, f'"{kind}"') and answers(f"{path}/{plural}?limit=1", "items") for path in versions)

    until(is_served, f"CustomResourceDefinition {name} to be served")
