"""The CRD on a real API server: what the models accept, the server accepts, and the other way round."""

import pytest

from e2e import workspaces
from e2e.cluster import ClusterError
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import parse_workspace

PRESET = {"preset": {"name": "phi-4"}}
SELECTOR = {"labelSelector": {"matchLabels": {"apps": "phi"}}}

CASES = {
    "quickstart": ({}, True),
    "alpha": ({"apiVersion": "kaito.sh/v1alpha1"}, True),
    "all-of-inference": (
        {
            "inference": {
                "preset": {
                    "name": "phi-4",
                    "accessMode": "public",
                    "presetOptions": {"modelAccessSecret": "hf", "imagePullSecrets": ["a"]},
                },
                "config": "my-config",
                "adapters": [{"source": {"name": "a", "image": "b", "volumeSource": {"emptyDir": {}}}, "strength": "0.5"}],
            }
        },
        True,
    ),
    "template": ({"inference": {"template": {"spec": {"containers": [{"name": "a", "anything": 1}]}}}}, True),
    "tuning": ({"inference": None, "tuning": {"method": "lora", "input": {"urls": ["x"]}, "output": {}}}, True),
    "own-nodes": ({"resource": {**SELECTOR, "count": 2, "preferredNodes": ["n1", "n2"]}}, True),
    "expressions": ({"resource": {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}}, True),
    "gateway": ({"gateway": {"parentRefs": [{"name": "g", "namespace": "n", "sectionName": "https"}]}}, True),
    "gateway-off": ({"gateway": {"enabled": False}}, True),
    "preset-and-template": ({"inference": {**PRESET, "template": {}}}, False),
    "empty-inference": ({"inference": {}}, False),
    "both-kinds": ({"tuning": {}}, False),
    "neither-kind": ({"inference": None}, False),
    "no-resource": ({"resource": None}, False),
    "no-selector": ({"resource": {"count": 1}}, False),
    "no-nodes": ({"resource": {**SELECTOR, "count": 0}}, False),
    "count-as-text": ({"resource": {**SELECTOR, "count": "two"}}, False),
    "preset-without-name": ({"inference": {"preset": {}}}, False),
    "preset-as-text": ({"inference": {"preset": "phi-4"}}, False),
    "unknown-access": ({"inference": {"preset": {"name": "phi-4", "accessMode": "secret"}}}, False),
    "eleven-adapters": ({"inference": {**PRESET, "adapters": [{"source": {"name": f"a{n}"}} for n in range(11)]}}, False),
    "adapter-without-source": ({"inference": {**PRESET, "adapters": [{"strength": "1"}]}}, False),
    "long-name-of-a-preset": ({"inference": {"preset": {"name": "p" * 257}}}, False),
    "nameless-gateway": ({"gateway": {"parentRefs": [{}]}}, False),
    "empty-gateway-name": ({"gateway": {"parentRefs": [{"name": ""}]}}, False),
    "template-as-list": ({"inference": {"template": []}}, False),
}


@pytest.mark.parametrize(("name", "fields", "accepted"), [pytest.param(name, *case, id=name) for name, case in CASES.items()])
def test_server_and_models_agree(installed, plane_namespace, name, fields, accepted):
    document = workspaces.workspace(name, **fields)
    assert _server_accepts(installed, plane_namespace, document) is accepted
    assert _models_accept(name, document) is accepted


def _server_accepts(cluster, namespace, document):
    try:
        workspaces.apply(cluster, namespace, document)
    except ClusterError:
        return False
    return True


def _models_accept(name, document):
    try:
        parse_workspace(name, document)
    except SpecError:
        return False
    return True


def test_both_versions_show_the_same_object(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("both-versions", apiVersion="kaito.sh/v1alpha1"))
    for version in ("v1alpha1", "v1beta1"):
        shown = workspaces.get(installed, plane_namespace, f"workspaces.{version}.kaito.sh", "both-versions")
        assert shown["apiVersion"] == f"kaito.sh/{version}"
        assert shown["resource"]["count"] == 1


def test_kubectl_knows_short_names_and_columns(installed, plane_namespace):
    workspaces.apply(installed, plane_namespace, workspaces.workspace("short"))
    head, row = installed.kubectl("get", "wk", "-n", plane_namespace, "-o", "wide").splitlines()
    assert head.split() == ["NAME", "INSTANCE", "KIND", "RESOURCEREADY", "INFERENCEREADY", "GATEWAYREADY", "URL", "AGE", "REASON"]
    assert row.split()[:2] == ["short", "Standard_NC24ads_A100_v4"]
