"""The chart for chosen namespaces, one of which is deleted with what serves in it."""

import json
from functools import partial

import pytest

from e2e import workspaces
from e2e.release import GATE, wait_answered
from e2e.waiting import KUBECTL_TIMEOUT, until

pytestmark = pytest.mark.timeout(900)


def test_a_namespace_of_the_scope_can_be_deleted_and_the_release_upgraded_and_uninstalled(release, team, behind):
    cluster = release.cluster
    cluster.kubectl("create", "namespace", f"{team}-n")
    scope = {"scope": {"namespaces": [f"{team}-n", team]}}
    release.upgrade(GATE, scope)
    for name in ("phi", "other"):
        workspaces.apply(cluster, f"{team}-n", workspaces.workspace(name, gateway=behind))
        workspaces.wait_ready(cluster, f"{team}-n", name, "Ready")

    cluster.kubectl("delete", "namespace", f"{team}-n", KUBECTL_TIMEOUT, actor="user")

    release.upgrade(GATE, scope)  # with the namespace still among its values
    workspaces.apply(cluster, team, workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, team, "phi", "Ready")
    wait_answered(cluster, team, "phi", "phi-4-mini-instruct")
    cluster.kubectl("delete", "workspace", "phi", "-n", team, KUBECTL_TIMEOUT, actor="user")
    gone = release.helm("uninstall", "workspace-ctrl", "--wait", KUBECTL_TIMEOUT)
    assert not gone.returncode, gone.stdout + gone.stderr


def test_a_namespace_that_is_deleted_while_the_controller_is_away_goes_when_it_is_back(release, team, behind):
    cluster = release.cluster
    cluster.kubectl("create", "namespace", f"{team}-n")
    release.upgrade(GATE, {"scope": {"namespaces": [f"{team}-n"]}})
    workspaces.apply(cluster, f"{team}-n", workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, f"{team}-n", "phi", "Ready")
    cluster.kubectl("scale", "deployment/workspace-ctrl", "-n", "workspace-ctrl", "--replicas=0")
    cluster.kubectl(
        "wait", "pods", "-l", "app.kubernetes.io/name=workspace-ctrl", "-n", "workspace-ctrl", "--for=delete", KUBECTL_TIMEOUT
    )
    # As long as the namespace controller sees pods, it looks again only after half of their grace period.
    cluster.kubectl("scale", "deployment/phi", "-n", f"{team}-n", "--replicas=0")
    cluster.kubectl("delete", "pods", "--all", "-n", f"{team}-n", "--now")
    cluster.kubectl("delete", "namespace", f"{team}-n", "--wait=false", actor="user")
    role = ("role/workspace-ctrl-workspace-ctrl", "-n", f"{team}-n")
    cluster.kubectl("wait", *role, "--for=delete", KUBECTL_TIMEOUT)
    cluster.kubectl("scale", "deployment/workspace-ctrl", "-n", "workspace-ctrl", "--replicas=1")
    cluster.kubectl("wait", f"namespace/{team}-n", "--for=delete", KUBECTL_TIMEOUT)


def test_the_controller_writes_workspaces_only_in_its_scope(release, team):
    cluster = release.cluster
    cluster.kubectl("create", "namespace", f"{team}-n")
    release.upgrade(GATE, {"scope": {"namespaces": [f"{team}-n"]}})
    account = "system:serviceaccount:workspace-ctrl:workspace-ctrl"
    for namespace in (team, f"{team}-n"):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi"))
    patch = json.dumps({"metadata": {"finalizers": ["workspace-ctrl/gateway"]}})  # which the other policies allow
    cluster.kubectl("create", "clusterrole", team, "--verb=get", "--resource=workspaces.kaito.sh")  # kubectl reads before it writes
    cluster.kubectl("create", "clusterrolebinding", team, f"--clusterrole={team}", f"--user={account}")
    command = (f"--as={account}", "patch", "workspace", "phi", "--type=merge", f"--patch={patch}")

    def may_read(namespace):
        return not cluster.kubectl_result(f"--as={account}", "get", "workspace", "phi", "-n", namespace).returncode

    for namespace in (team, f"{team}-n"):  # the API server learns of the role and its binding as every watcher does
        until(partial(may_read, namespace), "the right to read to be in force")
    tried = {namespace: cluster.kubectl_result(*command, "-n", namespace) for namespace in (team, f"{team}-n")}
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", team)
    assert "only in the namespaces of its scope" in tried[team].stderr
    assert not tried[f"{team}-n"].returncode, tried[f"{team}-n"].stderr
    cluster.kubectl("delete", "namespace", f"{team}-n", KUBECTL_TIMEOUT, actor="user")
