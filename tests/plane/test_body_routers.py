"""Body-based routers of Gateways: one for all Workspaces behind it, from the first to the last of them."""

import json
import secrets

import pytest
import yaml

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

ROUTER = "inference-gateway-body-router"
KINDS = "ocirepository,helmrelease,deployment,service,envoyfilter,destinationrule"
SELECTOR = "workspace-ctrl/body-router"


@pytest.fixture
def gateways(installed):
    """A namespace with a Gateway, apart from the Workspaces."""
    name = f"gateways-{secrets.token_hex(4)}"
    installed.kubectl("create", "namespace", name)
    workspaces.apply(installed, name, *workspaces.played_gateway())
    yield name
    installed.kubectl("delete", "gateway", "inference-gateway", "-n", name)
    installed.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def other_namespace(installed):
    name = f"other-{secrets.token_hex(4)}"
    installed.kubectl("create", "namespace", name)
    yield name
    installed.kubectl("delete", "workspaces", "--all", "-n", name, "--wait=false")
    installed.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def config(installed, tmp_path):
    """Write a settings file; the answer is the option that names it."""

    def write(mode="managed", **chart):
        source = {"url": installed.chart_source_url("body-based-routing"), "insecure": True, **chart}
        path = tmp_path / f"{secrets.token_hex(4)}.yaml"
        path.write_text(yaml.safe_dump({"bodyBasedRouting": {"mode": mode, "chart": source}}))
        return f"--config={path}"

    return write


def by_model(gateways):
    return {**workspaces.behind("inference-gateway", gateways), "match": {"header": True}}


def ready(cluster, namespace, name="phi"):
    workspaces.wait_ready(cluster, namespace, name, "Ready")
    workspaces.wait_ready(cluster, namespace, name, "BodyRoutingReady")


def parts(cluster, gateways):
    return sorted(item["kind"] for item in workspaces.items(cluster, gateways, KINDS, SELECTOR))


def wait_gone(cluster, gateways):
    for kind in ("helmrelease", "ocirepository", "deployment", "service", "envoyfilter"):
        workspaces.wait_gone(cluster, gateways, kind, ROUTER)


def wait_untold(cluster, namespace):
    """Wait until nothing is said of a router any more: such a change of the status is written up to some seconds later."""
    until(lambda: workspaces.condition(cluster, namespace, "phi", "BodyRoutingReady") == {}, "no word of a body-based router")


def test_it_comes_with_the_first_workspace_is_shared_and_goes_with_the_last(
    installed, plane_namespace, other_namespace, gateways, config
):
    cluster, one, two = installed, plane_namespace, other_namespace
    presets = {one: "phi-4-mini-instruct", two: "phi-4"}
    with ControllerProcess(cluster, config()) as controller:
        by_path = workspaces.workspace("by-path", gateway=workspaces.behind("inference-gateway", gateways))
        workspaces.apply(cluster, one, by_path)
        workspaces.wait_ready(cluster, one, "by-path", "Ready")
        assert parts(cluster, gateways) == []
        assert workspaces.condition(cluster, one, "by-path", "BodyRoutingReady") == {}
        for namespace, preset in presets.items():
            document = workspaces.workspace("phi", inference={"preset": {"name": preset}}, gateway=by_model(gateways))
            workspaces.apply(cluster, namespace, document)
        for namespace in presets:
            ready(cluster, namespace)
        assert parts(cluster, gateways) == [
            "Deployment",
            "DestinationRule",
            "EnvoyFilter",
            "HelmRelease",
            "OCIRepository",
            "Service",
        ]
        writes = controller.writes(gateways)
        # The source, the release, and the release again, to connect what runs.
        assert (writes["patch", "ocirepositories"], writes["patch", "helmreleases"]) == (1, 2)
        cluster.kubectl("delete", "workspace", "phi", "-n", one, KUBECTL_TIMEOUT, actor="user")
        assert workspaces.get(cluster, gateways, "helmrelease", ROUTER)["metadata"].get("deletionTimestamp") is None
    with ControllerProcess(cluster, config()) as restarted:
        # A Workspace made now shows that the others were looked at before it.
        workspaces.apply(cluster, one, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(cluster, one, "later", "Ready")
        assert restarted.writes(gateways) == {}
        assert restarted.writes(two) == {}
        # The last one lets go of it, and stays.
        document = workspaces.workspace(
            "phi", inference={"preset": {"name": "phi-4"}}, gateway=workspaces.behind("inference-gateway", gateways)
        )
        workspaces.apply(cluster, two, document)
        wait_gone(cluster, gateways)
        workspaces.wait_ready(cluster, two, "phi", "Ready")
        wait_untold(cluster, two)
        assert restarted.writes(gateways)["delete", "helmreleases"] == 1


def test_what_is_left_when_it_is_switched_off_is_taken_away(installed, plane_namespace, gateways, config):
    cluster, namespace = installed, plane_namespace
    with ControllerProcess(cluster, config()):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=by_model(gateways)))
        ready(cluster, namespace)
    with ControllerProcess(cluster):
        wait_gone(cluster, gateways)
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        wait_untold(cluster, namespace)


def test_one_that_cannot_be_installed_is_told_and_keeps_nobody_from_the_model(installed, plane_namespace, gateways, config):
    cluster, namespace = installed, plane_namespace
    foreign = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": ROUTER},
        "spec": {"interval": "1h", "url": "oci://registry.invalid/charts/other", "suspend": True},
    }
    workspaces.apply(cluster, gateways, foreign)
    with ControllerProcess(cluster, config(version="v1.5.9"), "--refusal-interval=1"):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=by_model(gateways)))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        refused = workspaces.wait_reason(cluster, namespace, "phi", "BodyRoutingReady", "ApplyRefused")
        assert f"OCIRepository {gateways}/{ROUTER}: " in refused["message"]
        assert "conflict" in refused["message"]
        cluster.kubectl("delete", "ocirepository", ROUTER, "-n", gateways, actor="user")
        missing = workspaces.wait_reason(cluster, namespace, "phi", "BodyRoutingReady", "OCIArtifactPullFailed")
        assert f"body-based router of Gateway {gateways}/inference-gateway: " in missing["message"]
        assert "the registry does not have this chart version" in missing["message"]
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")


def test_one_that_is_down_makes_every_workspace_of_its_gateway_say_so(installed, plane_namespace, gateways, config):
    cluster, namespace = installed, plane_namespace
    by_path = workspaces.workspace("by-path", gateway=workspaces.behind("inference-gateway", gateways))
    with ControllerProcess(cluster, config()):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=by_model(gateways)), by_path)
        ready(cluster, namespace)
        workspaces.wait_ready(cluster, namespace, "by-path", "Ready")
        cluster.kubectl("scale", f"deployment/{ROUTER}", "-n", gateways, "--replicas=0", actor="user")
        for name in ("phi", "by-path"):
            found = workspaces.wait_reason(cluster, namespace, name, "GatewayReady", "BodyRouterNotReady")
            told = (
                f"Deployment {gateways}/{ROUTER} (body-based router of Gateway {gateways}/inference-gateway) has no ready replica"
            )
            assert told in found["message"]
        cluster.kubectl("scale", f"deployment/{ROUTER}", "-n", gateways, "--replicas=1", actor="user")
        ready(cluster, namespace)
        workspaces.wait_ready(cluster, namespace, "by-path", "Ready")


def test_what_somebody_changes_in_its_flux_objects_is_brought_back(installed, plane_namespace, gateways, config):
    cluster, namespace = installed, plane_namespace
    with ControllerProcess(cluster, config()):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=by_model(gateways)))
        ready(cluster, namespace)
        change = json.dumps({"spec": {"values": {"provider": {"name": "none"}}}})
        cluster.kubectl("patch", "helmrelease", ROUTER, "-n", gateways, "--type=merge", "-p", change, actor="user")
        path = "--for=jsonpath={.spec.values.provider.name}=istio"
        cluster.kubectl("wait", f"helmrelease/{ROUTER}", "-n", gateways, path, KUBECTL_TIMEOUT)
        cluster.kubectl("delete", "ocirepository", ROUTER, "-n", gateways, actor="user")
        cluster.kubectl("wait", "--for=create", f"ocirepository/{ROUTER}", "-n", gateways, KUBECTL_TIMEOUT)
        ready(cluster, namespace)
