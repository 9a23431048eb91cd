"""Objects that several tests apply, and waiting for what they bring about."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from e2e.cluster import Cluster
from e2e.cluster.images import VLLM_IMAGE
from e2e.waiting import WAIT_SECONDS

POLL_SECONDS = 0.2
SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}}
GATEWAY_API = "gateway.networking.k8s.io/v1"

Object = dict[str, Any]
T = TypeVar("T")


def eventually(ask: Callable[[], T | None], seconds: float = WAIT_SECONDS) -> T:
    """Ask until the answer is neither nothing nor false."""
    deadline = time.monotonic() + seconds
    while not (result := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    return result


def make(api: str, kind: str, name: str, spec: Object, **metadata: object) -> Object:
    """Return an object."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def pod(name: str, *command: str, **container: object) -> Object:
    """Return a pod of one container that runs a command in the engine's image."""
    main = {"name": "main", "image": VLLM_IMAGE, "command": list(command), "resources": SMALL, **container}
    spec = {"containers": [main], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    return make("v1", "Pod", name, spec, labels={"app": name})


def engine(name: str) -> Object:
    """Return a pod that serves the model `m`."""
    probe = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1}
    command = "vllm serve some/model --port 8000 --served-model-name m"
    return pod(name, "/bin/sh", "-c", command, readinessProbe=probe)


def service(name: str, app: str) -> Object:
    """Return a Service before an engine."""
    return make("v1", "Service", name, {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8000}]})


def chart_objects(cluster: Cluster, provider: str = "istio") -> list[Object]:
    """Return what makes Flux install a pool for the engines named `engine`, for a Gateway of the chart's `provider`."""
    values: Mapping[str, object] = {
        "inferenceExtension": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}},
        "inferencePool": {"modelServers": {"matchLabels": {"app": "engine"}}},
        "provider": {"name": provider},
    }
    source = {"interval": "10m", "url": cluster.chart_source_url(), "insecure": True, "ref": {"tag": "v1.5.0"}}
    release = {"interval": "10m", "chartRef": {"kind": "OCIRepository", "name": "pool"}, "values": values}
    return [
        make("source.toolkit.fluxcd.io/v1", "OCIRepository", "pool", source),
        make("helm.toolkit.fluxcd.io/v2", "HelmRelease", "pool", release),
    ]


def gateway_objects(class_name: str = "istio", **match: object) -> list[Object]:
    """Return a gateway that sends everything that matches to the pool."""
    annotations = {"networking.istio.io/service-type": "ClusterIP"}
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    gateway = {"gatewayClassName": class_name, "listeners": listeners}
    return [make(GATEWAY_API, "Gateway", "gateway", gateway, annotations=annotations), route({"name": "gateway"}, **match)]


def route(parent: Object, **match: object) -> Object:
    """Return a route from a Gateway to the pool, for requests that match."""
    backend = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"}
    rule = {"matches": [match], "backendRefs": [backend]} if match else {"backendRefs": [backend]}
    return make(GATEWAY_API, "HTTPRoute", "route", {"parentRefs": [parent], "rules": [rule]})
