"""kthena-router, from its own chart: a gateway that routes to an InferencePool's pods by itself, without endpoint picker.

It makes GatewayClass `kthena-router` and Gateway `default` in its namespace, and writes no status on anything. Pods are known to it only
through a ModelServer that selects them.
"""

import json

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import FLUX, KTHENA
from e2e.cluster.forms import Form
from e2e.cluster.images import kthena_router
from e2e.cluster.installation import Installation

CLASS = "kthena-router"
NAMESPACE = "kthena-system"
GATEWAY = "default"
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}


def install(work: Installation) -> None:
    """Install the router and wait until it runs and has made its Gateway."""
    values = work.places.config / "kthena-values.yaml"
    values.write_text(json.dumps(_values()))
    place = [f"--namespace={NAMESPACE}", "--create-namespace", f"--values={values}"]
    with work.steps.step("kthena-router"):
        work.helm("upgrade", "--install", "kthena", str(work.build(KTHENA).asset("kthena")), *place)
        work.wait_deployment(NAMESPACE, "kthena-router")
        gateway = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways/{GATEWAY}"
        work.wait(f"{gateway}", lambda: work.api.get(gateway) is not None)


def _values() -> dict[str, object]:
    router = {
        "image": {"tag": KTHENA.version("github.com/volcano-sh/kthena")},
        "resource": SMALL,
        "webhook": {"enabled": False},
        "gatewayAPI": {"enabled": True, "inferenceExtension": True},
        "terminationGracePeriodSeconds": 1,
    }
    return {"workload": {"enabled": False}, "networking": {"kthenaRouter": router, "webhook": {"enabled": False}}}


ADDON = Addon(
    "kthena",
    "kthena-router, its GatewayClass and Gateway",
    install,
    needs=("gateway-api",),
    folders=(KTHENA, FLUX),
    images=(kthena_router,),
    forms=frozenset({Form.FULL}),
    optional=True,
)
