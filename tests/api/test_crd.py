"""The CRDs as kubectl and its users meet them; which Workspaces they accept is in test_crd_agreement.py."""

import json

import pytest

from e2e import workspaces
from e2e.cluster import ClusterError
from e2e.waiting import KUBECTL_TIMEOUT
from workspace_ctrl.api.crd import SERVED_VERSIONS
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import in_set_words, parse_inference_set
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.records.workspaces import parse_workspace_record


def test_both_versions_show_the_same_object(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("both-versions", apiVersion="kaito.sh/v1alpha1"))
    for version in ("v1alpha1", "v1beta1"):
        shown = workspaces.get(installed, plane_namespace, f"workspaces.{version}.kaito.sh", "both-versions")
        assert shown["apiVersion"] == f"kaito.sh/{version}"
        assert shown["resource"]["count"] == 1


def test_kubectl_knows_short_names_and_columns(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("short"))
    head, row = installed.kubectl("get", "wk", "-n", plane_namespace, "-o", "wide").splitlines()
    narrow = ["NAME", "INSTANCE", "KIND", "RESOURCEREADY", "INFERENCEREADY", "GATEWAYREADY", "URL", "AGE"]
    assert head.split() == [*narrow, "REASON", "STATE", "TARGETNODECOUNT"]
    assert row.split()[:2] == ["short", "Standard_NC24ads_A100_v4"]


def test_an_inference_set_has_its_own_short_names_and_columns(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.inference_set("short"))
    status = {"ready": "2/3", "conditions": [], "gateway": {"url": "http://a/b"}}
    patch = json.dumps({"status": status})
    installed.kubectl("patch", "isets", "short", "-n", plane_namespace, "--subresource=status", "--type=merge", "-p", patch)
    head, row = installed.kubectl("get", "is", "-n", plane_namespace, "-o", "wide").splitlines()
    assert head.split() == ["NAME", "READY", "GATEWAYREADY", "URL", "AGE", "REASON"]
    assert row.split()[:3] == ["short", "2/3", "http://a/b"]


@pytest.mark.parametrize("made", [workspaces.workspace, workspaces.inference_set])
@pytest.mark.parametrize("version", SERVED_VERSIONS)
def test_what_nobody_has_observed_yet_says_so_and_is_waited_for(installed, plane_namespace, made, version):
    """For kstatus, by which Flux and Helm wait, it is in progress; without a status it would be ready."""
    document = {**made("unseen"), "apiVersion": f"kaito.sh/{version}"}
    kind = document["kind"]
    create = ("create", "-n", plane_namespace, "-o", "json", "-f", "-")
    answers = [json.loads(installed.kubectl(*create, input=json.dumps(document), actor="user"))]
    answers.append(workspaces.get(installed, plane_namespace, kind, "unseen"))
    installed.kubectl("apply", "--server-side", "-n", plane_namespace, "-f", "-", input=json.dumps(document), actor="user")
    answers.append(workspaces.get(installed, plane_namespace, kind, "unseen"))
    for found in answers:
        assert (found["metadata"]["generation"], found["status"]) == (1, {"observedGeneration": -1})
        assert parse_workspace_record(found, kind).status == parse_status(None, kind)
    wait = ("wait", f"{kind}/unseen", "-n", plane_namespace, "--for=condition=Ready")
    with pytest.raises(ClusterError, match="timed out"):
        installed.kubectl(*wait, "--timeout=1s")
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "m", "lastTransitionTime": "2026-11-27T18:00:00Z"}
    written = {"observedGeneration": 1, "conditions": [{**ready, "observedGeneration": 1}]}
    about = {**{name: document[name] for name in ("apiVersion", "kind", "metadata")}, "status": written}
    apply = ("apply", "--server-side", "--subresource=status", "--field-manager=workspace-ctrl", "-n", plane_namespace, "-f", "-")
    installed.kubectl(*apply, input=json.dumps(about))
    assert workspaces.get(installed, plane_namespace, kind, "unseen")["status"] == written
    installed.kubectl(*wait, KUBECTL_TIMEOUT)


def test_an_inference_set_has_a_scale_subresource(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, {**workspaces.inference_set("scaled"), "apiVersion": "kaito.sh/v1alpha1"})
    patch = json.dumps({"status": {"replicas": 1, "selector": "a=b"}})
    installed.kubectl("patch", "inferenceset", "scaled", "-n", plane_namespace, "--subresource=status", "--type=merge", "-p", patch)
    for version in ("v1alpha1", "v1beta1"):
        path = f"/apis/kaito.sh/{version}/namespaces/{plane_namespace}/inferencesets/scaled/scale"
        found = json.loads(installed.kubectl("get", "--raw", path))
        assert (found["spec"], found["status"]) == ({"replicas": 1}, {"replicas": 1, "selector": "a=b"})
    installed.kubectl("scale", "inferenceset", "scaled", "-n", plane_namespace, "--replicas=4", actor="user")
    assert workspaces.get(installed, plane_namespace, "inferenceset", "scaled")["spec"]["replicas"] == 4


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="the usual one"),
        pytest.param({"replicas": 0, "nodeCountLimit": 0}, id="none"),
        pytest.param({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}}}, id="percentage"),
        pytest.param({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2, "partition": 1}}}, id="number"),
        pytest.param(
            {"autoscaling": {"maxReplicas": 2, "minReplicas": 0, "idleAfter": "1s", "requestsHeldFor": "24h"}},
            id="shortest and longest times",
        ),
        pytest.param({"autoscaling": {"maxReplicas": 2, "minReplicas": 3}}, id="limits that contradict each other"),
        pytest.param({"autoscaling": {"maxReplicas": 2, "idleAfter": "999ms"}}, id="no idle time"),
        pytest.param({"autoscaling": {"maxReplicas": 2, "idleAfter": "0h"}}, id="zero"),
        pytest.param({"autoscaling": {"maxReplicas": 2, "idleAfter": "99999h99999h99999h99999h"}}, id="the longest duration"),
        pytest.param({"autoscaling": {"maxReplicas": 2, "requestsHeldFor": "0s"}}, id="nothing held"),
        pytest.param({"autoscaling": {"maxReplicas": 2, "requestsHeldFor": "23h60m1ms"}}, id="held for more than a day"),
        pytest.param({"autoscaling": {"maxReplicas": 2, "requestsHeldFor": "99999h99999h99999h99999h"}}, id="held for ever"),
        pytest.param(
            {"autoscaling": {"maxReplicas": 2, "target": {"metric": "kvCacheUtilization", "value": 101}}}, id="percentage above 100"
        ),
        pytest.param({"autoUpgrade": {"enabled": True, "strategy": "Surge", "maintenanceWindow": {"schedule": "x"}}}, id="upgrade"),
        pytest.param({"gateway": {"objectives": [{"name": "a", "priority": 1}], "timeout": "none"}}, id="gateway"),
        pytest.param({"replicas": -1}, id="fewer than none"),
        pytest.param({"replicas": 1001}, id="too many"),
        pytest.param({"labelSelector": None}, id="no selector"),
        pytest.param({"template": None}, id="no template"),
        pytest.param({"template": {"inference": {}}}, id="no source"),
        pytest.param({"template": {"inference": {"workloadRef": {"kind": "Deployment", "name": "x"}}}}, id="existing pods"),
        pytest.param({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}, id="nothing at a time"),
        pytest.param({"updateStrategy": {"rollingUpdate": {"maxUnavailable": "0%"}}}, id="0 %"),
        pytest.param({"updateStrategy": {"type": "Other"}}, id="another strategy"),
        pytest.param({"gateway": {"httpRouteRef": {"name": "r"}, "hostnames": ["a.b"]}}, id="route and host names"),
    ],
)
def test_api_server_and_models_judge_an_inference_set_alike(installed, plane_namespace, fields):
    document = workspaces.inference_set("tried", **fields)
    try:
        parse_inference_set("tried", document)
        told = ""
    except SpecError as error:
        told = in_set_words(str(error))
    text = json.dumps(document)
    try:
        installed.kubectl("create", "--dry-run=server", "-n", plane_namespace, "-f", "-", input=text, actor="user")
        answer = ""
    except ClusterError as error:
        answer = str(error)
    assert bool(answer) is bool(told), answer or told
    assert "is not valid" in told or told in answer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"replicas": 7, "nodeCountLimit": 9, "gateway": {"enabled": False}}, "", id="what may change"),
        pytest.param({"labelSelector": {"matchLabels": {"a": "b"}}}, "spec.labelSelector cannot be changed", id="selector"),
        pytest.param(
            {"template": {"resource": {"instanceType": "x"}}},
            "spec.template.resource.instanceType cannot be changed",
            id="instance",
        ),
        pytest.param(
            {"template": {"inference": {"preset": {"name": "phi-2"}}}}, "spec.template.inference.preset.name cannot be", id="model"
        ),
    ],
)
def test_what_cannot_change_of_an_inference_set_says_so(installed, plane_namespace, change, words):
    workspaces.apply(installed, plane_namespace, workspaces.inference_set("kept"))
    patch = ("patch", "inferenceset", "kept", "-n", plane_namespace, "--type=merge", "-p", json.dumps({"spec": change}))
    if not words:
        installed.kubectl(*patch, actor="user")
        return
    with pytest.raises(ClusterError) as raised:
        installed.kubectl(*patch, actor="user")
    assert words in str(raised.value)
    assert "create a new InferenceSet" in str(raised.value)
