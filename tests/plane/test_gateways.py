"""Gateways and routes before Istio's judge: what is admitted, what conflicts, and what belongs to others."""

import json
import secrets
from contextlib import ExitStack

import pytest
import yaml

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

ROUTE = "gateway.networking.k8s.io/v1"
BY_MODEL = {"match": {"header": True}}


def closed_gateway(name, allowed):
    """A played Gateway whose listener admits only some namespaces."""
    gateway, *others = workspaces.played_gateway(name)
    gateway["spec"]["listeners"][0]["allowedRoutes"] = allowed
    return [gateway, *others]


@pytest.fixture
def gateways(installed):
    """A namespace for Gateways, apart from that of the Workspaces."""
    name = f"gateways-{secrets.token_hex(4)}"
    installed.kubectl("create", "namespace", name)
    yield name
    installed.kubectl("delete", "namespace", name, "--wait=false")


def headers_of(cluster, namespace, name):
    rules = workspaces.get(cluster, namespace, "httproute", name)["spec"]["rules"]
    return [header["value"] for rule in rules for match in rule["matches"] for header in match.get("headers", ())]


def labelled(name, shard):
    return {"name": name, "labels": {"shard": shard}}


def test_a_listener_that_does_not_admit_the_namespace_is_said_with_the_line_that_does(installed, plane_namespace, gateways):
    cluster, namespace = installed, plane_namespace
    both = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [gateways, namespace]}
    admitted = {"namespaces": {"from": "Selector", "selector": {"matchExpressions": [both]}}}
    by_team = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}}
    workspaces.apply(cluster, gateways, *closed_gateway("same", {"namespaces": {"from": "Same"}}))
    workspaces.apply(cluster, gateways, *closed_gateway("labelled", by_team))
    same, by_label = ({"name": name, "namespace": gateways} for name in ("same", "labelled"))
    with ControllerProcess(cluster):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway={"parentRefs": [same]}))
        found = workspaces.wait_reason(cluster, namespace, "phi", "GatewayReady", "NotAllowedByListeners")
        assert f"listener http of Gateway {gateways}/same accepts routes from namespace {gateways} only" in found["message"]
        line = found["message"].partition("set in that listener: allowedRoutes: ")[2]
        assert yaml.safe_load(line) == admitted
        workspaces.apply(cluster, gateways, *closed_gateway("same", admitted))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        workspaces.apply(cluster, namespace, workspaces.workspace("phi-too", gateway={"parentRefs": [same, by_label]}))
        found = workspaces.wait_reason(cluster, namespace, "phi-too", "GatewayReady", "NotAllowedByListeners")
        admitted = f"Gateway {gateways}/labelled accepts routes from namespaces that match team=a"
        assert f"{admitted}; change the labels of namespace {namespace}" in found["message"]
        cluster.kubectl("label", "namespace", namespace, "team=a", actor="user")
        workspaces.wait_ready(cluster, namespace, "phi-too", "Ready")
        status = workspaces.get(cluster, namespace, "workspace", "phi-too")["status"]["gateway"]
        assert status["gateways"] == [f"{gateways}/same", f"{gateways}/labelled"]
        assert len(status["urls"]) == 2


def test_an_unknown_listener_is_said(installed, plane_namespace, gateway):
    refs = {"parentRefs": [{"name": gateway, "namespace": plane_namespace, "sectionName": "https"}]}
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", gateway=refs))
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "ListenerNotFound")
        assert found["message"].endswith("has no listener https; its listeners: http")


def test_the_older_of_two_has_the_model_s_name_and_the_younger_gets_it_when_the_older_goes(installed, plane_namespace, gateway):
    cluster, namespace = installed, plane_namespace
    spec = {**workspaces.behind(gateway, namespace), **BY_MODEL}
    names = ["a-older", "b-younger"]
    with ControllerProcess(cluster):
        for name in names:
            workspaces.apply(cluster, namespace, workspaces.workspace(name, gateway=spec))
        workspaces.wait_ready(cluster, namespace, "a-older", "Ready")
        found = workspaces.wait_reason(cluster, namespace, "b-younger", "GatewayReady", "ModelNameConflict")
        assert f"are already routed to Workspace {namespace}/a-older" in found["message"]
        assert "phi-4-mini-instruct" in headers_of(cluster, namespace, "a-older")
        cluster.kubectl("wait", "httproute/b-younger", "-n", namespace, "--for=create", KUBECTL_TIMEOUT)
        assert headers_of(cluster, namespace, "b-younger") == []
    with ControllerProcess(cluster) as restarted:
        # A Workspace made now shows that the others were looked at before it.
        workspaces.apply(cluster, namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(cluster, namespace, "later", "Ready")
        writes = restarted.writes(namespace)
        assert writes["patch", "httproutes"] == 0
        cluster.kubectl("delete", "workspace", "a-older", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
        workspaces.wait_ready(cluster, namespace, "b-younger", "Ready")
        assert "phi-4-mini-instruct" in headers_of(cluster, namespace, "b-younger")


def test_a_workspace_of_another_shard_that_was_there_before_keeps_the_model_s_name(installed, plane_namespace, gateway):
    cluster, namespace = installed, plane_namespace
    spec = {**workspaces.behind(gateway, namespace), **BY_MODEL}

    def make(name, shard):
        workspaces.apply(cluster, namespace, workspaces.workspace(name, gateway=spec, metadata=labelled(name, shard)))

    with ControllerProcess(cluster, "--shard-selector", "shard=b"), ControllerProcess(cluster, "--shard-selector", "shard=a"):
        make("older", "b")
        workspaces.wait_ready(cluster, namespace, "older", "Ready")
        make("a-younger", "a")  # which goes before by its name, not by its age
        found = workspaces.wait_reason(cluster, namespace, "a-younger", "GatewayReady", "ModelNameConflict")
        assert (
            f"are already routed to Workspace or InferenceSet {namespace}/older" in found["message"]
        )  # of another shard: not seen
        cluster.kubectl("wait", "httproute/a-younger", "-n", namespace, "--for=create", KUBECTL_TIMEOUT)
        assert headers_of(cluster, namespace, "a-younger") == []
        assert workspaces.condition(cluster, namespace, "older", "GatewayReady")["status"] == "True"
        cluster.kubectl("delete", "workspace", "older", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
        workspaces.wait_ready(cluster, namespace, "a-younger", "Ready")
        assert "phi-4-mini-instruct" in headers_of(cluster, namespace, "a-younger")


def test_of_two_shards_workspaces_made_at_once_one_has_the_model_s_name_and_both_processes_agree_on_it(
    installed, plane_namespace, gateway
):
    cluster, namespace = installed, plane_namespace
    spec = {**workspaces.behind(gateway, namespace), **BY_MODEL}
    both = [workspaces.workspace(f"of-{shard}", gateway=spec, metadata=labelled(f"of-{shard}", shard)) for shard in "ab"]

    def reasons():
        found = workspaces.items(cluster, namespace, "workspace")
        conditions = {entry["metadata"]["name"]: entry.get("status", {}).get("conditions", ()) for entry in found}
        return {name: entry["reason"] for name, said in conditions.items() for entry in said if entry["type"] == "GatewayReady"}

    with ControllerProcess(cluster, "--shard-selector", "shard=b"), ControllerProcess(cluster, "--shard-selector", "shard=a"):
        workspaces.apply(cluster, namespace, *both)

        def they_agree():
            """Say whether the oldest route has the name by both statuses and both routes; which is the oldest, each learns later."""
            routes = workspaces.items(cluster, namespace, "httproute")
            if {route["metadata"]["name"] for route in routes} != {"of-a", "of-b"}:
                return False
            oldest = min(routes, key=lambda route: (route["metadata"]["creationTimestamp"], route["metadata"]["name"]))
            winner = oldest["metadata"]["name"]
            said = {name: "GatewayConfigured" if name == winner else "ModelNameConflict" for name in ("of-a", "of-b")}
            has_name = {name: headers_of(cluster, namespace, name) != [] for name in said}
            return reasons() == said and has_name == {name: name == winner for name in said}

        until(they_agree, "one that has it")


def test_a_route_of_the_user_is_checked_and_never_written(installed, plane_namespace, gateway):
    cluster, namespace = installed, plane_namespace
    route = {
        "apiVersion": ROUTE,
        "kind": "HTTPRoute",
        "metadata": {"name": "mine"},
        "spec": {
            "parentRefs": [{"name": gateway}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/mine"}}],
                    "backendRefs": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "other"}],
                }
            ],
        },
    }
    document = workspaces.workspace("phi", gateway={"httpRouteRef": {"name": "mine"}})
    with ControllerProcess(cluster) as controller:
        workspaces.apply(cluster, namespace, document)
        workspaces.wait_reason(cluster, namespace, "phi", "RouteReady", "GatewayNotChosen")
        workspaces.apply(cluster, namespace, route)
        workspaces.wait_ready(cluster, namespace, "phi", "ChartReady")
        found = workspaces.wait_reason(cluster, namespace, "phi", "GatewayReady", "RefsInvalid")
        assert "does not route to phi-inferencepool (its InferencePools: other)" in found["message"]
        route["spec"]["rules"][0]["backendRefs"][0]["name"] = "phi-inferencepool"
        workspaces.apply(cluster, namespace, route)
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        assert workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"].endswith("/mine")
        assert workspaces.items(cluster, namespace, "httproute", "workspace-ctrl/workspace=phi") == []
        assert controller.writes(namespace)["patch", "httproutes"] == 0


def kthena_crd():
    """A ModelServer's CRD, as far as its being served matters."""
    schema = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "modelservers.networking.serving.volcano.sh"},
        "spec": {
            "group": "networking.serving.volcano.sh",
            "scope": "Namespaced",
            "names": {"kind": "ModelServer", "plural": "modelservers", "singular": "modelserver", "listKind": "ModelServerList"},
            "versions": [version],
        },
    }


def gateway_class(name, controller):
    return {
        "apiVersion": ROUTE,
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": controller},
    }


@pytest.fixture
def apply_for_all(installed):
    """Applies what belongs to no namespace; it is gone afterwards."""
    with ExitStack() as made:

        def apply(document):
            target = f"{document['kind']}/{document['metadata']['name']}"
            made.callback(installed.kubectl, "delete", target, "--ignore-not-found", KUBECTL_TIMEOUT)
            installed.kubectl("apply", "-f", "-", input=json.dumps(document))

        yield apply


def test_a_companion_comes_and_goes_with_the_gateway_s_class(installed, plane_namespace, gateway, apply_for_all):
    cluster, namespace = installed, plane_namespace
    with ControllerProcess(cluster):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, namespace)))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        apply_for_all(gateway_class("kthena-router", "volcano.sh/kthena-router"))

        def set_class(name):
            change = json.dumps({"spec": {"gatewayClassName": name}})
            cluster.kubectl("patch", "gateway", gateway, "-n", namespace, "--type=merge", "-p", change, actor="user")

        set_class("kthena-router")
        found = workspaces.wait_reason(cluster, namespace, "phi", "RouteReady", "CRDsNotAvailable")
        assert "install the CRDs of kthena" in found["message"]
        apply_for_all(kthena_crd())
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        server = workspaces.get(cluster, namespace, "modelserver", "phi")
        assert server["spec"]["workloadSelector"] == {"matchLabels": {"kaito.sh/workspace": "phi"}}
        found = workspaces.condition(cluster, namespace, "phi", "RouteReady")
        assert "kthena-router ignores timeouts" in found["message"]
        set_class("istio")
        workspaces.wait_gone(cluster, namespace, "modelserver", "phi")
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        until(
            lambda: "companion" not in workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"],
            "no word of the ModelServer",
        )


def test_a_gateway_that_cannot_be_reached_from_here_is_not_called_broken(installed, plane_namespace, gateway):
    cluster, namespace = installed, plane_namespace
    with ControllerProcess(cluster, "--probe", "models"):
        workspaces.apply(cluster, namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, namespace)))
        workspaces.wait_ready(cluster, namespace, "phi", "Ready")
        probe = workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["lastProbe"]
        assert probe["outcome"] == "NotPossible"
        found = workspaces.condition(cluster, namespace, "phi", "GatewayReady")
        assert "not probed: " in found["message"]
        assert "the controller cannot connect to" in found["message"]
    with ControllerProcess(cluster, "--probe", "models") as restarted:
        workspaces.apply(cluster, namespace, workspaces.workspace("later", gateway={"enabled": False}))
        workspaces.wait_ready(cluster, namespace, "later", "Ready")
        log = "\n".join(restarted.log)
        assert f"{namespace}/phi: Ready" not in log
        assert workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["lastProbe"] == probe
