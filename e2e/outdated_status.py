"""A pool whose Gateway's controller has looked for the endpoint picker's Service while that was away, and not again since."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e import workspaces
from e2e.cluster import Cluster

POOL, PICKER = "phi-inferencepool", "phi-inferencepool-epp"
_OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
_REASON = "{.status.parents[0].conditions[?(@.type=='ResolvedRefs')].reason}"


@contextmanager
def picker_away(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Have the Service of a pool's endpoint picker away, with the pool's status saying so; at the end the Service is back.

    Flux has to be kept from restoring it, so its release is suspended. It stays so after a block that succeeds, for what is to be seen
    before Flux writes again; otherwise it is resumed, and Flux brings back what is missing.
    """
    service = workspaces.get(cluster, namespace, "service", PICKER)
    suspend(cluster, namespace, suspended=True)
    try:
        cluster.kubectl("delete", "service", PICKER, "-n", namespace, actor="user")
        cluster.kubectl("annotate", "inferencepool", POOL, "-n", namespace, "looked-at=now", actor="user")
        wait_reason(cluster, namespace, "InvalidExtensionRef")
        yield
        _create_again(cluster, namespace, service)
    except BaseException:
        suspend(cluster, namespace, suspended=False)
        raise


def _create_again(cluster: Cluster, namespace: str, service: dict[str, Any]) -> None:
    metadata = {key: value for key, value in service["metadata"].items() if key not in _OF_THE_SERVER}
    spec = {key: value for key, value in service["spec"].items() if not key.startswith("clusterIP")}
    again = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(again), actor="user")


def suspend(cluster: Cluster, namespace: str, *, suspended: bool) -> None:
    """Suspend the release of the pool, or resume it."""
    change = json.dumps({"spec": {"suspend": suspended}})
    cluster.kubectl("patch", "helmrelease", POOL, "-n", namespace, "--type=merge", "-p", change, actor="user")


def wait_reason(cluster: Cluster, namespace: str, reason: str) -> None:
    """Wait until the Gateway's controller gives that reason for whether it has found the Service."""
    awaited = f"--for=jsonpath={_REASON}={reason}"
    cluster.kubectl("wait", f"inferencepool/{POOL}", "-n", namespace, awaited, f"--timeout={workspaces.WAIT_SECONDS}s")
