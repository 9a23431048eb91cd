"""Objects that a GatewayClass needs in addition to the pool.

kthena-router finds the pods of a pool only if a ModelServer selects them, too; its own tests hide this, because they create one.
"""

from collections.abc import Mapping

from workspace_ctrl.api.names import Names
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.records.meta import Meta

_API_VERSION = "networking.serving.volcano.sh/v1alpha1"


def model_server_companion(owner: Meta, names: Names, selector: Mapping[str, str], port: int) -> Manifest:
    """Return the ModelServer for the pods that match `selector` and serve at `port`."""
    spec = {
        "inferenceEngine": "vLLM",
        "workloadSelector": {"matchLabels": dict(selector)},
        "workloadPort": {"port": port, "protocol": "http"},
    }
    return owned(_API_VERSION, "ModelServer", names.workspace, owner, {"spec": spec})
