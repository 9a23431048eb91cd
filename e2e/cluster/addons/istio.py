"""Istio's control plane with the inference extension on, for an unmodified Envoy.

In the full form it is installed from its own charts and its gateways carry requests. In the plane form it is a process
that writes statuses: the cheapest judge of gateways, routes and pools.
"""

import json
from pathlib import Path
from typing import Any

from e2e.cluster.addons.base import Addon
from e2e.cluster.api import crds
from e2e.cluster.catalog import FLUX, ISTIO, ISTIO_VERSION
from e2e.cluster.images import istio_pilot, istio_proxy
from e2e.cluster.installation import Installation
from e2e.cluster.places import INSIDE
from e2e.cluster.program import Program

NAMESPACE = "istio-system"
CRDS = ((ISTIO, "istio-base/files"),)
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}
SWITCHES = {
    "ENABLE_GATEWAY_API_INFERENCE_EXTENSION": "true",
    # Envoy as its authors release it knows neither filter; a listener that names one is refused.
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
}
VALUES: dict[str, Any] = {
    "autoscaleEnabled": False,
    "telemetry": {"enabled": False},
    "resources": SMALL,
    "env": SWITCHES,
    "meshConfig": {"defaultConfig": {"binaryPath": "/opt/bin/envoy"}},
    "global": {"hub": "docker.io/istio", "tag": ISTIO_VERSION, "proxy": {"resources": SMALL}},
}
OUT_OF_CLUSTER = {
    "POD_NAMESPACE": NAMESPACE,
    "REVISION": "default",
    "PILOT_CERT_PROVIDER": "istiod",
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
}


def install(work: Installation) -> None:
    """Install the control plane and wait until it has accepted its GatewayClass."""
    if work.full:
        with work.steps.step("Istio charts"):
            work.apply_crds(_crds(work))
            _chart(work, "istio-base")
            _chart(work, "istio-discovery")
    else:
        work.apply(f"/api/v1/namespaces/{NAMESPACE}", json.dumps(_namespace()).encode())
        work.apply_crds(_crds(work))
        work.start(_process(work))
    with work.steps.step("Istio control plane"):
        if work.full:
            work.wait_deployment(NAMESPACE, "istiod")
        work.wait_condition("/apis/gateway.networking.k8s.io/v1/gatewayclasses/istio", "Accepted")


def _namespace() -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _crds(work: Installation) -> Path:
    return work.build(ISTIO).asset("istio-base") / "files"


def _chart(work: Installation, name: str) -> None:
    values = work.places.config / "istio-values.yaml"
    # The CRDs are there already, for both forms alike.
    values.write_text(json.dumps({**VALUES, "base": {"excludedCRDs": list(crds(_crds(work)))}}))
    chart = str(work.build(ISTIO).asset(name))
    place = [f"--namespace={NAMESPACE}", "--create-namespace"]
    work.helm("upgrade", "--install", name, chart, *place, f"--values={values}")


def _process(work: Installation) -> Program:
    ports = work.settings.ports
    return Program.make(
        "istiod",
        work.build(ISTIO).binary("pilot-discovery"),
        "discovery",
        f"--kubeconfig={work.places.kubeconfig('istiod', INSIDE)}",
        f"--httpAddr=127.0.0.1:{ports['istio-http']}",
        f"--grpcAddr=127.0.0.1:{ports['istio-grpc']}",
        f"--monitoringAddr=127.0.0.1:{ports['istio-monitoring']}",
        "--httpsAddr=",
        "--secureGRPCAddr=",
        "--ctrlz_port=0",
        env={**SWITCHES, **OUT_OF_CLUSTER},
        restarts=True,  # with many routes made at once, Istio 1.31 ends with "concurrent map writes" now and then
    )


ADDON = Addon(
    "istio",
    f"Istio {ISTIO_VERSION} and its GatewayClass",
    install,
    needs=("gateway-api",),
    folders=(ISTIO, FLUX),
    crds=CRDS,
    images=(istio_pilot, istio_proxy),
)
