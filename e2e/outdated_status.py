"""A pool whose Gateway's controller has looked for the endpoint picker's Service while that was away, and not again since."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e import workspaces
from e2e.cluster import Cluster
from e2e.waiting import WAIT_SECONDS, until
from workspace_ctrl.model.attachment_status import SILENT_SECONDS

POOL, PICKER = "phi-inferencepool", "phi-inferencepool-epp"
_OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
_LOOK_SECONDS = 10
"""For so long, what comes of a look is waited for."""
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
        looks = itertools.count()

        def is_missed() -> bool:
            # It may look before it hears that the Service is gone, as it watches both, and does not look again by itself.
            look = f"looked-at={next(looks)}"
            cluster.kubectl("annotate", "inferencepool", POOL, "-n", namespace, look, "--overwrite", actor="user")
            return cluster.kubectl_result(*_until_reason(namespace, "InvalidExtensionRef", _LOOK_SECONDS)).returncode == 0

        until(is_missed, "the pool's status to miss the Service")
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
    """Wait until the Gateway's controller gives that reason for whether it has found the Service.

    It may have seen the first request for a new status before the Service: then there is a second one, a minute later.
    """
    cluster.kubectl(*_until_reason(namespace, reason, WAIT_SECONDS + int(SILENT_SECONDS)))


def _until_reason(namespace: str, reason: str, seconds: int) -> tuple[str, ...]:
    awaited = f"--for=jsonpath={_REASON}={reason}"
    return "wait", f"inferencepool/{POOL}", "-n", namespace, awaited, f"--timeout={seconds}s"
