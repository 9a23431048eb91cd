"""Objects that stand where ours would: refused with a way out, and taken over when the user says so."""

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

ADOPT = "workspace-ctrl/adopt"
LABEL = "workspace-ctrl/workspace"


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def deployment(name="phi", container="mine", **metadata):
    """A Deployment as a user, or KAITO, writes it."""
    labels = {"kaito.sh/workspace": name}
    pod = {"containers": [{"name": container, "image": "example/mine:1"}], "tolerations": [{"key": "mine", "operator": "Exists"}]}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, **metadata}, "spec": spec}


def service(name="phi", port=80, **metadata):
    spec = {"selector": {"kaito.sh/workspace": name}, "ports": [{"name": "http", "port": port, "targetPort": 5000}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **metadata}, "spec": spec}


def annotate(cluster, namespace, value):
    cluster.kubectl("annotate", "workspace", "phi", "-n", namespace, f"{ADOPT}{value}", "--overwrite", actor="user")


def owner_of(cluster, namespace, kind, name="phi"):
    owners = workspaces.get(cluster, namespace, kind, name)["metadata"].get("ownerReferences", [])
    return [(owner["kind"], owner["name"]) for owner in owners]


@pytest.mark.parametrize(
    ("document", "condition"),
    [
        pytest.param(deployment(), "WorkloadAccepted", id="deployment"),
        pytest.param(service(port=81), "InferenceReady", id="service"),
    ],
)
def test_an_object_of_a_user_is_refused_until_it_is_handed_over(installed, plane_namespace, document, condition):
    kind = document["kind"]
    workspaces.apply(installed, plane_namespace, document)
    before = workspaces.get(installed, plane_namespace, kind, "phi")
    with ControllerProcess(installed, "--refusal-interval=1", gate=False):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "Ready", "NotOwned")
        assert found["message"] == (
            f"{kind} {plane_namespace}/phi already exists and was not created for this Workspace; delete it, rename the Workspace, or "
            "adopt it, so that it is changed now and later deleted with the Workspace: "
            f"kubectl label {kind.lower()} phi -n {plane_namespace} {LABEL}=phi && "
            f"kubectl annotate workspace phi -n {plane_namespace} {ADOPT}={kind}"
        )
        assert workspaces.get(installed, plane_namespace, kind, "phi")["spec"] == before["spec"]
        assert owner_of(installed, plane_namespace, kind) == []

        # The annotation alone is not enough: who may write Workspaces may not hand over what others may change.
        annotate(installed, plane_namespace, f"={kind}")
        found = workspaces.wait_message(installed, plane_namespace, "phi", "Ready", "so workspace-ctrl does not change it")
        assert f"kubectl label {kind.lower()} phi -n {plane_namespace} {LABEL}=<Workspace>" in found["message"]
        assert owner_of(installed, plane_namespace, kind) == []
        installed.kubectl("label", kind, "phi", "-n", plane_namespace, f"{LABEL}=phi", actor="user")
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        after = workspaces.get(installed, plane_namespace, kind, "phi")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert owner_of(installed, plane_namespace, kind) == [("Workspace", "phi")]
        if kind == "Deployment":
            pod = after["spec"]["template"]["spec"]
            assert [container["name"] for container in pod["containers"]] == ["vllm"]
            assert "mine" not in [toleration.get("key") for toleration in pod.get("tolerations", [])]
        else:
            assert [port["port"] for port in after["spec"]["ports"]] == [80]

        annotate(installed, plane_namespace, "-")
        installed.kubectl("delete", kind, "phi", "-n", plane_namespace, actor="user")
        installed.kubectl("wait", f"{kind}/phi", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        assert owner_of(installed, plane_namespace, kind) == [("Workspace", "phi")]


def test_an_object_that_happens_to_be_what_we_would_write_is_not_taken_in_silence(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, service())
    with ControllerProcess(installed, gate=False):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
        workspaces.wait_reason(installed, plane_namespace, "phi", "Ready", "NotOwned")
        assert owner_of(installed, plane_namespace, "service") == []
        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, actor="user")
        workspaces.wait_gone(installed, plane_namespace, "deployment", "phi")
        assert workspaces.get(installed, plane_namespace, "service", "phi")["metadata"].get("labels") in (None, {})


def test_an_object_that_belongs_to_a_controller_is_left_to_it(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, deployment("owner"))
    uid = workspaces.get(installed, plane_namespace, "deployment", "owner")["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "owner", "uid": uid, "controller": True}
    workspaces.apply(installed, plane_namespace, deployment(ownerReferences=[owner]))
    before = workspaces.get(installed, plane_namespace, "deployment", "phi")
    with ControllerProcess(installed, gate=False):
        document = workspaces.workspace("phi")
        document["metadata"]["annotations"] = {ADOPT: "true"}
        workspaces.apply(installed, plane_namespace, document)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "Ready", "NotOwned")
        assert found["message"].startswith(
            f"Deployment {plane_namespace}/phi is owned by Deployment owner, which would revert changes"
        )
        after = workspaces.get(installed, plane_namespace, "deployment", "phi")
        assert after["spec"] == before["spec"]
        assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]


def kaito(cluster, namespace):
    """What KAITO 0.7 has made of the Workspace: its workload, Service and Flux objects, owned by it."""
    uid = workspaces.get(cluster, namespace, "workspace", "phi")["metadata"]["uid"]
    reference = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "phi", "uid": uid}
    owners = [{**reference, "controller": True, "blockOwnerDeletion": True}]
    name = "phi-inferencepool"
    source = {"interval": "0s", "url": cluster.chart_source_url(), "ref": {"tag": "v1.5.0"}, "insecure": True}
    values = {
        "inferenceExtension": {"image": {"pullPolicy": "IfNotPresent"}},
        "inferencePool": {"targetPorts": [{"number": 5000}], "modelServers": {"matchLabels": {"kaito.sh/workspace": "phi"}}},
    }
    release = {"interval": "0s", "chartRef": {"kind": "OCIRepository", "name": name, "namespace": namespace}, "values": values}
    about = {"name": name, "ownerReferences": owners}
    return [
        deployment(container="phi", ownerReferences=owners),
        service(ownerReferences=owners),
        {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "OCIRepository", "metadata": about, "spec": source},
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": about, "spec": release},
    ]


def test_what_kaito_left_is_recognised_and_taken_over_on_request(installed, plane_namespace, behind):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", gateway=behind))
    workspaces.apply(installed, plane_namespace, *kaito(installed, plane_namespace))
    release = ("helmrelease/phi-inferencepool", "-n", plane_namespace)
    installed.kubectl("wait", *release, "--for=condition=Ready", KUBECTL_TIMEOUT)
    before = {
        kind: workspaces.get(installed, plane_namespace, kind, "phi-inferencepool") for kind in ("helmrelease", "inferencepool")
    }
    with ControllerProcess(installed):
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "Ready", "NotOwned")
        assert found["message"] == (
            f"Deployment {plane_namespace}/phi was created for this Workspace by another controller, such as KAITO; stop that "
            f"controller, then adopt it: kubectl annotate workspace phi -n {plane_namespace} {ADOPT}=Deployment"
        )
        annotate(installed, plane_namespace, "=true")
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        for kind, old in before.items():
            after = workspaces.get(installed, plane_namespace, kind, "phi-inferencepool")
            assert after["metadata"]["uid"] == old["metadata"]["uid"]
        spec = workspaces.get(installed, plane_namespace, "helmrelease", "phi-inferencepool")["spec"]
        assert spec["interval"] == "30m"
        assert "namespace" not in spec["chartRef"]
        annotate(installed, plane_namespace, "-")
        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        for kind in ("deployment", "service"):
            workspaces.wait_gone(installed, plane_namespace, kind, "phi")
        assert (
            workspaces.items(installed, plane_namespace, "inferencepool,helmrelease,configmap", "workspace-ctrl/workspace=phi")
            == []
        )


def test_a_pool_of_somebody_else_is_not_taken_over_by_flux_in_silence(installed, plane_namespace, behind):
    pool = {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": {"name": "phi-inferencepool"},
        "spec": {
            "selector": {"matchLabels": {"app": "mine"}},
            "targetPorts": [{"number": 8000}],
            "endpointPickerRef": {"name": "mine", "port": {"number": 9002}},
        },
    }
    workspaces.apply(installed, plane_namespace, pool)
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", gateway=behind))
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "InstallFailed")
        assert "cannot be imported into the current release" in found["message"]
        assert found["message"].endswith(
            "; an object of that name exists that Helm does not manage; delete it, or rename the Workspace"
        )
        assert workspaces.get(installed, plane_namespace, "inferencepool", "phi-inferencepool")["spec"]["selector"] == {
            "matchLabels": {"app": "mine"}
        }
        installed.kubectl("delete", "inferencepool", "phi-inferencepool", "-n", plane_namespace, actor="user")
        ask = ("annotate", "helmrelease/phi-inferencepool", "-n", plane_namespace, "reconcile.fluxcd.io/requestedAt=now")
        installed.kubectl(*ask, actor="user")
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
