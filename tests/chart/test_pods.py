"""All pods of the chart: those of the controller, the list of models, the page, the check before an uninstallation and helm test."""

import pytest

from tests.chart.helm import GATE, NAMESPACE, find, render, render_on

ALL = {**GATE, "flux2": {"enabled": False}, "ui": {"enabled": True}, "modelIndex": {"enabled": True}}
IDS = {"runAsUser": 65532, "runAsGroup": 65532}
OPENSHIFT = "security.openshift.io/v1"
OF_ALL_PODS = {
    "imagePullSecrets": [{"name": "registry-login"}],
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
}


def pods(manifests):
    """Return labels and spec of each pod, by the name of its object."""
    found = {}
    for each in manifests:
        template = each if each["kind"] == "Pod" else each.get("spec", {}).get("template", {})
        if "containers" in template.get("spec", {}):
            found[each["metadata"]["name"]] = (template["metadata"]["labels"], template["spec"])
    assert {name.removeprefix("workspace-ctrl") for name in found} == {"", "-models", "-ui", "-uninstall-check", "-test"}
    return found


def only(found):
    """Return the value that all have."""
    assert all(each == found[0] for each in found), found
    return found[0]


@pytest.mark.parametrize("field", OF_ALL_PODS)
def test_what_is_set_for_pods_is_set_for_all(field):
    for values, expected in (({field: OF_ALL_PODS[field]}, OF_ALL_PODS[field]), ({}, None)):
        assert only([spec.get(field) for _, spec in pods(render({**ALL, **values})).values()]) == expected


def test_labels_are_those_of_all_pods_and_change_no_selector():
    with_labels, without = (render({**ALL, **values}) for values in ({"podLabels": {"team": "platform"}}, {}))
    for name, (labels, _) in pods(without).items():
        assert pods(with_labels)[name][0] == labels | {"team": "platform"}
    selectors = [[each["spec"]["selector"] for each in one if each["kind"] == "Deployment"] for one in (with_labels, without)]
    assert selectors[0] == selectors[1]


def test_requests_and_limits_of_all_pods_can_be_set():
    chosen = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}
    values = {"resources": chosen, "hookResources": chosen, "modelIndex": {"enabled": True, "resources": chosen}}
    found = pods(render({**ALL, **values, "ui": {"enabled": True, "resources": chosen}}))
    assert only([container["resources"] for _, spec in found.values() for container in spec["containers"]]) == chosen
    defaults = pods(render(ALL))
    assert all(container["resources"]["limits"]["memory"] for _, spec in defaults.values() for container in spec["containers"])


def contexts(manifests):
    """Return the security context of all pods, and that of all containers."""
    specs = [spec for _, spec in pods(manifests).values()]
    of_containers = [container["securityContext"] for spec in specs for container in spec["containers"]]
    return only([spec["securityContext"] for spec in specs]), only(of_containers)


RESTRICTED = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
OF_CONTAINERS = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize(
    ("apis", "values", "expected"),
    [
        pytest.param((), {}, RESTRICTED | IDS, id="Kubernetes"),
        pytest.param((OPENSHIFT,), {}, RESTRICTED, id="OpenShift"),
        pytest.param((), dict.fromkeys(IDS), RESTRICTED, id="OpenShift that Helm does not see"),
        pytest.param((OPENSHIFT,), {"runAsUser": 1000700000}, RESTRICTED | {"runAsUser": 1000700000}, id="an id of one's own"),
        pytest.param((), {"fsGroup": 7}, RESTRICTED | IDS | {"fsGroup": 7}, id="merged"),
    ],
)
def test_all_pods_are_restricted_with_ids_where_the_namespace_has_none(apis, values, expected):
    manifests = render_on(apis, {**ALL, "podSecurityContext": values})
    assert contexts(manifests) == (expected, OF_CONTAINERS)


def test_all_pods_are_restricted_without_the_values_as_with_those_of_an_earlier_version():
    manifests = render({**ALL, "podSecurityContext": None, "securityContext": None})  # helm upgrade --reuse-values
    assert contexts(manifests) == (RESTRICTED | IDS, OF_CONTAINERS)


def test_the_context_of_containers_is_merged_too():
    manifests = render({**ALL, "securityContext": {"readOnlyRootFilesystem": None, "privileged": False}})
    expected = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "privileged": False}
    assert contexts(manifests)[1] == expected


@pytest.mark.parametrize("peers", [[{"podSelector": {"matchLabels": {"app": "prometheus"}}}], [{"namespaceSelector": {}}]])
def test_helm_test_may_read_the_metrics_whoever_else_may(peers):
    manifests = render({**ALL, "networkPolicy": {"metricsFrom": peers}})
    rule = find(manifests, "NetworkPolicy", "workspace-ctrl")["spec"]["ingress"][0]
    *others, own = rule["from"]
    assert others == peers
    assert own["podSelector"]["matchLabels"].items() <= find(manifests, "Pod")["metadata"]["labels"].items()
    assert find(manifests, "Pod")["metadata"]["namespace"] == NAMESPACE
    everyone = render({**ALL, "networkPolicy": {"metricsFrom": []}})
    assert "from" not in find(everyone, "NetworkPolicy", "workspace-ctrl")["spec"]["ingress"][0]
