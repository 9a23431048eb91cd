"""A group of Workspaces on a real API server: who owns its route, what each change costs, and what is refused."""

import json
import subprocess
import sys

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

GROUP = "chat"


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def member(name, behind, **group):
    return workspaces.workspace(name, gateway={**behind, "group": {"name": GROUP, **group}})


def route(cluster, namespace):
    return workspaces.get(cluster, namespace, "httproute", GROUP)


def shared(cluster, namespace):
    """The weights in the route of the group, and its owners."""
    metadata = route(cluster, namespace)["metadata"]
    owners = {owner["name"] for owner in metadata["ownerReferences"]}
    return metadata["annotations"]["workspace-ctrl/group-weights"], owners


def has_route(cluster, namespace):
    return any(found["metadata"]["name"] == GROUP for found in workspaces.items(cluster, namespace, "httproutes"))


def wait_shared(cluster, namespace, weights, *owners):
    until(
        lambda: has_route(cluster, namespace) and shared(cluster, namespace) == (weights, set(owners)),
        f"the route of the group to have the weights {weights}",
    )


def patch(cluster, namespace, name, group):
    cluster.kubectl(
        "patch", "workspace", name, "-n", namespace, "--type=merge", "-p", json.dumps({"gateway": {"group": group}}), actor="user"
    )


def test_the_route_follows_its_members_costs_one_write_a_change_and_goes_with_the_last(installed, plane_namespace, behind):
    with ControllerProcess(installed) as controller:
        made = [member("v1", behind, weight=90), member("v2", behind, weight=10)]
        workspaces.apply(installed, plane_namespace, *made)
        for name in ("v1", "v2"):
            workspaces.wait_ready(installed, plane_namespace, name, "GroupReady")
            workspaces.wait_ready(installed, plane_namespace, name, "Ready")
        wait_shared(installed, plane_namespace, "v1=90,v2=10", "v1", "v2")

        def members():
            found = workspaces.get(installed, plane_namespace, "workspace", "v2")["status"]["gateway"]["group"]["members"]
            return [(entry["name"], entry["weight"], entry["current"], entry["ready"]) for entry in found]

        # News of another member are progress, which is written some seconds later.
        until(lambda: members() == [("v1", 90, 90, True), ("v2", 10, 10, True)], "both members to be ready by the status of one")

        before = controller.writes(plane_namespace)
        patch(installed, plane_namespace, "v2", {"weight": 50})
        wait_shared(installed, plane_namespace, "v1=90,v2=50", "v1", "v2")
        path = "--for=jsonpath={.status.gateway.group.members[1].current}=50"
        installed.kubectl("wait", "workspace/v1", "workspace/v2", "-n", plane_namespace, path, KUBECTL_TIMEOUT)
        made = controller.writes(plane_namespace) - before
        assert made["patch", "httproutes"] == 1
        assert made.keys() == {("patch", "httproutes"), ("patch", "workspaces/status")}

        version = route(installed, plane_namespace)["metadata"]["resourceVersion"]
        installed.kubectl("label", "httproute", GROUP, "-n", plane_namespace, "team=a", actor="user")
        until(lambda: route(installed, plane_namespace)["metadata"]["resourceVersion"] != version, "the label to be there")

        for label in ("group", "workspace"):
            installed.kubectl("label", "httproute", GROUP, "-n", plane_namespace, f"workspace-ctrl/{label}-", actor="user")
            workspaces.wait_ready(installed, plane_namespace, "v1", "GroupReady")
            until(
                lambda name=f"workspace-ctrl/{label}": name in route(installed, plane_namespace)["metadata"]["labels"],
                "the label of ours to be there again",
            )

    with ControllerProcess(installed) as restarted:
        workspaces.apply(installed, plane_namespace, member("v3", behind, fallback=True))
        workspaces.wait_ready(installed, plane_namespace, "v3", "GroupReady")
        wait_shared(installed, plane_namespace, "v1=90,v2=50", "v1", "v2", "v3")
        patch(installed, plane_namespace, "v2", None)
        wait_shared(installed, plane_namespace, "v1=90", "v1", "v3")
        installed.kubectl("delete", "workspace", "v1", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        wait_shared(installed, plane_namespace, "v3=100", "v3")
        assert route(installed, plane_namespace)["metadata"]["labels"]["team"] == "a"
        installed.kubectl("delete", "workspace", "v3", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        workspaces.wait_gone(installed, plane_namespace, "httproute", GROUP)
        assert restarted.writes(plane_namespace)["delete", "httproutes"] >= 1
        workspaces.wait_ready(installed, plane_namespace, "v2", "Ready")


def paths(cluster, namespace):
    """The paths that each route matches, by its name."""
    found = workspaces.items(cluster, namespace, "httproutes")
    return {
        entry["metadata"]["name"]: {match["path"]["value"] for rule in entry["spec"]["rules"] for match in rule["matches"]}
        for entry in found
    }


def test_a_workspace_hands_its_path_over_to_its_group_and_takes_it_back_with_the_end_of_that(installed, plane_namespace, behind):
    path = f"/{plane_namespace}/{GROUP}"
    with ControllerProcess(installed) as controller:
        workspaces.apply(installed, plane_namespace, workspaces.workspace("v1", gateway={**behind, "match": {"path": path}}))
        workspaces.wait_ready(installed, plane_namespace, "v1", "Ready")
        assert paths(installed, plane_namespace) == {"v1": {path}}
        patch(installed, plane_namespace, "v1", {"name": GROUP})
        until(
            lambda: paths(installed, plane_namespace) == {"v1": {f"/{plane_namespace}/v1"}, GROUP: {path}},
            "the route of the group to have the path",
        )
        workspaces.wait_ready(installed, plane_namespace, "v1", "GroupReady")
        workspaces.wait_ready(installed, plane_namespace, "v1", "Ready")
        patch(installed, plane_namespace, "v1", None)
        until(lambda: paths(installed, plane_namespace) == {"v1": {path}}, "the Workspace to have its path again")
        workspaces.wait_ready(installed, plane_namespace, "v1", "Ready")
        assert controller.writes(plane_namespace)["delete", "httproutes"] == 1


def test_names_that_are_taken_are_told_and_nothing_of_others_is_changed(installed, plane_namespace, behind):
    own = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": GROUP},
        "spec": {"parentRefs": behind["parentRefs"], "hostnames": ["mine.example.com"]},
    }
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, own)
        workspaces.apply(installed, plane_namespace, member("v1", behind))
        found = workspaces.wait_reason(installed, plane_namespace, "v1", "GroupReady", "NotOwned")
        assert "was not created for group chat" in found["message"]
        assert route(installed, plane_namespace)["spec"]["hostnames"] == ["mine.example.com"]
        workspaces.wait_ready(installed, plane_namespace, "v1", "Ready")
        installed.kubectl("delete", "httproute", GROUP, "-n", plane_namespace, actor="user")
        patch(installed, plane_namespace, "v1", {"weight": 7})
        wait_shared(installed, plane_namespace, "v1=7", "v1")

        workspaces.apply(installed, plane_namespace, workspaces.workspace(GROUP, gateway=behind))
        found = workspaces.wait_reason(installed, plane_namespace, GROUP, "RouteReady", "PathConflict")
        assert "already routed to group chat" in found["message"]
        elsewhere = {**behind, "match": {"path": f"/{plane_namespace}/elsewhere"}}
        workspaces.apply(installed, plane_namespace, workspaces.workspace(GROUP, gateway=elsewhere))
        found = workspaces.wait_reason(installed, plane_namespace, GROUP, "RouteReady", "NotOwned")
        assert "is the route of group chat" in found["message"]
        assert shared(installed, plane_namespace) == ("v1=7", {"v1"})


@pytest.fixture
def cli(installed, plane_namespace):
    """Runs a command as the author of the Workspaces."""
    place = ["--kubeconfig", str(installed.kubeconfig_for("user")), "-n", plane_namespace]

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "workspace_ctrl", *arguments, *place], capture_output=True, text=True, check=False
        )

    return run


def test_a_canary_whose_figures_are_unknown_stays_in_its_step_until_its_author_decides(installed, plane_namespace, behind, cli):
    steps = {"steps": [25, 100], "interval": "5s"}
    with ControllerProcess(installed) as controller:
        workspaces.apply(installed, plane_namespace, member("v1", behind), member("v2", behind, canary=steps))
        wait_shared(installed, plane_namespace, "v1=75,v2=25", "v1", "v2")
        found = workspaces.wait_reason(installed, plane_namespace, "v2", "CanaryProgressing", "CanaryFiguresUnknown")
        assert found["status"] == "Unknown"
        assert "25 % of the requests" in found["message"]
        told = cli("status", "v2").stdout
        assert "CanaryProgressing" in told

        assert "is no canary" in cli("promote", "v1").stderr
        before = controller.writes(plane_namespace)
        done = cli("promote", "v2")
        assert (done.returncode, "gets all requests of its group" in done.stdout) == (0, True), done.stderr
        wait_shared(installed, plane_namespace, "v2=100", "v1", "v2")
        workspaces.wait_reason(installed, plane_namespace, "v2", "CanaryProgressing", "CanaryPromoted")
        assert (controller.writes(plane_namespace) - before)["patch", "httproutes"] == 1
        assert cli("abort", "v2").returncode == 0
        wait_shared(installed, plane_namespace, "v1=100", "v1", "v2")
        workspaces.wait_reason(installed, plane_namespace, "v2", "CanaryProgressing", "CanaryAborted")

    with ControllerProcess(installed) as restarted:
        # Another member's pass shows that this process plans the route: it has the canary's share from the status.
        workspaces.apply(installed, plane_namespace, member("v3", behind, weight=100))
        wait_shared(installed, plane_namespace, "v1=100,v3=100", "v1", "v2", "v3")
        patch(installed, plane_namespace, "v2", {"canary": {"steps": [50], "interval": "5s"}})
        wait_shared(installed, plane_namespace, "v1=25,v2=50,v3=25", "v1", "v2", "v3")
        assert restarted.is_running
