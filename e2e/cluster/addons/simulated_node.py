"""The plane form's node: kwok plays it and its pods, with GPUs."""

import json

from e2e.cluster.addons import gpus
from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import KWOK
from e2e.cluster.forms import Form
from e2e.cluster.installation import Installation
from e2e.cluster.places import INSIDE
from e2e.cluster.program import Program

STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)
"""What nodes and pods do by themselves: everything succeeds at once."""

RESOURCES = {"cpu": "100k", "memory": "1000Ti", "ephemeral-storage": "1000Ti", "pods": "5000", gpus.RESOURCE: gpus.GPUS}


def install(work: Installation) -> None:
    """Start kwok and create the node."""
    stages = work.build(KWOK).asset("stages")
    kwok = Program.make(
        "kwok",
        work.build(KWOK).binary("kwok"),
        f"--kubeconfig={work.places.kubeconfig('kwok', INSIDE)}",
        "--manage-all-nodes=true",
        *(f"--config={stages / stage}" for stage in STAGES),
        "--node-ip=127.0.0.1",
        "--cidr=10.64.0.0/12",
        "--server-address=",
        "--node-lease-duration-seconds=40",
        env={"HOME": str(work.places.data)},
    )
    work.start(kwok)
    name = work.settings.node_name
    work.apply(f"/api/v1/nodes/{name}", json.dumps(_node(name)).encode())
    work.wait_node()


def _node(name: str) -> dict[str, object]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok", **gpus.LABELS}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": RESOURCES, "allocatable": RESOURCES},
    }


ADDON = Addon(
    "simulated-node",
    "a node that is only played, with GPUs",
    install,
    folders=(KWOK,),
    forms=frozenset({Form.PLANE}),
)
