"""Simulated GPUs: the node says that it has some, and carries the labels of a cloud's GPU machine."""

from e2e.cluster.addons.base import Addon
from e2e.cluster.forms import Form
from e2e.cluster.installation import Installation

GPUS = "8"
LABELS = {"node.kubernetes.io/instance-type": "Standard_NC24ads_A100_v4", "apps": "phi-4-mini"}
"""What the nodeSelector of KAITO's quickstart asks for."""

RESOURCE = "nvidia.com/gpu"


def install(work: Installation) -> None:
    """Add the GPUs to the node's status, which the kubelet leaves as they are."""
    node = f"/api/v1/nodes/{work.settings.node_name}"
    work.wait("the node", lambda: work.api.get(node) is not None)
    work.patch(f"{node}/status", {"status": {"capacity": {RESOURCE: GPUS}, "allocatable": {RESOURCE: GPUS}}})
    work.patch(node, {"metadata": {"labels": LABELS}})


ADDON = Addon("gpus", f"{GPUS} simulated GPUs on the node", install, forms=frozenset({Form.FULL}))
