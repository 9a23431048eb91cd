"""The objects themselves, field by field where a field is a promise."""

import pytest

from tests.unit.factories import SETTINGS, derived, meta, parent, quickstart, workspace
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.planning.flux import helm_release, oci_repository, pool_selector
from workspace_ctrl.planning.model_server import deployment, model_server, service
from workspace_ctrl.planning.route import http_route

OWNER = workspace().meta


def workload(**changes):
    spec = parse_workspace(derived().workspace, quickstart(**changes))
    return deployment(OWNER, derived(), spec.resource, model_server(spec), SETTINGS)


def pod_spec(**changes):
    return workload(**changes)["spec"]["template"]["spec"]


def test_the_model_server_serves_the_preset_under_its_name():
    (container,) = pod_spec()["containers"]
    assert container["command"][:3] == ["vllm", "serve", "microsoft/Phi-4-mini-instruct"]
    assert {"--served-model-name=phi-4-mini-instruct", "--port=5000", "--tensor-parallel-size=1", "--max-model-len=131072"} <= set(
        container["command"]
    )
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}


def test_the_pods_carry_the_label_that_the_pool_selects():
    manifest = workload()
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    assert labels == manifest["spec"]["selector"]["matchLabels"] == pool_selector(derived().workspace, "Deployment")


def test_of_a_stateful_set_only_the_leader_answers():
    assert pool_selector("w", "StatefulSet") == {"kaito.sh/workspace": "w", "apps.kubernetes.io/pod-index": "0"}


def test_replicas_are_left_to_whoever_scales():
    assert "replicas" not in workload()["spec"]


@pytest.mark.parametrize(
    ("resource", "keys"),
    [
        pytest.param({}, ["apps", "node.kubernetes.io/instance-type"], id="labels and instance type"),
        pytest.param({"preferredNodes": ["mine"]}, ["apps"], id="own nodes: any instance type"),
        pytest.param({"instanceType": None}, ["apps"], id="no instance type"),
    ],
)
def test_nodes_are_chosen_by_labels_and_instance_type(resource, keys):
    merged = {**quickstart()["resource"], **resource}
    affinity = pod_spec(resource={key: value for key, value in merged.items() if value is not None})["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [entry["key"] for entry in term["matchExpressions"]] == keys


def test_the_token_comes_from_the_secret_and_is_never_in_the_manifest():
    preset = {"name": "llama-3.1-8b-instruct", "presetOptions": {"modelAccessSecret": "hf"}}
    (container,) = pod_spec(inference={"preset": preset})["containers"]
    token = next(entry for entry in container["env"] if entry["name"] == "HF_TOKEN")
    assert token == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "HF_TOKEN"}}}


def test_the_container_gains_no_privileges():
    spec = pod_spec()
    assert spec["containers"][0]["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec["automountServiceAccountToken"] is False


def test_the_service_leads_from_80_to_5000():
    assert service(OWNER, derived())["spec"]["ports"] == [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 5000}]


def test_flux_is_sent_only_what_we_decide():
    manifest = oci_repository(OWNER, derived(), SETTINGS)
    assert manifest["metadata"]["name"] == "workspace-phi-4-mini-inferencepool"
    assert manifest["spec"]["ref"] == {"tag": "v1.5.0"}
    assert not {"provider", "suspend", "insecure"} & manifest["spec"].keys()


def test_the_release_installs_the_chart_for_this_workspace():
    spec = helm_release(OWNER, derived(), "Deployment", "istio", SETTINGS)["spec"]
    assert spec["chartRef"] == {"kind": "OCIRepository", "name": "workspace-phi-4-mini-inferencepool"}
    assert spec["releaseName"] == "workspace-phi-4-mini-inferencepool"
    assert spec["install"]["strategy"]["name"] == spec["upgrade"]["strategy"]["name"] == "RetryOnFailure"
    assert spec["values"]["inferencePool"] == {
        "modelServers": {"matchLabels": {"kaito.sh/workspace": "workspace-phi-4-mini"}},
        "targetPorts": [{"number": 5000}],
    }
    assert spec["values"]["provider"] == {"name": "istio"}
    assert "suspend" not in spec


def test_the_route_leads_from_its_path_to_the_pool():
    spec = http_route(OWNER, derived(), parent(section="https"), SETTINGS)["spec"]
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
    assert service(elsewhere, derived())["metadata"]["namespace"] == "team-a"
