"""The objects of the gateway side, field by field where a field is a promise."""

from tests.unit.factories import SETTINGS, derived, meta, parent, workspace
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.planning.chart.flux_objects import helm_release, oci_repository, pool_selector
from workspace_ctrl.planning.chart.values import PoolValues
from workspace_ctrl.planning.gateway.route import http_route, routing
from workspace_ctrl.planning.manifests import manifest_hash
from workspace_ctrl.planning.workload.services import headless_service, service

OWNER = workspace().meta
POOL = PoolValues(selector={POD_LABEL: derived().workspace}, port=5000, provider="istio")


def test_of_a_stateful_set_only_the_leader_answers():
    assert pool_selector("w", "StatefulSet") == {"kaito.sh/workspace": "w", "apps.kubernetes.io/pod-index": "0"}


def test_the_service_leads_from_80_to_the_model_server():
    manifest = service(OWNER, derived(), {"a": "b"}, port=8000)
    assert manifest["spec"] == {
        "selector": {"a": "b"},
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8000}],
    }


def test_a_public_service_asks_for_a_load_balancer():
    assert service(OWNER, derived(), {"a": "b"}, public=True)["spec"]["type"] == "LoadBalancer"


def test_pods_find_each_other_before_they_are_ready():
    manifest = headless_service(OWNER, derived(), {"ray": 6379})
    assert manifest["metadata"]["name"] == "workspace-phi-4-mini-headless"
    assert (manifest["spec"]["clusterIP"], manifest["spec"]["publishNotReadyAddresses"]) == ("None", True)


def test_flux_is_sent_only_what_we_decide():
    manifest = oci_repository(OWNER, derived(), SETTINGS.chart)
    assert manifest["metadata"]["name"] == "workspace-phi-4-mini-inferencepool"
    assert manifest["spec"]["ref"] == {"tag": "v1.5.0"}
    assert not {"provider", "suspend", "insecure"} & manifest["spec"].keys()


def test_the_release_installs_the_chart_for_this_workspace():
    spec = helm_release(OWNER, derived(), POOL, chart=SETTINGS.chart, gateway=None, settings=SETTINGS)["spec"]
    assert spec["chartRef"] == {"kind": "OCIRepository", "name": "workspace-phi-4-mini-inferencepool"}
    assert spec["releaseName"] == "workspace-phi-4-mini-inferencepool"
    assert spec["install"]["strategy"]["name"] == spec["upgrade"]["strategy"]["name"] == "RetryOnFailure"
    assert "suspend" not in spec


def test_the_route_leads_from_its_path_to_the_pool():
    wanted = routing(OWNER.ref, None, derived().release, (), SETTINGS)
    spec = http_route(OWNER, derived(), (parent(section="https"),), wanted)["spec"]
    assert spec["parentRefs"] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "namespace": "default",
            "name": "inference-gateway",
            "sectionName": "https",
        }
    ]
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/default/workspace-phi-4-mini"}}]
    assert rule["filters"][0]["urlRewrite"]["path"] == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    assert rule["backendRefs"] == [
        {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "workspace-phi-4-mini-inferencepool"}
    ]


def test_objects_go_to_the_owner_s_namespace():
    elsewhere = meta("Workspace", namespace="team-a")
    assert service(elsewhere, derived(), {"a": "b"})["metadata"]["namespace"] == "team-a"


def test_hashes_are_those_that_stored_objects_have():
    """With others, an upgrade would write all objects anew, and let the change of pods wait."""
    assert manifest_hash({"kind": "Service", "spec": {"ports": [80], "type": "ClusterIP"}}) == "h63731bdbaf4c686"
    assert manifest_hash({"spec": {"type": "ClusterIP", "ports": [80]}, "kind": "Service"}) == "h63731bdbaf4c686"
