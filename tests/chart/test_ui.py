"""The page in the cluster: off by default, and without any right, token or way in of its own."""

import pytest

from tests.chart.helm import GATE, find, render

ON = {"ui": {"enabled": True}}


def of_ui(values):
    return [each for each in render(values) if each["metadata"]["name"].endswith("-ui")]


def pod(values):
    return find(render(values), "Deployment", "-ui")["spec"]["template"]["spec"]


def test_it_is_off_by_default():
    assert of_ui(GATE) == []
    assert {each["kind"] for each in of_ui(ON)} == {"ServiceAccount", "Service", "Deployment", "NetworkPolicy"}


def test_it_has_no_rights_and_no_token():
    with_it, without = render({**GATE, **ON}), render(GATE)
    account = find(with_it, "ServiceAccount", "-ui")
    assert account["automountServiceAccountToken"] is False
    spec = pod(ON)
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == (account["metadata"]["name"], False)
    assert [volume for volume in spec["volumes"] if "configMap" not in volume] == []
    roles = [[each for each in manifests if "rbac" in each["apiVersion"]] for manifests in (with_it, without)]
    assert roles[0] == roles[1]


def test_its_pod_is_restricted():
    controller = find(render(), "Deployment", "workspace-ctrl")["spec"]["template"]["spec"]
    assert pod(ON)["securityContext"] == controller["securityContext"]
    assert pod(ON)["containers"][0]["securityContext"] == controller["containers"][0]["securityContext"]


def test_nothing_that_selects_the_controller_selects_the_page_or_the_reverse():
    manifests = render({**ON, "replicas": 2, "metrics": {"serviceMonitor": {"enabled": True}}})
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in manifests
        if each["kind"] == "Deployment"
    }
    for each in manifests:
        spec = each.get("spec") or {}
        selector = spec.get("podSelector") or spec.get("selector") or {}
        labels = selector.get("matchLabels", selector)
        if each["kind"] in {"Service", "NetworkPolicy", "PodDisruptionBudget", "Deployment"}:
            selected = [name for name, own in pods.items() if labels.items() <= own.items()]
            assert selected == ["workspace-ctrl-ui" if each["metadata"]["name"].endswith("-ui") else "workspace-ctrl"], each


def test_nobody_may_connect_but_who_is_named():
    assert find(render(ON), "NetworkPolicy", "-ui")["spec"]["ingress"] == []
    peers = [{"podSelector": {"matchLabels": {"app": "proxy"}}}]
    named = {"ui": {"enabled": True, "from": peers}}
    assert find(render(named), "NetworkPolicy", "-ui")["spec"]["ingress"] == [
        {"ports": [{"port": "page", "protocol": "TCP"}], "from": peers}
    ]


def test_it_connects_to_nothing_but_the_api_server():
    spec = find(render({**ON, "networkPolicy": {"egress": True, "apiServerPorts": [6443]}}), "NetworkPolicy", "-ui")["spec"]
    assert spec["egress"] == [{"ports": [{"port": 6443, "protocol": "TCP"}]}]


@pytest.mark.parametrize(("secret", "scheme"), [("", "http"), ("ui-tls", "https")])
def test_its_scheme_is_that_of_its_certificate(secret, scheme):
    values = {"ui": {"enabled": True, "certificateSecret": secret}}
    (port,) = find(render(values), "Service", "-ui")["spec"]["ports"]
    (container,) = pod(values)["containers"]
    assert (port["name"], port["appProtocol"]) == (scheme, scheme)
    assert {container[probe]["httpGet"]["scheme"] for probe in ("readinessProbe", "livenessProbe")} == {scheme.upper()}
    assert any(argument.startswith("--certificates=") for argument in container["args"]) == bool(secret)
