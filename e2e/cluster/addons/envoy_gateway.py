"""Envoy Gateway with Envoy AI Gateway, which adds InferencePools to it, and a GatewayClass whose proxies are our Envoy.

Both are installed from their own charts with the values that AI Gateway's documentation gives, and a few of ours. The chart of Envoy
Gateway is as it lies in the module: its values are a template that its release fills, so that is done here.
"""

import json
from pathlib import Path

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import ENVOY_GATEWAY, FLUX
from e2e.cluster.forms import Form
from e2e.cluster.images import ENVOY_IMAGE, ai_gateway, envoy_gateway, envoy_proxy
from e2e.cluster.installation import Installation

CLASS = "envoy-gateway"
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
NAMESPACE = "envoy-gateway-system"
AI_NAMESPACE = "envoy-ai-gateway-system"
API = "gateway.envoyproxy.io/v1alpha1"
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}


def install(work: Installation) -> None:
    """Install both control planes and the GatewayClass, and wait until it is accepted.

    The kinds of Gateway API are those of the add-on `gateway-api`, not the chart's own, which it would not get past the others' ownership.
    """
    built = work.build(ENVOY_GATEWAY)
    charts = built.asset("ai-gateway") / "charts"
    with work.steps.step("Envoy Gateway charts"):
        # AI Gateway watches kinds of Envoy Gateway from its start on.
        work.apply_crds(built.asset("gateway-helm") / "charts" / "crds" / "crds" / "generated")
        _chart(work, "aieg-crd", charts / "ai-gateway-crds-helm", AI_NAMESPACE)
        _chart(work, "aieg", charts / "ai-gateway-helm", AI_NAMESPACE, _write(work, "ai-gateway", _ai_values()))
        _chart(work, "eg", built.asset("gateway-helm"), NAMESPACE, *_gateway_values(work))
    for plural, name, document in (
        (f"namespaces/{NAMESPACE}/envoyproxies", CLASS, _proxy()),
        ("gatewayclasses", CLASS, _gateway_class()),
    ):
        group = str(document["apiVersion"])
        work.apply(f"/apis/{group}/{plural}/{name}", json.dumps(document).encode())
    with work.steps.step("Envoy Gateway control plane"):
        work.wait_deployment(NAMESPACE, "envoy-gateway")
        work.wait_deployment(AI_NAMESPACE, "ai-gateway-controller")
        work.wait_condition(f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{CLASS}", "Accepted")


def _chart(work: Installation, release: str, chart: Path, namespace: str, *values: Path) -> None:
    place = [f"--namespace={namespace}", "--create-namespace"]
    work.helm("upgrade", "--install", "--skip-crds", release, str(chart), *place, *(f"--values={path}" for path in values))


def _gateway_values(work: Installation) -> list[Path]:
    built = work.build(ENVOY_GATEWAY)
    image = envoy_gateway().name
    template = (built.asset("gateway-helm") / "values.tmpl.yaml").read_text()
    released = template.replace("${GatewayImage}", image).replace("${GatewayImagePullPolicy}", "IfNotPresent")
    defaults = work.places.config / "envoy-gateway-defaults.yaml"
    defaults.write_text(released)
    ours = {
        "crds": {"gatewayAPI": {"safeUpgradePolicy": {"enabled": False}}},  # it keeps others from installing these kinds
        "deployment": {"envoyGateway": {"resources": SMALL}},
        "config": {"envoyGateway": {"provider": {"kubernetes": {"shutdownManager": {"image": image}}}}},
    }
    return [
        defaults,
        built.asset("ai-gateway") / "envoy-gateway-values.yaml",
        built.asset("ai-gateway-inference-pool") / "envoy-gateway-values-addon.yaml",
        _write(work, "envoy-gateway", ours),
    ]


def _ai_values() -> dict[str, object]:
    tag = {"tag": ENVOY_GATEWAY.version("github.com/envoyproxy/ai-gateway")}
    return {"controller": {"image": tag, "resources": SMALL}, "extProc": {"image": tag}}


def _write(work: Installation, name: str, values: object) -> Path:
    path = work.places.config / f"{name}-values.yaml"
    path.write_text(json.dumps(values))
    return path


def _proxy() -> dict[str, object]:
    container = {"image": ENVOY_IMAGE, "resources": SMALL}
    kubernetes = {"envoyDeployment": {"container": container}, "envoyService": {"type": "ClusterIP"}}
    return {
        "apiVersion": API,
        "kind": "EnvoyProxy",
        "metadata": {"name": CLASS, "namespace": NAMESPACE},
        "spec": {"provider": {"type": "Kubernetes", "kubernetes": kubernetes}},
    }


def _gateway_class() -> dict[str, object]:
    reference = {"group": API.partition("/")[0], "kind": "EnvoyProxy", "name": CLASS, "namespace": NAMESPACE}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": CLASS},
        "spec": {"controllerName": CONTROLLER, "parametersRef": reference},
    }


ADDON = Addon(
    "envoy-gateway",
    f"Envoy Gateway with AI Gateway, and its GatewayClass {CLASS}",
    install,
    needs=("gateway-api", "coredns"),
    folders=(ENVOY_GATEWAY, FLUX),
    images=(envoy_gateway, ai_gateway, envoy_proxy),
    forms=frozenset({Form.FULL}),
    optional=True,
)
