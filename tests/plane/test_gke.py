"""What real Flux makes of a Workspace behind a Gateway of GKE; its CRDs are played, as far as the charts use them."""

import json

import pytest

from e2e import workspaces
from e2e.cluster import llm_d
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

CLASS = "gke-l7-regional-external-managed"
POLICIES = {"HealthCheckPolicy": "healthcheckpolicies", "GCPBackendPolicy": "gcpbackendpolicies"}
SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def crd(kind, plural):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.networking.gke.io"},
        "spec": {
            "group": "networking.gke.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
        },
    }


@pytest.fixture
def behind(installed, plane_namespace):
    """A Gateway of GKE's class, on a cluster with its policies."""
    gke = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": CLASS}}
    gke["spec"] = {"controllerName": "networking.gke.io/gateway"}
    for document in (gke, *(crd(kind, plural) for kind, plural in POLICIES.items())):
        installed.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(document))
    for plural in POLICIES.values():
        workspaces.wait_served(installed, f"{plural}.networking.gke.io")
    workspaces.apply(installed, plane_namespace, workspaces.gateway(class_name=CLASS))
    yield workspaces.behind("inference-gateway", plane_namespace)
    installed.kubectl("delete", "gateway", "inference-gateway", "-n", plane_namespace)
    installed.kubectl("delete", "gatewayclass", CLASS)
    for plural in POLICIES.values():
        installed.kubectl("delete", "crd", f"{plural}.networking.gke.io", KUBECTL_TIMEOUT)


@pytest.mark.parametrize(
    ("chart", "version"), [("inferencepool", "v1.4.0"), ("inferencepool", "v1.5.0"), *((llm_d.CHART, v) for v in llm_d.VERSIONS)]
)
def test_the_load_balancer_checks_the_model_server_and_has_the_timeout_that_no_route_may_have(
    installed, plane_namespace, behind, tmp_path, chart, version
):
    source = {"name": "chosen", "url": installed.chart_source_url(chart), "version": version, "insecure": True}
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"chartSources": [{}, source]}))
    with ControllerProcess(installed, "--config", str(path)):
        document = workspaces.workspace(gateway={**behind, "chart": {"name": "chosen"}, "timeout": "10m"})
        workspaces.apply(installed, plane_namespace, document)
        release = f"phi-{chart}"
        installed.kubectl("wait", f"healthcheckpolicy/{release}", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        spec = workspaces.get(installed, plane_namespace, "healthcheckpolicy", release)["spec"]
        assert spec["default"]["config"] == {"type": "HTTP", "httpHealthCheck": {"requestPath": "/health", "port": 5000}}
        assert spec["default"]["checkIntervalSec"] == 2  # the chart's own
        assert spec["targetRef"]["name"] == release
        installed.kubectl("wait", f"gcpbackendpolicy/{release}", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        limit = workspaces.get(installed, plane_namespace, "gcpbackendpolicy", release)["spec"]["default"]
        assert limit["timeoutSec"] == 600
        assert limit["logging"] == {"enabled": True}  # the chart's own
        installed.kubectl("wait", "httproute/phi", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        rules = workspaces.get(installed, plane_namespace, "httproute", "phi")["spec"]["rules"]
        assert all("timeouts" not in rule for rule in rules)
        # Helm makes it after the policies.
        installed.kubectl("wait", f"inferencepool/{release}", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        pool = installed.kubectl("get", "inferencepool", release, "-n", plane_namespace, "-o", "json", "--show-managed-fields")
        fields = [entry for entry in json.loads(pool)["metadata"]["managedFields"] if entry["manager"] == "helm-controller"]
        assert fields
        assert "f:appProtocol" not in json.dumps(fields)  # older CRDs do not know it
        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
