"""InferenceSets that KEDA scales in the scenarios: how they are made, asked and looked at."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import e2e.bursts
from e2e import workspaces
from e2e.agreement.observation import Observation
from e2e.agreement.timeline import disagreement
from e2e.cluster import Cluster
from e2e.controller import ACTOR, ControllerProcess
from e2e.waiting import WAIT_SECONDS, until

AUTOSCALING = {"autoscaling": {"enabled": True}}
KIND = "inferenceset"
NAME = "phi"
MODEL = "phi-4-mini-instruct"
LOAD_PORT = 8090
NODE = "10.244.0.1"
"""Where pods reach the controller, which runs on the node."""
BURST = 50
PATIENCE = 60
TO_ZERO = {"minReplicas": 0, "maxReplicas": 4, "target": {"metric": "queueSize", "value": 5}}
STARTS_IN_3_S = "--startup-duration=3s --max-num-seqs=20"
PODS = f"kaito.sh/workspace={NAME}"


class StatusLiedError(AssertionError):
    """GatewayReady was not True all the while, or a request beside those of a test was not answered."""


def scaling_controller(cluster: Cluster, folder: Path, prometheus: str = "") -> ControllerProcess:
    """Return a controller that serves loads to KEDA, or lets it read them from the Prometheus at that URL."""
    source = {"prometheus": {"url": prometheus}} if prometheus else {"url": f"http://{NODE}:{LOAD_PORT}"}
    settings = folder / "settings.yaml"
    document: dict[str, Any] = {"autoscaling": {"enabled": True, **source}}
    if prometheus:  # which has no token for the endpoint pickers
        document["endpointPicker"] = {
            "values": {"inferenceExtension": {"monitoring": {"prometheus": {"auth": {"enabled": False}}}}}
        }
    settings.write_text(json.dumps(document))
    options = ("--config", str(settings), "--load-port", str(LOAD_PORT), "--probe", "models")
    return ControllerProcess(cluster, *options, inside=True)


def burst(cluster: Cluster, url: str, meanwhile: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Return the answers to `BURST` requests at once; `meanwhile` is called while they are under way."""
    command = [sys.executable, str(Path(e2e.bursts.__file__)), url, MODEL, str(BURST), str(PATIENCE), "10"]
    process = cluster.popen(command, stdout=subprocess.PIPE)
    meanwhile()
    out, _ = process.communicate(timeout=2 * PATIENCE)
    if process.returncode:
        raise RuntimeError(f"the requests could not be sent: {out}")
    return [json.loads(line) for line in out.splitlines()]


def lost(answers: Iterable[dict[str, Any]]) -> Counter[tuple[int, str]]:
    """Return what came instead of answers."""
    return Counter((answer["status"], answer["text"]) for answer in answers if answer["status"] != HTTPStatus.OK)


def get(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Return the set."""
    return workspaces.get(cluster, namespace, KIND, NAME)


def serve(
    cluster: Cluster,
    namespace: str,
    gateway: dict[str, Any],
    flags: str = STARTS_IN_3_S,
    reason: str = "Scaled",
    **autoscaling: Any,
) -> str:
    """Apply a scaled set whose pods start as `flags` say, and return its URL; `reason` is that of Autoscaling."""
    document = workspaces.inference_set(NAME, gateway=gateway, autoscaling={**TO_ZERO, **autoscaling})
    workspaces.apply(cluster, namespace, document)
    workspaces.wait_reason(cluster, namespace, NAME, "WorkloadAccepted", "Accepted", kind=KIND)
    cluster.kubectl("set", "env", f"deployment/{NAME}", f"SIMULATOR_FLAGS={flags}", "-n", namespace)
    workspaces.wait_reason(cluster, namespace, NAME, "Autoscaling", reason, kind=KIND)
    workspaces.wait_reason(cluster, namespace, NAME, "Ready", "Ready", kind=KIND)
    told = get(cluster, namespace)["status"]["gateway"]
    url: str = told.get("url") or told["internalUrl"]  # of a Gateway that tells no address
    return url


def wait_zero(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Wait until no copy is left; return what EndpointsReady says then."""
    until(lambda: get(cluster, namespace)["spec"]["replicas"] == 0, "the set to be scaled to zero")
    until(lambda: workspaces.items(cluster, namespace, "pod", PODS) == [], "its last pod to end")
    return workspaces.wait_reason(cluster, namespace, NAME, "EndpointsReady", "ScaledToZero", kind=KIND)


def written_replicas(cluster: Cluster, namespace: str) -> list[tuple[str, str]]:
    """Return the calls by which the controller may have changed the replicas of the set: (verb, subresource).

    It writes statuses, and applies its finalizer once, which is the first call and left out.
    """
    events = cluster.audit_events(ACTOR)
    calls = [(event["verb"], ref) for event in events if (ref := event.get("objectRef", {})).get("namespace") == namespace]
    ours = [(verb, ref.get("subresource", "")) for verb, ref in calls if ref["resource"] == "inferencesets"]
    written = [call for call in ours if call[1] != "status" and call[0] not in {"get", "list", "watch"}]
    assert written[:1] == [("patch", "")], "the finalizer is applied first"  # noqa: S101 - a test looks
    return written[1:]


def reason_of(cluster: Cluster, namespace: str) -> str:
    """Return the reason of Autoscaling; empty without that condition."""
    reason: str = workspaces.condition(cluster, namespace, NAME, "Autoscaling", kind=KIND).get("reason", "")
    return reason


@contextmanager
def looking_on(cluster: Cluster, namespace: str, every: float, patience: float) -> Iterator[Observation]:
    """Send requests beside those of the block, one `every` so many seconds.

    Raises:
        StatusLiedError: one was not answered within `patience`, or GatewayReady was not True all the while, at zero and during starts.
    """
    with Observation(cluster, namespace, NAME, "inferencesets", (every, patience)) as seen:
        seen.wait_well(WAIT_SECONDS)
        began = time.monotonic()
        yield seen
        found = disagreement(seen.between(began, time.monotonic()))
        untrue = [change for change in seen.changes if change.at > began and not change.ready]
        if found.failing or untrue:
            raise StatusLiedError(f"{Counter(sample.status for sample in seen.samples)}, GatewayReady was False: {untrue}")
