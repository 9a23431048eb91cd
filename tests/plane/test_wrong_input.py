"""Whatever a user writes, it ends in one sentence at the right place, and others go on."""

import json

import pytest
import yaml

from e2e import workspaces
from e2e.cluster import ClusterError
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from workspace_ctrl.api.crd import crd

QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-deployments"},
    "spec": {"hard": {"count/deployments.apps": "0"}},
}


@pytest.fixture
def lenient_crd(installed):
    """The CRD without its rules, as an older or another installation may have stored Workspaces."""
    lenient = crd()
    for version in lenient["spec"]["versions"]:
        _drop_rules(version["schema"]["openAPIV3Schema"])
    installed.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=yaml.safe_dump(lenient))
    # The API server goes on with the former rules for a moment.
    text = json.dumps(workspaces.workspace("both", inference={"preset": {"name": "phi-4"}, "template": {}}))
    create = ("create", "--dry-run=server", "-n", "default", "-f", "-")
    until(lambda: installed.kubectl_result(*create, input=text).returncode == 0, "the rules to be gone")
    yield installed
    workspaces.install_crd(installed)


def _drop_rules(schema):
    schema.pop("x-kubernetes-validations", None)
    for child in schema.get("properties", {}).values():
        _drop_rules(child)


def test_each_wrong_workspace_says_what_is_wrong_and_others_go_on(installed, plane_namespace, gateway):
    behind = workspaces.behind(gateway, plane_namespace)
    wrong = {
        "unknown": ({"inference": {"preset": {"name": "phi4-mini"}}}, "did you mean phi-4-mini-instruct?"),
        "small": (
            {
                "resource": {"instanceType": "Standard_NV36ads_A10_v5", "labelSelector": {}},
                "inference": {"preset": {"name": "phi-4"}},
            },
            "Standard_NV36ads_A10_v5 is too small for phi-4",
        ),
        "gated": ({"inference": {"preset": {"name": "llama-3.1-8b-instruct"}}}, "create a Secret with your token"),
        "template": ({"inference": {"template": {"spec": {}}}}, "inference.template.spec.containers needs at least one container"),
        "tuning": ({"inference": None, "tuning": {"method": "lora"}}, "tuning is not supported by workspace-ctrl"),
    }
    with ControllerProcess(installed):
        objects = [workspaces.workspace(name, gateway=behind, **fields) for name, (fields, _) in wrong.items()]
        workspaces.apply(installed, plane_namespace, *objects, workspaces.workspace("good", gateway=behind))
        for name, (_, words) in wrong.items():
            found = workspaces.wait_reason(installed, plane_namespace, name, "WorkspaceSucceeded", "InvalidSpec")
            assert words in found["message"], name
            assert workspaces.condition(installed, plane_namespace, name, "Stalled")["status"] == "True"
        workspaces.wait_ready(installed, plane_namespace, "good")
        assert {item["metadata"]["name"] for item in workspaces.items(installed, plane_namespace, "ocirepository")} == {
            "good-inferencepool"
        }


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(
            workspaces.workspace("both", inference={"preset": {"name": "phi-4"}, "template": {}}),
            "inference needs exactly one of preset, template and workloadRef; set one, and remove the others",
            id="preset and template",
        ),
        pytest.param(
            workspaces.workspace("dotted.name"), "metadata.name must be a DNS label of at most 63 characters", id="name with a dot"
        ),
        pytest.param(
            workspaces.workspace("w" * 64), "metadata.name must be a DNS label of at most 63 characters", id="name too long"
        ),
        pytest.param(workspaces.workspace("none", inference=None), "exactly one of inference and tuning", id="neither"),
    ],
)
def test_what_a_schema_can_know_is_refused_when_it_is_applied(installed, plane_namespace, document, words):
    with pytest.raises(ClusterError, match=words):
        workspaces.apply(installed, plane_namespace, document)


def test_the_same_rules_hold_for_workspaces_that_were_stored_without_them(lenient_crd, plane_namespace):
    both = workspaces.workspace("both", inference={"preset": {"name": "phi-4"}, "template": {}})
    expected = {
        "both": "exactly one of preset, template and workloadRef",
        "dotted.name": "must be a DNS label",
        "w" * 64: "must be a DNS label",
    }
    with ControllerProcess(lenient_crd, "--namespace", plane_namespace):
        workspaces.apply(lenient_crd, plane_namespace, both, workspaces.workspace("dotted.name"), workspaces.workspace("w" * 64))
        for name, words in expected.items():
            found = workspaces.wait_reason(lenient_crd, plane_namespace, name, "WorkspaceSucceeded", "InvalidSpec")
            assert words in found["message"]
        workspaces.install_crd(lenient_crd)  # which refuses all writes of what it does not allow
        lenient_crd.kubectl("delete", "workspaces", "--all", "-n", plane_namespace, "--wait=false")
        for name in expected:
            workspaces.wait_gone(lenient_crd, plane_namespace, "workspace", name)


def test_immutable_fields_cannot_be_changed(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("fixed"))
    changed = workspaces.workspace("fixed", inference={"preset": {"name": "phi-4"}})
    with pytest.raises(ClusterError, match=r"inference\.preset\.name cannot be changed"):
        workspaces.apply(installed, plane_namespace, changed)


def test_a_quota_that_refuses_the_workload_is_quoted_and_nothing_else_is_created(installed, plane_namespace, gateway):
    workspaces.apply(installed, plane_namespace, QUOTA)
    installed.kubectl(
        "wait", "resourcequota/no-deployments", "-n", plane_namespace, "--for=jsonpath={.status.used}", KUBECTL_TIMEOUT
    )
    with ControllerProcess(installed, "--refusal-interval", "1"):
        document = workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        workspaces.apply(installed, plane_namespace, document)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "WorkloadAccepted", "DryRunFailed")
        assert "exceeded quota: no-deployments" in found["message"]
        assert (
            workspaces.items(installed, plane_namespace, "deployment,service,ocirepository,helmrelease", "workspace-ctrl/workspace")
            == []
        )
        installed.kubectl("delete", "resourcequota", "no-deployments", "-n", plane_namespace)
        workspaces.wait_ready(installed, plane_namespace, "phi")


def test_a_chart_tag_that_does_not_exist_is_said_in_flux_s_words(installed, plane_namespace, gateway):
    with ControllerProcess(installed, "--chart-version", "v1.5.99"):
        document = workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        workspaces.apply(installed, plane_namespace, document)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "OCIArtifactPullFailed")
        assert "OCIRepository" in found["message"]
        assert "v1.5.99" in found["message"]
        workspaces.wait_ready(installed, plane_namespace, "phi", "InferenceReady")
        assert workspaces.condition(installed, plane_namespace, "phi", "GatewayReady")["reason"] == "OCIArtifactPullFailed"


def test_no_gateway_then_one_then_two(installed, plane_namespace):
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "NoGateway")
        assert found["message"].startswith(f"no Gateway found in namespace {plane_namespace}; create one")
        workspaces.apply(installed, plane_namespace, *workspaces.played_gateway("one"))
        workspaces.wait_ready(installed, plane_namespace, "phi")
        workspaces.apply(installed, plane_namespace, *workspaces.played_gateway("two"))
        words = f"Gateway {plane_namespace}/one is kept, because the Workspace is attached to it"

        def route():
            return workspaces.condition(installed, plane_namespace, "phi", "RouteReady")

        until(lambda: words in route()["message"], "the status to say that the Gateway is kept")
        assert route()["status"] == "True"
        # Only now is it sure that the controller hears of the second Gateway before the Workspace, which would be attached to the first.
        workspaces.apply(installed, plane_namespace, workspaces.workspace("later"))
        found = workspaces.wait_reason(installed, plane_namespace, "later", "GatewayReady", "AmbiguousGateway")
        assert f"{plane_namespace}/one, {plane_namespace}/two" in found["message"]
        installed.kubectl("label", "gateway", "one", "-n", plane_namespace, "kaito.sh/inference-gateway=true")
        workspaces.wait_ready(installed, plane_namespace, "later")
        installed.kubectl("delete", "gateway", "one", "two", "-n", plane_namespace)
        workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "NoGateway")


def test_a_foreign_object_of_the_same_name_is_not_overwritten(installed, plane_namespace, gateway):
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "phi"},
        "spec": {"selector": {"app": "mine"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }
    workspaces.apply(installed, plane_namespace, foreign)
    with ControllerProcess(installed):
        document = workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
        workspaces.apply(installed, plane_namespace, document)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "WorkloadAccepted", "NotOwned")
        assert "Service" in found["message"]
        spec = workspaces.get(installed, plane_namespace, "service", "phi")["spec"]
        assert (spec["selector"], spec["ports"][0]["targetPort"]) == ({"app": "mine"}, 8080)
