"""The controller of the version before is replaced by this one, and the other way round, while there are 50 Workspaces of every form."""

import json
from collections import Counter

import pytest

from e2e import earlier, workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from workspace_ctrl.api.labels import OWNER_LABEL

COUNT = 50
SECONDS = 300
KINDS = (
    "deployments,services,ocirepositories,helmreleases,httproutes,inferencepools,configmaps,serviceaccounts,roles,rolebindings,"
    "statefulsets,networkpolicies,persistentvolumeclaims"
)
LABELS = (OWNER_LABEL, "helm.toolkit.fluxcd.io/name")
TEMPLATE = {"spec": {"containers": [{"name": "server", "image": "registry.example/server:v1", "ports": [{"containerPort": 8000}]}]}}


def forms(behind):
    """Workspaces as users of 0.1.0 have them: each form of model, and each form of gateway."""
    preset = {"preset": {"name": "phi-4-mini-instruct"}}
    return (
        {"inference": preset, "gateway": behind},
        {"inference": {"template": TEMPLATE}, "gateway": behind},
        {"inference": preset, "gateway": {"enabled": False}},
        {"inference": {"preset": {"name": "qwen3-0.6b"}}, "gateway": {**behind, "endpointPicker": {"replicas": 2}}},
        {"inference": preset, "gateway": behind, "apiVersion": "kaito.sh/v1alpha1"},
    )


@pytest.fixture
def fleet(gateway, plane_namespace):
    """Names and documents of the Workspaces."""
    shapes = forms(workspaces.behind(gateway, plane_namespace))
    return {f"w-{number:02}": workspaces.workspace(f"w-{number:02}", **shapes[number % len(shapes)]) for number in range(COUNT)}


@pytest.fixture
def roomy_node(installed):
    """The played node, with room for all of them."""
    before = json.loads(installed.kubectl("get", "node", installed.gpu_node_name, "-o", "json"))["status"]["capacity"]
    resize(installed, before | {"nvidia.com/gpu": str(4 * COUNT), "pods": str(8 * COUNT), "cpu": str(4 * COUNT)})
    yield
    resize(installed, before)


def resize(cluster, room):
    patch = json.dumps({"status": {"capacity": room, "allocatable": room}})
    cluster.kubectl("patch", "node", cluster.gpu_node_name, "--subresource=status", "--type=merge", "--patch", patch)


@pytest.fixture
def old_cluster(installed, roomy_node):
    """The control plane as an installation of the version before leaves it: its CRD, and no policy that came later."""
    earlier.go_back(installed)
    yield installed
    earlier.go_on(installed)


def wait_all_ready(cluster, namespace, names):
    """Wait until each is ready in all that it has asked for."""
    every = [f"workspace/{name}" for name in names]
    cluster.kubectl("wait", *every, "-n", namespace, "--for=condition=Ready", f"--timeout={SECONDS}s")


def objects(cluster, namespace):
    """All objects of Workspaces: kind and name → uid."""
    found = [
        item for item in workspaces.items(cluster, namespace, KINDS) if item["metadata"].get("labels", {}).keys() & set(LABELS)
    ]
    return {(item["kind"], item["metadata"]["name"]): item["metadata"]["uid"] for item in found}


def made(cluster, namespace):
    """What pods are made from, as the generation of each object says, which grows with every change of its spec."""
    found = workspaces.items(cluster, namespace, "deployments,ocirepositories,helmreleases")
    return {(item["kind"], item["metadata"]["name"]): item["metadata"]["generation"] for item in found}


def waiting(cluster, namespace):
    """The Workspaces of which a change of pods waits, and what they say."""
    found = {}
    for item in workspaces.items(cluster, namespace, "workspaces"):
        for condition in item["status"]["conditions"]:
            if condition["reason"] == "UpdateWaits":
                found[item["metadata"]["name"]] = condition["message"]
    return found


def settle(cluster, namespace, names, marker):
    """Wait until all that this controller changes is rolled out: keys are worked on in order, so a later Workspace is ready after them."""
    workspaces.apply(cluster, namespace, workspaces.workspace(marker, gateway={"enabled": False}))
    cluster.kubectl("wait", f"workspace/{marker}", "-n", namespace, "--for=condition=Ready", f"--timeout={SECONDS}s")
    cluster.kubectl("delete", "workspace", marker, "-n", namespace, KUBECTL_TIMEOUT)
    for kind in ("deployment", "service"):
        workspaces.wait_gone(cluster, namespace, kind, marker)
    wait_all_ready(cluster, namespace, names)
    until(lambda: all(map(is_rolled_out, workspaces.items(cluster, namespace, "deployments"))), "the Deployments", SECONDS)
    wait_all_ready(cluster, namespace, names)


def is_rolled_out(deployment):
    status, spec = deployment["status"], deployment["spec"]
    counts = {status.get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    return status["observedGeneration"] == deployment["metadata"]["generation"] and counts == {spec["replicas"]}


@pytest.mark.timeout(1500)
def test_fifty_workspaces_are_taken_over_by_this_version_and_given_back(old_cluster, plane_namespace, fleet, capsys):
    cluster, source = old_cluster, earlier.earlier()
    with ControllerProcess(cluster, source=source):
        workspaces.apply(cluster, plane_namespace, *fleet.values())
        settle(cluster, plane_namespace, fleet, "before")
    first, pods = objects(cluster, plane_namespace), made(cluster, plane_namespace)
    owners = Counter(kind for kind, _ in first)
    assert owners["Deployment"] >= COUNT

    earlier.go_on(cluster)
    with ControllerProcess(cluster) as controller:
        settle(cluster, plane_namespace, fleet, "after")
        writes = controller.writes(plane_namespace)
    with capsys.disabled():
        print(f"\n  {COUNT} Workspaces of {earlier.VERSION}: writes {dict(writes)}")
    assert objects(cluster, plane_namespace) == first  # the same objects, none twice, none left over
    assert made(cluster, plane_namespace) == pods
    assert waiting(cluster, plane_namespace).keys() == fleet.keys()

    with ControllerProcess(cluster) as controller:  # also after a restart
        settle(cluster, plane_namespace, fleet, "again")
        assert made(cluster, plane_namespace) == pods
        update(cluster, plane_namespace, "w-00")
    updated = {("Deployment", "w-00"), ("HelmRelease", "w-00-inferencepool"), ("Deployment", "w-00-inferencepool-epp")}
    assert changed(pods, made(cluster, plane_namespace)) == updated
    assert waiting(cluster, plane_namespace).keys() == fleet.keys() - {"w-00"}

    pods = made(cluster, plane_namespace)
    earlier.go_back(cluster)
    with ControllerProcess(cluster, source=source):
        settle(cluster, plane_namespace, fleet, "back")
    assert objects(cluster, plane_namespace) == first
    assert {name.partition("-inferencepool")[0] for _, name in changed(pods, made(cluster, plane_namespace))} == {"w-00"}
    for name in fleet:
        cluster.kubectl("delete", "workspace", name, "-n", plane_namespace, "--wait=false")
    with ControllerProcess(cluster, source=source):
        until(lambda: objects(cluster, plane_namespace) == {}, "everything to be removed", SECONDS)
    assert json.loads(cluster.kubectl("get", "workspaces", "-n", plane_namespace, "-o", "json"))["items"] == []


def update(cluster, namespace, name):
    """Have the change of pods of a Workspace that waits, as its message says, and wait until it is rolled out."""
    command = waiting(cluster, namespace)[name].rpartition("to have it now: kubectl ")[2]
    assert "vulnerabilities" in waiting(cluster, namespace)[name]
    cluster.kubectl(*command.split())
    until(lambda: name not in waiting(cluster, namespace), "the change to wait no more")
    settle(cluster, namespace, [name], f"{name}-updated")


def changed(before, after):
    """The objects whose generation is another one now."""
    return {key for key, generation in after.items() if before[key] != generation}
