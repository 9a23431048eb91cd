"""Istio's control plane from its own charts, with the inference extension on, for an unmodified Envoy."""

import json

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import FLUX, ISTIO, ISTIO_VERSION
from e2e.cluster.forms import Form
from e2e.cluster.images import istio_pilot, istio_proxy
from e2e.cluster.installation import Installation

NAMESPACE = "istio-system"
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}

VALUES = {
    "autoscaleEnabled": False,
    "telemetry": {"enabled": False},
    "resources": SMALL,
    "env": {
        "ENABLE_GATEWAY_API_INFERENCE_EXTENSION": "true",
        # Envoy as its authors release it knows neither filter; a listener that names one is refused.
        "PILOT_ENABLE_METADATA_EXCHANGE": "false",
        "PILOT_ENABLE_ALPN_FILTER": "false",
    },
    "meshConfig": {"defaultConfig": {"binaryPath": "/opt/bin/envoy"}},
    "global": {"hub": "docker.io/istio", "tag": ISTIO_VERSION, "proxy": {"resources": SMALL}},
}


def install(work: Installation) -> None:
    """Install both charts and wait for the control plane and its GatewayClass."""
    values = work.places.config / "istio-values.yaml"
    values.write_text(json.dumps(VALUES))
    charts = work.build(ISTIO)
    with work.steps.step("Istio charts"):
        for name in ("istio-base", "istio-discovery"):
            chart = str(charts.asset(name))
            work.helm("install", name, chart, f"--namespace={NAMESPACE}", "--create-namespace", f"--values={values}")
    with work.steps.step("Istio control plane"):
        work.wait_deployment(NAMESPACE, "istiod")
        work.wait_condition("/apis/gateway.networking.k8s.io/v1/gatewayclasses/istio", "Accepted")


ADDON = Addon(
    "istio",
    f"Istio {ISTIO_VERSION} and its GatewayClass",
    install,
    needs=("gateway-api",),
    folders=(ISTIO, FLUX),
    images=(istio_pilot, istio_proxy),
    forms=frozenset({Form.FULL}),
)
