"""Rights in the rendered chart: none too general, those of the gateway side with the gate alone, Roles for chosen namespaces."""

import pytest

from tests.chart.helm import GATE, NAMESPACE, find, render
from workspace_ctrl.cache.watches import GATEWAY_SIDE, INFERENCE_OBJECTIVES, WATCHED
from workspace_ctrl.settings.workspace_scope import Scope

GATEWAY_GROUPS = {watched.resource.group for watched in WATCHED if watched.name in GATEWAY_SIDE} - {"", "apps"}
_RIGHTS = {"serviceaccounts", "roles", "rolebindings", "namespaces"}


def rules(manifests, kind="ClusterRole", ending="workspace-ctrl"):
    return find(manifests, kind, ending)["rules"]


def groups(listed):
    return {group for rule in listed for group in rule["apiGroups"]}


@pytest.mark.parametrize("values", [{}, GATE, {**GATE, "scope": {"namespaces": ["a"]}}], ids=["off", "on", "namespaces"])
def test_no_rule_is_general_and_none_reaches_secrets_or_rights(values):
    for each in render(values):
        if each["kind"] in {"Role", "ClusterRole"}:
            for rule in each["rules"]:
                assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
                assert not {"secrets", "pods/exec"} & set(rule["resources"])
                if _RIGHTS & set(rule["resources"]):
                    assert not {"get", "create", "update", "patch"} & set(rule["verbs"])
                assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_every_watched_kind_can_be_watched():
    can = {
        (group, resource)
        for rule in rules(render(GATE))
        if {"list", "watch"} <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert {(watched.resource.group, watched.resource.plural) for watched in WATCHED} <= can


@pytest.mark.parametrize("resource", INFERENCE_OBJECTIVES.values(), ids=lambda resource: resource.group)
def test_what_is_watched_only_where_somebody_asks_for_it_can_be_written_too(resource):
    (given,) = [rule for rule in rules(render(GATE)) if rule["apiGroups"] == [resource.group]]
    assert (given["resources"], given["verbs"]) == ([resource.plural], ["list", "watch", "create", "patch", "delete"])
    assert resource.group not in groups(rules(render()))


def test_rights_of_the_gateway_side_come_and_go_with_the_gate():
    assert not GATEWAY_GROUPS & groups(rules(render()))
    assert groups(rules(render(GATE))) >= GATEWAY_GROUPS
    assert groups(rules(render({"gatewayRemoval": True}))) >= GATEWAY_GROUPS


def test_body_based_routers_need_no_right_that_pools_do_not():
    assert rules(render({**GATE, "bodyBasedRouting": {"mode": "managed"}})) == rules(render(GATE))


def test_chosen_namespaces_get_roles_and_the_cluster_only_what_has_no_namespace():
    values = {**GATE, "scope": {"namespaces": ["a", "b"], "gatewaysEverywhere": False}, "rbac": {"removal": False}}
    manifests = render(values)
    everywhere = {resource for rule in rules(manifests) for resource in rule["resources"]}
    assert everywhere == {"nodes", "gatewayclasses", "namespaces"}
    roles = [each for each in manifests if each["kind"] == "Role" and each["metadata"]["namespace"] != NAMESPACE]
    assert {each["metadata"]["namespace"] for each in roles} == {"a", "b"}
    assert all(groups(each["rules"]) >= GATEWAY_GROUPS for each in roles)


def test_finalizers_are_taken_off_by_rights_that_do_not_go_with_the_namespace_and_reach_no_other():
    values = {**GATE, "scope": {"namespaces": ["a", "b"]}}
    manifests = render(values)
    (given,) = [rule for rule in rules(manifests) if rule["apiGroups"] == ["kaito.sh"]]
    assert (given["resources"], given["verbs"]) == (["workspaces", "inferencesets"], ["list", "watch", "patch"])
    limit = find(manifests, "ValidatingAdmissionPolicy", "-scope")["spec"]
    assert [entry["expression"] for entry in limit["validations"]] == ['request.namespace in ["a","b"]']
    account = f"system:serviceaccount:{NAMESPACE}:workspace-ctrl"
    assert [entry["expression"] for entry in limit["matchConditions"]] == [f'request.userInfo.username == "{account}"']
    for without in ({**values, "rbac": {"removal": False}}, {"scope": values["scope"]}, GATE):
        assert not [each for each in render(without) if each["metadata"]["name"].endswith("-scope")]


def test_of_leases_only_its_own_where_its_name_is_known_beforehand():
    def names(values):
        return rules(render(values), "Role", "-leases")[1].get("resourceNames")

    assert names({}) == [Scope().lease_name("workspace-ctrl")]
    assert names({"scope": {"namespaces": ["a"]}}) is None  # its name has a hash then


def test_a_kind_for_workload_ref_is_listed_and_its_scale_is_read():
    values = {"rbac": {"workloadKinds": [{"apiGroup": "leaderworkerset.x-k8s.io", "resource": "leaderworkersets"}]}}
    given = [rule for rule in rules(render(values)) if rule["apiGroups"] == ["leaderworkerset.x-k8s.io"]]
    assert [(rule["resources"], rule["verbs"]) for rule in given] == [
        (["leaderworkersets"], ["list", "watch"]),
        (["leaderworkersets/scale"], ["get"]),
    ]


def test_the_secret_of_probes_is_the_only_one_that_can_be_read():
    manifests = render({**GATE, "probe": {"secret": {"namespace": "models", "name": "login"}}})
    role = find(manifests, "Role", "-probe")
    assert role["metadata"]["namespace"] == "models"
    assert role["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["login"]}]


def test_kthena_s_kind_is_written_only_where_asked_for():
    group = "networking.serving.volcano.sh"
    assert group not in groups(rules(render(GATE)))
    assert group in groups(rules(render({**GATE, "rbac": {"kthena": True}})))
