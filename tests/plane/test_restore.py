"""The restore of a backup: objects of ours without their owner are told, and taken over at once on request."""

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

KINDS = ("deployment", "service", "ocirepository", "helmrelease", "httproute")


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def ours(cluster, namespace):
    """The objects of the Workspace that the controller makes, by kind."""
    found = workspaces.items(cluster, namespace, ",".join(KINDS), "app.kubernetes.io/managed-by=workspace-ctrl")
    return {item["kind"].lower(): item for item in found}


def lose_the_owner(cluster, namespace, document):
    """Put a Workspace with another uid in its place, whose objects stay without an owner, as after a restore of all of them."""
    cluster.kubectl("patch", "workspace/phi", "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    cluster.kubectl("delete", "workspace/phi", "-n", namespace, "--cascade=orphan", KUBECTL_TIMEOUT)
    for kind, item in ours(cluster, namespace).items():
        assert "ownerReferences" not in item["metadata"], kind
    workspaces.apply(cluster, namespace, document)


def test_what_was_restored_is_told_and_taken_over_by_one_command(installed, plane_namespace, behind):
    document = workspaces.workspace("phi", gateway=behind)
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    before = ours(installed, plane_namespace)
    assert set(before) == set(KINDS)
    lose_the_owner(installed, plane_namespace, document)
    with ControllerProcess(installed):
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "Ready", "NotOwned")
        assert "no owner, as after the restore of a backup; to go on with it and with all others" in found["message"]
        *command, adopt, overwrite = found["message"].rpartition("kubectl ")[2].split()
        assert (adopt, overwrite) == ("workspace-ctrl/adopt=true", "--overwrite")
        installed.kubectl(*command, adopt, overwrite, actor="user")
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        uid = workspaces.get(installed, plane_namespace, "workspace", "phi")["metadata"]["uid"]
        after = ours(installed, plane_namespace)
        for kind, item in after.items():
            assert item["metadata"]["uid"] == before[kind]["metadata"]["uid"]
            assert [owner["uid"] for owner in item["metadata"]["ownerReferences"]] == [uid], kind
        assert after["deployment"]["spec"] == before["deployment"]["spec"]  # so no pod is replaced
        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        for kind in KINDS:
            workspaces.wait_gone(installed, plane_namespace, kind, before[kind]["metadata"]["name"])


def test_with_nothing_but_the_workspace_and_helm_s_secret_all_of_it_is_made_again(installed, plane_namespace, behind):
    document = workspaces.workspace("phi", gateway=behind)
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        secrets = workspaces.items(installed, plane_namespace, "secret", "owner=helm")
        assert secrets
        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        for kind in KINDS:
            workspaces.wait_gone(
                installed, plane_namespace, kind, "phi-inferencepool" if kind.startswith(("oci", "helm")) else "phi"
            )
        for secret in secrets:
            about = {name: secret["metadata"][name] for name in ("name", "labels")}
            workspaces.apply(installed, plane_namespace, {**secret, "metadata": about})
        workspaces.apply(installed, plane_namespace, document)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
