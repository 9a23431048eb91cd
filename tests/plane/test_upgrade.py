"""The controller of the version before is replaced by this one, and the other way round, while there are 50 Workspaces of every form."""

import json
from collections import Counter

import pytest
import yaml

from e2e import earlier, policies, workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until
from workspace_ctrl.api.crd import crd
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
def old_cluster(installed):
    """The control plane as an installation of the version before leaves it: its CRD, and no policy that came later."""
    source = earlier.earlier()
    go_back(installed, source)
    yield installed
    apply_crd(installed, yaml.safe_dump(crd()))
    policies.install(installed)


def go_back(cluster, source):
    """Leave the CRD as it was, and no policy that came later, as a rollback of the chart does."""
    documents = policies.rendered(policies.values(cluster))
    cluster.kubectl("delete", "-f", "-", "--ignore-not-found", input=yaml.safe_dump_all(documents))
    apply_crd(cluster, (source / "charts/workspace-ctrl/files/kaito.sh_workspaces.yaml").read_text())


def apply_crd(cluster, document):
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=document)
    workspaces.wait_established(cluster, "workspaces.kaito.sh")


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


def pod_templates(cluster, namespace):
    return {item["metadata"]["name"]: item["spec"]["template"] for item in workspaces.items(cluster, namespace, "deployments")}


def settle(cluster, namespace, names, marker):
    """Wait until all that this controller changes is rolled out: keys are worked on in order, so a later Workspace is ready after them."""
    workspaces.apply(cluster, namespace, workspaces.workspace(marker, gateway={"enabled": False}))
    cluster.kubectl("wait", f"workspace/{marker}", "-n", namespace, "--for=condition=Ready", f"--timeout={SECONDS}s")
    cluster.kubectl("delete", "workspace", marker, "-n", namespace, "--timeout=60s")
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
    first, templates = objects(cluster, plane_namespace), pod_templates(cluster, plane_namespace)
    owners = Counter(kind for kind, _ in first)
    assert owners["Deployment"] >= COUNT

    apply_crd(cluster, yaml.safe_dump(crd()))
    policies.install(cluster)
    with ControllerProcess(cluster) as controller:
        settle(cluster, plane_namespace, fleet, "after")
        writes = controller.writes(plane_namespace)
    after = pod_templates(cluster, plane_namespace)
    changed = {name for name, template in templates.items() if after[name] != template}
    with capsys.disabled():
        print(
            f"\n  {COUNT} Workspaces of {earlier.VERSION}: writes {dict(writes)}; pod templates changed: {len(changed)} of {len(after)}"
        )
    assert objects(cluster, plane_namespace) == first  # the same objects, none twice, none left over

    with ControllerProcess(cluster) as controller:  # once is enough: what was rolled out is not rolled out again
        settle(cluster, plane_namespace, fleet, "again")
    assert pod_templates(cluster, plane_namespace) == after

    go_back(cluster, source)
    with ControllerProcess(cluster, source=source):
        settle(cluster, plane_namespace, fleet, "back")
    assert objects(cluster, plane_namespace) == first
    for name in fleet:
        cluster.kubectl("delete", "workspace", name, "-n", plane_namespace, "--wait=false")
    with ControllerProcess(cluster, source=source):
        until(lambda: objects(cluster, plane_namespace) == {}, "everything to be removed", SECONDS)
    assert json.loads(cluster.kubectl("get", "workspaces", "-n", plane_namespace, "-o", "json"))["items"] == []
