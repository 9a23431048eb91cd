"""The InferenceSet: read as the Workspace of one copy, and how it is copied; problems name its own fields."""

from dataclasses import replace

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies, in_set_words, parse_inference_set
from workspace_ctrl.api.workspace import parse_workspace

SELECTOR = {"matchLabels": {"apps": "phi"}}
TEMPLATE = {"resource": {"instanceType": "Standard_NC24ads_A100_v4"}, "inference": {"preset": {"name": "phi-4"}}}


def spec(**fields):
    return {"spec": {"labelSelector": SELECTOR, "template": TEMPLATE, **fields}}


def test_one_copy_is_the_workspace_of_the_same_fields():
    gateway = {"modelName": "phi-4"}
    found, copies = parse_inference_set("phi", spec(gateway=gateway))
    resource = {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": SELECTOR}
    assert found == parse_workspace("phi", {"resource": resource, "inference": TEMPLATE["inference"], "gateway": gateway})
    assert copies == Copies(1)


def test_fields_of_a_workspace_that_a_set_has_not_do_not_count():
    resource = {**TEMPLATE["resource"], "count": 3, "preferredNodes": ["n"], "labelSelector": {}}
    assert parse_inference_set("phi", spec(template={**TEMPLATE, "resource": resource})) == parse_inference_set("phi", spec())


@pytest.mark.parametrize(
    ("fields", "copies"),
    [
        pytest.param({"replicas": 0}, Copies(0), id="none"),
        pytest.param({"replicas": 3, "nodeCountLimit": 4}, Copies(3, 4), id="limited"),
        pytest.param({"updateStrategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}, Copies(1, 0, "50%"), id="percentage"),
        pytest.param({"updateStrategy": {"type": "OnDelete"}}, Copies(1), id="only a type"),
        pytest.param({"autoUpgrade": {"enabled": True, "maintenanceWindow": {"schedule": "0 2 * * 6"}}}, Copies(1), id="upgrade"),
    ],
)
def test_how_it_is_copied(fields, copies):
    assert replace(parse_inference_set("phi", spec(**fields))[1], notes=()) == copies


@pytest.mark.parametrize(
    ("copies", "nodes", "allowed"),
    [
        pytest.param(Copies(5), 2, 5, id="no limit"),
        pytest.param(Copies(5, 7), 2, 3, id="whole copies only"),
        pytest.param(Copies(2, 7), 2, 2, id="within the limit"),
        pytest.param(Copies(1, 1), 2, 0, id="not even one"),
    ],
)
def test_the_limit_of_nodes_counts_those_of_each_copy(copies, nodes, allowed):
    assert copies.on(nodes) == allowed


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(spec(replicas=-1), "spec.replicas is not valid", id="negative"),
        pytest.param(spec(replicas=None, template=None), "spec.template is not valid: it is required", id="no template"),
        pytest.param({}, "spec is not valid: it is required", id="no spec"),
        pytest.param(spec(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}), "maxUnavailable is not valid", id="zero"),
        pytest.param(spec(updateStrategy={"rollingUpdate": {"maxUnavailable": "0%"}}), "maxUnavailable is not valid", id="0 %"),
        pytest.param(
            spec(template={"inference": {"workloadRef": {"kind": "Deployment", "name": "x"}}}),
            "spec.template.inference.workloadRef selects existing pods, which are not copied; use Workspaces",
            id="existing pods",
        ),
        pytest.param(
            spec(template={"inference": {}}), "spec.template.inference needs exactly one of preset, template", id="no source"
        ),
        pytest.param(
            spec(gateway={"httpRouteRef": {"name": "r"}, "hostnames": ["a.b"]}), "spec.gateway.httpRouteRef cannot be", id="gateway"
        ),
    ],
)
def test_a_problem_names_the_field_of_the_set(document, words):
    with pytest.raises(SpecError) as raised:
        parse_inference_set("phi", document)
    assert words in in_set_words(str(raised.value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("resource.labelSelector cannot be changed", "spec.labelSelector cannot be changed", id="moved field"),
        pytest.param("set gateway.hostnames", "set spec.gateway.hostnames", id="field inside"),
        pytest.param("use inference.adapters[0].source", "use spec.template.inference.adapters[0].source", id="path"),
        pytest.param("inference.networking.k8s.io/v1", "inference.networking.k8s.io/v1", id="an API group"),
        pytest.param("gateway.networking.k8s.io", "gateway.networking.k8s.io", id="another API group"),
        pytest.param("spec.gateway.hostnames", "spec.gateway.hostnames", id="already there"),
        pytest.param("rename the Workspace", "rename the InferenceSet", id="the kind"),
        pytest.param("a Workspace can have", "an InferenceSet can have", id="the article"),
        pytest.param("routed to Workspace team/phi", "routed to Workspace team/phi", id="another object"),
    ],
)
def test_messages_speak_of_the_set(text, words):
    assert in_set_words(text) == words
    assert in_set_words(words) == words
