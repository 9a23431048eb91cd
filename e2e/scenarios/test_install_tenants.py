"""A tenant who may write Workspaces in its namespace, and nothing else, gains no rights by them. Each way that was tried is a test."""

import json

import pytest

from e2e import workspaces
from e2e.cluster.images import VLLM_IMAGE
from e2e.release import GATE, NO_FLUX, Release
from e2e.waiting import KUBECTL_TIMEOUT
from tests.chart.rights import missing
from tests.plane.tenants import Tenant

PODS_AND_SERVICES = {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["create"]}
SERVER = {"name": "server", "image": VLLM_IMAGE, "command": ["vllm", "serve", "tiny", "--port=8080"]}
PRESET = {"preset": {"name": "phi-4-mini-instruct"}}

NOT_READ = {(verb, group, kind) for verb in ("list", "watch") for group, kind in (("batch", "jobs"),)}
"""What the controller may try and must not be allowed: kinds that a tenant names in `workloadRef`."""


@pytest.fixture(scope="module")
def installed(bare_cluster):
    """The chart without Flux: what tenants can reach by it, Flux or not, is decided before Flux is asked."""
    made = Release(bare_cluster)
    made.remove()
    made.upgrade(GATE, NO_FLUX)
    yield bare_cluster
    lacked = missing(made.events())
    made.remove()
    assert lacked <= NOT_READ


@pytest.fixture
def tenant(installed, team):
    return Tenant(installed, team)


@pytest.fixture
def developer(installed, team):
    return Tenant(installed, team, PODS_AND_SERVICES)


def workspace(inference, annotations=None, **fields):
    document = workspaces.workspace("mine", inference=inference, **fields)
    return {**document, "metadata": {"name": "mine", "annotations": annotations or {}}}


def template(**spec):
    return {"template": {"spec": {"containers": [SERVER], **spec}}}


def adapter(**volume):
    return {**PRESET, "adapters": [{"source": {"name": "lora", "volumeSource": volume}}]}


@pytest.mark.parametrize(
    ("inference", "right"),
    [
        pytest.param(template(), "create pods", id="any pod"),
        pytest.param(template(serviceAccountName="admin"), "create pods", id="somebody's ServiceAccount"),
        pytest.param({**PRESET, "weightsVolume": {"claimName": "theirs"}}, "create pods", id="somebody's claim"),
        pytest.param(adapter(secret={"secretName": "theirs"}), "create pods", id="somebody's Secret as adapter"),
        pytest.param(adapter(hostPath={"path": "/"}), "create pods", id="the node as adapter"),
        pytest.param({"workloadRef": {"kind": "Deployment", "name": "theirs"}}, "create services", id="somebody's Deployment"),
        pytest.param({"workloadRef": {"selector": {"app": "theirs"}, "targetPort": 22}}, "create services", id="somebody's pods"),
    ],
)
@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
def test_what_takes_a_right_takes_it_through_a_workspace_too(tenant, inference, right, version):
    resource = None if "workloadRef" in inference else workspaces.workspace()["resource"]
    document = workspace(inference, resource=resource) | {"apiVersion": f"kaito.sh/{version}"}
    answer = tenant.apply({key: value for key, value in document.items() if value is not None})
    assert f"need the right to {right} in namespace {tenant.namespace}, which {tenant.user} does not have" in answer
    assert workspaces.items(tenant.cluster, tenant.namespace, "workspaces,deployments,services") == []


def test_a_preset_takes_no_further_right(tenant):
    assert tenant.apply(workspace(PRESET)).startswith("ok ")
    workspaces.wait_ready(tenant.cluster, tenant.namespace, "mine", "InferenceReady")


@pytest.mark.parametrize(
    ("change", "right"),
    [
        pytest.param({"metadata": {"annotations": {"kaito.sh/enablelb": "True"}}}, "create services", id="load balancer"),
        pytest.param({"inference": adapter(secret={"secretName": "theirs"})}, "create pods", id="adapter"),
        pytest.param({"inference": {"weightsVolume": {"claimName": "theirs"}}}, "create pods", id="claim"),
    ],
)
def test_what_is_refused_at_first_is_refused_later(tenant, change, right):
    assert tenant.apply(workspace(PRESET)).startswith("ok ")
    answer = tenant.kubectl("patch", "workspace", "mine", "--type=merge", f"--patch={json.dumps(change)}")
    assert f"need the right to {right}" in answer


def test_what_somebody_else_put_there_does_not_keep_a_tenant_from_other_changes(tenant, developer):
    assert developer.apply(workspace(template())).startswith("ok ")
    assert tenant.kubectl("label", "workspace", "mine", "team=blue").startswith("ok ")
    other = {"inference": {"template": {"spec": {"serviceAccountName": "admin"}}}}
    assert "need the right" in tenant.kubectl("patch", "workspace", "mine", "--type=merge", f"--patch={json.dumps(other)}")


def test_a_status_cannot_be_made_up(tenant):
    assert tenant.apply(workspace(PRESET)).startswith("ok ")
    patch = json.dumps({"status": {"gateway": {"url": "http://elsewhere"}}})
    assert "Forbidden" in tenant.kubectl("patch", "workspace", "mine", "--subresource=status", "--type=merge", f"--patch={patch}")


def test_a_secret_is_no_workload(developer):
    reference = {"kind": "Secret", "apiVersion": "v1", "name": "theirs", "targetPort": 80}
    answer = developer.apply(workspaces.workspace("mine", resource=None, inference={"workloadRef": reference}))
    assert "inference.workloadRef.apiVersion has no workloads" in answer


def test_a_kind_that_the_controller_may_not_read_is_not_read(developer):
    cluster, namespace = developer.cluster, developer.namespace
    reference = {"kind": "Job", "apiVersion": "batch/v1", "name": "theirs", "targetPort": 80}
    document = workspaces.workspace("mine", resource=None, inference={"workloadRef": reference})
    assert developer.apply(document).startswith("ok ")
    found = workspaces.wait_reason(cluster, namespace, "mine", "WorkloadAccepted", "WorkloadNotReadable")
    assert "cannot be read: cannot list or watch" in found["message"]


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(
            {"apiVersion": "x/../../api/v1/namespaces/kube-system/configmaps/y", "kind": "Pod", "name": "z"}, id="version"
        ),
        pytest.param({"kind": "Pod/../secrets", "name": "theirs"}, id="kind"),
        pytest.param({"kind": "Deployment", "name": "../../../kube-system/secrets/x"}, id="name"),
        pytest.param({"kind": "Deployment", "name": "x,metadata.namespace!=y"}, id="selector in the name"),
    ],
)
def test_a_reference_cannot_lead_elsewhere_on_the_api_server(developer, reference):
    document = workspaces.workspace("mine", resource=None, inference={"workloadRef": reference})
    assert "must be " in developer.apply(document)


NODE = [
    pytest.param({"containers": [{**SERVER, "securityContext": {"privileged": True}}]}, "privileged containers", id="privileged"),
    pytest.param({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "hostPath volumes", id="host path"),
    pytest.param({"hostNetwork": True}, "hostNetwork", id="host network"),
    pytest.param(
        {"containers": [{**SERVER, "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]},
        "or with capabilities",
        id="capability",
    ),
]
"""Pods with access to the node."""


@pytest.mark.parametrize(("spec", "word"), NODE)
def test_templates_do_not_reach_the_node_unless_the_namespace_allows_it(developer, spec, word):
    cluster, namespace = developer.cluster, developer.namespace
    assert developer.apply(workspace(template(**spec))).startswith("ok ")
    found = workspaces.wait_reason(cluster, namespace, "mine", "WorkloadAccepted", "DryRunFailed")
    assert word in found["message"]
    assert f"or label namespace {namespace} with pod-security.kubernetes.io/enforce=privileged" in found["message"]
    assert workspaces.items(cluster, namespace, "deployments,pods") == []
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=privileged")
    workspaces.wait_ready(cluster, namespace, "mine", "WorkloadAccepted")


def test_pod_security_of_the_namespace_holds_for_templates(developer):
    cluster, namespace = developer.cluster, developer.namespace
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    assert developer.apply(workspace(template())).startswith("ok ")
    found = workspaces.wait_reason(cluster, namespace, "mine", "InferenceReady", "FailedCreate")
    assert "unrestricted capabilities" in found["message"]
    assert workspaces.items(cluster, namespace, "pods") == []


def test_a_template_stays_in_its_namespace(developer):
    inference = {"template": {"metadata": {"name": "x", "namespace": "kube-system"}, "spec": {"containers": [SERVER]}}}
    assert developer.apply(workspace(inference)).startswith("ok ")
    workspaces.wait_ready(developer.cluster, developer.namespace, "mine", "WorkloadAccepted")
    developer.cluster.kubectl("wait", "--for=create", "deployment/mine", "-n", developer.namespace, KUBECTL_TIMEOUT)
    assert workspaces.items(developer.cluster, "kube-system", "pods", "kaito.sh/workspace=mine") == []


def test_a_name_that_is_taken_is_left_alone(tenant):
    cluster, namespace = tenant.cluster, tenant.namespace
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "mine"},
        "spec": {"selector": {"app": "x"}, "ports": [{"port": 1}]},
    }
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(theirs))
    before = workspaces.get(cluster, namespace, "service", "mine")["metadata"]["resourceVersion"]
    assert tenant.apply(workspace(PRESET)).startswith("ok ")
    workspaces.wait_reason(cluster, namespace, "mine", "WorkloadAccepted", "NotOwned")
    assert workspaces.get(cluster, namespace, "service", "mine")["metadata"]["resourceVersion"] == before


@pytest.mark.parametrize("name", ["../../kube-system/configmaps/extension", "kube-root-ca.crt/../../secrets/x"])
def test_the_name_of_a_configuration_cannot_lead_elsewhere(tenant, name):
    assert tenant.apply(workspace({**PRESET, "config": name})).startswith("ok ")
    found = workspaces.wait_reason(tenant.cluster, tenant.namespace, "mine", "WorkloadAccepted", "ConfigNotFound")
    assert "(inference.config) not found" in found["message"]


def test_annotations_of_the_controller_s_own_change_nothing(tenant):
    ours = {"workspace-ctrl/applied-hash": "h0", "workspace-ctrl/node-gpus": "A100"}
    assert tenant.apply(workspace(PRESET, ours)).startswith("ok ")
    workspaces.wait_ready(tenant.cluster, tenant.namespace, "mine", "InferenceReady")
    made = workspaces.get(tenant.cluster, tenant.namespace, "deployment", "mine")["metadata"]["annotations"]
    assert made["workspace-ctrl/applied-hash"] != "h0"
    assert made.get("workspace-ctrl/node-gpus") != "A100"


def test_the_pods_of_a_preset_have_no_rights_on_the_api_server(tenant):
    assert tenant.apply(workspace(PRESET)).startswith("ok ")
    workspaces.wait_ready(tenant.cluster, tenant.namespace, "mine", "InferenceReady")
    (pod,) = workspaces.items(tenant.cluster, tenant.namespace, "pods", "kaito.sh/workspace=mine")
    assert pod["spec"]["automountServiceAccountToken"] is False
    mounts = [mount["mountPath"] for container in pod["spec"]["containers"] for mount in container.get("volumeMounts", ())]
    assert not any("serviceaccount" in mount for mount in mounts)
