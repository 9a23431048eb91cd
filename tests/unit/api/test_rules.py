"""The rules of the CRD, in the words in which the API server refuses: where, what is wrong, and a way out."""

import pytest

from tests.unit.api.test_crd import _nodes
from workspace_ctrl.api.crd import KINDS, crd

NODES = _nodes(crd()["spec"]["versions"][-1]["schema"]["openAPIV3Schema"])
PATHS = {path.removeprefix(".") for path, _ in NODES} | {"metadata.name"}

MESSAGES = [
    "a Workspace cannot change between inference and tuning; create a new Workspace",
    "a Workspace needs exactly one of inference and tuning; add inference, or remove tuning",
    "gateway.group cannot have a weight with fallback: true; remove one of them",
    "gateway.group.canary decides the share of the requests itself; remove weight and fallback",
    "gateway.group.canary.interval must be from 5s to 24h; set one such as 5m",
    "gateway.group.canary.steps must rise; set percentages such as [10, 25, 50, 100]",
    "gateway.httpRouteRef cannot be combined with parentRefs, hostnames, match and timeout; remove those",
    "gateway.objectives need unique names; rename the duplicates",
    "inference cannot change between preset, template and workloadRef; create a new Workspace",
    "inference needs exactly one of preset, template and workloadRef; set one, and remove the others",
    "inference.adapters need unique names; rename the duplicates",
    "inference.preset.name cannot be changed; create a new Workspace",
    "inference.resources needs a preset; remove it, or set the resources of the containers in the template",
    "inference.weightsVolume allows either claimName, or storageClassName and size; remove the other",
    "inference.weightsVolume needs a preset; remove it, or mount a volume in the template",
    "inference.workloadRef needs kind and name together; add the one that is missing",
    "inference.workloadRef selects no pods; set kind and name of an object, or selector and targetPort",
    "inference.workloadRef.apiVersion has no workloads; reference an object that has pods, or set selector and targetPort without a kind",
    "inference.workloadRef.selector contains an invalid label; set labels of the pods",
    "metadata.name must be a DNS label of at most 63 characters that begins with a letter; use a name such as workspace-phi-4-mini",
    "resource is required; select the nodes with resource.labelSelector",
    "resource.count cannot be changed; create a new Workspace",
    "resource.instanceType cannot be changed; create a new Workspace",
    "resource.labelSelector cannot be changed; create a new Workspace",
    "resource.partition cannot be changed; create a new Workspace",
    "resource.partition needs profile for mode mig, and only for it; set mode mig and a profile, or remove the profile",
]


def test_these_are_the_messages():
    found = [rule["message"] for _, node in NODES for rule in node.get("x-kubernetes-validations", ())]
    assert sorted(message for message in found if not message.startswith("must be ")) == MESSAGES


@pytest.mark.parametrize("kind", KINDS)
def test_no_message_is_a_regular_expression_and_values_are_described_in_words(kind):
    """Of a pattern, the API server would show nothing else. It says the place itself."""
    nodes = _nodes(crd(kind)["spec"]["versions"][-1]["schema"]["openAPIV3Schema"])
    assert [path for path, node in nodes if "pattern" in node] == []
    rules = {rule["rule"]: rule["message"] for _, node in nodes for rule in node.get("x-kubernetes-validations", ())}
    described = {rule: words for rule, words in rules.items() if rule.startswith("self.matches(r'^")}
    assert len(described) > 10
    assert all(words.startswith("must be ") and "[" not in words for words in described.values())


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_begins_with_the_place_and_ends_with_a_way_out(message):
    problem, _, remedy = message.partition("; ")
    assert problem.startswith("a Workspace ") or problem.split()[0] in PATHS
    assert remedy
