"""The controller's rights: reviewed as a list, used all of them, and none missing."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from e2e import workspaces
from e2e.cluster import llm_d
from e2e.release import ACCOUNT, GATE, NAMESPACE, NO_FLUX
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.chart.rights import granted, used

REVIEWED = Path(__file__).parent / "rights"
UNSEEN = {
    ("update", "kaito.sh", f"{plural}/finalizers"): "asked for by admission, which leaves no call: without it nothing could be made"
    for plural in ("workspaces", "inferencesets")
}
"""Rights whose use is not in the audit log."""
EVERYBODYS = (" ", "selfsubject")
"""Paths that are no resources, and questions on oneself."""
LARGE = {"name": "example/model", "size": {"weights": "140Gi"}}
SMALL = {"name": "example/model", "size": {"weights": "7Gi"}}
OBJECTIVES = ("inferenceobjectives.inference.networking.x-k8s.io", "inferenceobjectives.llm-d.ai")
KEPT = ",".join(
    ("deployment,statefulset,service,persistentvolumeclaim,poddisruptionbudget,ocirepository,helmrelease,httproute", *OBJECTIVES)
)


def allowed(cluster, namespace):
    """What the controller may do in a namespace beyond what everybody may, one line for each resource, in the API server's words."""
    said = cluster.kubectl("auth", "can-i", "--list", f"--as={ACCOUNT}", "-n", namespace).splitlines()[1:]
    lines = (re.sub(r"  +", "  ", line).strip() for line in said if not line.startswith(EVERYBODYS))
    return sorted(lines)


def reviewed(name):
    """The reviewed list of that name."""
    return (REVIEWED / f"{name}.txt").read_text().splitlines()


@pytest.mark.parametrize(("values", "name"), [pytest.param({}, "gate-off", id="off"), pytest.param(GATE, "gate-on", id="on")])
def test_the_rights_are_the_reviewed_ones(release, team, values, name):
    release.upgrade(values, NO_FLUX)
    everywhere, at_home = allowed(release.cluster, team), allowed(release.cluster, NAMESPACE)
    assert everywhere == reviewed(name)
    assert at_home == sorted([*everywhere, *reviewed("own-namespace")])


def disturb(cluster, namespace):
    """Make the controller apply again each object that it has made, and wait until it has."""
    for item in workspaces.items(cluster, namespace, KEPT, "app.kubernetes.io/managed-by=workspace-ctrl"):
        group, _, version = item["apiVersion"].rpartition("/")
        kind = f"{item['kind'].lower()}.{version}.{group}" if group else item["kind"].lower()
        target = f"{kind}/{item['metadata']['name']}"
        ours = item["metadata"]["annotations"]["workspace-ctrl/applied-hash"]
        cluster.kubectl("annotate", target, "-n", namespace, "workspace-ctrl/applied-hash=other", "--overwrite")
        path = f"--for=jsonpath={{.metadata.annotations['workspace-ctrl/applied-hash']}}={ours}"
        cluster.kubectl("wait", target, "-n", namespace, path, KUBECTL_TIMEOUT)


def leave_behind(cluster, namespace, behind):
    """Take the ServiceAccount that Flux works as away before the Workspace, so that Flux leaves the chart's objects to the controller."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "installer"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "installer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "installer", "namespace": namespace}],
    }
    left = workspaces.workspace("left", gateway={**behind, "serviceAccountName": "installer"})
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input="\n---\n".join(map(json.dumps, (account, binding))))
    workspaces.apply(cluster, namespace, left)
    workspaces.wait_ready(cluster, namespace, "left")
    cluster.kubectl("delete", "rolebinding/installer", "serviceaccount/installer", "-n", namespace)
    cluster.kubectl("delete", "workspace", "left", "-n", namespace, KUBECTL_TIMEOUT)


@pytest.fixture
def objectives_of_llm_d(first_release):
    """The CRD of llm-d's InferenceObjective."""
    first_release.cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(llm_d.OBJECTIVES_CRD))
    workspaces.wait_served(first_release.cluster, OBJECTIVES[1])
    yield
    first_release.cluster.kubectl("delete", "crd", OBJECTIVES[1], KUBECTL_TIMEOUT)


def lease_renewed(cluster):
    return workspaces.get(cluster, NAMESPACE, "lease", "workspace-ctrl")["spec"]["renewTime"]


def exercise(release, team, behind):
    """Let the controller do everything that it can do."""
    cluster = release.cluster
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"inference_config.yaml": "vllm: {}"}}
    inference = {"preset": {"name": "phi-4-mini-instruct"}, "config": "flags"}
    objectives = [{"name": "interactive", "priority": 10}]
    phi = workspaces.workspace("phi", inference=inference, gateway={**behind, "objectives": objectives})
    stored = {"preset": {"name": "phi-4-mini-instruct"}, "weightsVolume": {"size": "10Gi"}}
    off = {"enabled": False}
    # A user's rule for the endpoint picker, which the chart brings as well, is taken over.
    rule = workspaces.destination_rule("phi-inferencepool-epp")
    workspaces.apply(cluster, team, rule, config, phi, workspaces.workspace("stored", inference=stored, gateway=off))
    workspaces.apply(cluster, team, workspaces.inference_set("copies", gateway=behind, replicas=2))
    for name, size in (("shrinks", LARGE), ("grows", SMALL)):
        workspaces.apply(cluster, team, workspaces.workspace(name, inference={"preset": size}, gateway=off))
        workspaces.wait_ready(cluster, team, name, "WorkloadAccepted")
    workspaces.wait_ready(cluster, team, "phi")
    workspaces.wait_ready(cluster, team, "phi", "ObjectivesReady")
    for name, size, old in (("shrinks", SMALL, "statefulset"), ("grows", LARGE, "deployment")):
        cluster.kubectl("wait", "--for=create", f"{old}/{name}", "-n", team, KUBECTL_TIMEOUT)
        workspaces.apply(cluster, team, workspaces.workspace(name, inference={"preset": size}, gateway=off))
        workspaces.wait_gone(cluster, team, old, name)
    # Which objectives the endpoint picker of another pool reads is not known, so they are made in both API groups.
    borrowing = {**behind, "pool": {"ref": {"name": "phi-inferencepool"}}}
    workspaces.apply(cluster, team, workspaces.workspace("borrows", gateway={**borrowing, "objectives": objectives}))
    for kind in OBJECTIVES:
        cluster.kubectl("wait", f"{kind}/borrows.interactive", "-n", team, "--for=create", KUBECTL_TIMEOUT)
    disturb(cluster, team)
    # The node has no GPU for a further model beside two copies.
    cluster.kubectl("scale", "inferenceset", "copies", "-n", team, "--replicas=1", actor="user")
    workspaces.wait_gone(cluster, team, "poddisruptionbudget", "copies")
    workspaces.apply(cluster, team, workspaces.workspace("borrows", gateway=borrowing))
    for kind in OBJECTIVES:
        workspaces.wait_gone(cluster, team, kind, "borrows.interactive")
    leave_behind(cluster, team, behind)
    # Somebody else's write makes the holder look at its Lease again.
    cluster.kubectl("annotate", "lease", "workspace-ctrl", "-n", NAMESPACE, "example.com/looked-at=yes", "--overwrite")
    renewed = lease_renewed(cluster)
    until(lambda: lease_renewed(cluster) != renewed, "the holder to renew its Lease")
    workspaces.apply(cluster, team, {**phi, "gateway": off})
    workspaces.wait_gone(cluster, team, "ocirepository", "phi-inferencepool")
    workspaces.wait_gone(cluster, team, OBJECTIVES[0], "phi.interactive")
    workspaces.wait_reason(cluster, team, "copies", "Ready", "Ready", kind="inferenceset")
    cluster.kubectl("delete", "inferenceset", "copies", "-n", team, KUBECTL_TIMEOUT)
    for name in ("phi", "borrows", "stored", "shrinks", "grows"):
        cluster.kubectl("delete", "workspace", name, "-n", team, KUBECTL_TIMEOUT)
    # The audit log tells of a watch when it ends.
    cluster.kubectl("scale", "deployment/workspace-ctrl", "-n", NAMESPACE, "--replicas=0")
    cluster.kubectl("wait", "pods", "-l", "app.kubernetes.io/name=workspace-ctrl", "-n", NAMESPACE, "--for=delete", KUBECTL_TIMEOUT)


@pytest.mark.usefixtures("objectives_of_llm_d")
def test_every_right_is_used_and_none_is_missing(first_release, team, behind):
    first_release.upgrade(GATE)
    exercise(first_release, team, behind)
    assert first_release.forbidden() == {}

    rights = granted(GATE)

    def unused():
        return rights - used(first_release.events())

    with suppress(AssertionError):  # the next line says which
        until(lambda: unused() == set(UNSEEN), "the ends of all watches in the audit log, which come a moment after the pod's")
    assert unused() == set(UNSEEN)


def test_with_chosen_namespaces_there_are_no_rights_in_others_and_none_is_missing(release, team):
    cluster = release.cluster
    release.upgrade(GATE, NO_FLUX, {"scope": {"namespaces": [team]}})
    workspaces.apply(cluster, team, workspaces.workspace("phi", gateway={"enabled": False}))
    workspaces.wait_ready(cluster, team, "phi", "Ready")
    assert release.forbidden() == {}
    for right in (("list", "pods"), ("patch", "deployments"), ("get", "configmaps"), ("create", "helmreleases")):
        assert cluster.kubectl("auth", "can-i", *right, f"--as={ACCOUNT}", "-n", "default", check=False).strip() == "no"
