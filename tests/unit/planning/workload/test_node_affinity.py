"""Which nodes a selector means, by the rules of Kubernetes, and what the pods' affinity says of it."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import LabelSelector, LabelSelectorRequirement, Resource
from workspace_ctrl.planning.workload.node_affinity import node_affinity, required_labels, selecting


def requirement(operator, *values):
    return LabelSelectorRequirement(key="zone", operator=operator, values=list(values) or None)


def selector(*requirements, **labels):
    return LabelSelector(match_labels=labels or None, match_expressions=list(requirements) or None)


@pytest.mark.parametrize(
    ("given", "labels", "selected"),
    [
        pytest.param(selector(), {}, True, id="nothing is required"),
        pytest.param(selector(apps="phi"), {"apps": "phi", "more": "x"}, True, id="a label"),
        pytest.param(selector(apps="phi"), {"apps": "other"}, False, id="another value"),
        pytest.param(selector(apps="phi"), {}, False, id="no such label"),
        pytest.param(selector(requirement("In", "a", "b")), {"zone": "b"}, True, id="In: one of the values"),
        pytest.param(selector(requirement("In", "a", "b")), {"zone": "c"}, False, id="In: another"),
        pytest.param(selector(requirement("In", "a")), {}, False, id="In: no such label"),
        pytest.param(selector(requirement("NotIn", "a")), {"zone": "b"}, True, id="NotIn: another"),
        pytest.param(selector(requirement("NotIn", "a")), {"zone": "a"}, False, id="NotIn: the value"),
        pytest.param(selector(requirement("NotIn", "a")), {}, True, id="NotIn: no such label"),
        pytest.param(selector(requirement("Exists")), {"zone": ""}, True, id="Exists"),
        pytest.param(selector(requirement("Exists")), {}, False, id="Exists: no such label"),
        pytest.param(selector(requirement("DoesNotExist")), {}, True, id="DoesNotExist"),
        pytest.param(selector(requirement("DoesNotExist")), {"zone": ""}, False, id="DoesNotExist: it does"),
        pytest.param(selector(requirement("Exists"), apps="phi"), {"zone": "a"}, False, id="all have to hold"),
        pytest.param(selector(requirement("Exists"), apps="phi"), {"zone": "a", "apps": "phi"}, True, id="all hold"),
    ],
)
def test_what_a_selector_selects(given, labels, selected):
    assert selecting(given)(labels) is selected


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
TYPE = {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["t"]}


@pytest.mark.parametrize(
    ("resource", "affinity"),
    [
        pytest.param(Resource(label_selector=selector()), {}, id="any node"),
        pytest.param(
            Resource(label_selector=selector(requirement("Exists"), b="2", a="1")),
            {
                REQUIRED: {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "a", "operator": "In", "values": ["1"]},
                                {"key": "b", "operator": "In", "values": ["2"]},
                                {"key": "zone", "operator": "Exists"},
                            ]
                        }
                    ]
                }
            },
            id="labels in order, then expressions",
        ),
        pytest.param(
            Resource(label_selector=selector(), instance_type="t"),
            {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [TYPE]}]}},
            id="a type",
        ),
        pytest.param(
            Resource(label_selector=selector(), instance_type="t", preferred_nodes=["n"]),
            {
                PREFERRED: [
                    {"weight": 100, "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}}
                ]
            },
            id="nodes that are named go before the type",
        ),
    ],
)
def test_the_affinity_of_the_pods(resource, affinity):
    assert node_affinity(resource) == affinity


def expression(key, operator, *values):
    return selector(LabelSelectorRequirement(key=key, operator=operator, values=list(values) or None))


@pytest.mark.parametrize(
    ("given", "nodes", "words"),
    [
        pytest.param(
            LabelSelector(match_labels={"a b": "c"}),
            None,
            "resource.labelSelector.matchLabels contains 'a b=c', which is not a valid label; set labels of nodes",
            id="a key with a space",
        ),
        pytest.param(LabelSelector(match_labels={"a": "b c"}), None, "matchLabels contains 'a=b c'", id="a value with a space"),
        pytest.param(expression("a b", "Exists"), None, "matchExpressions[0].key is 'a b', which is not a valid", id="another key"),
        pytest.param(expression("a", "In"), None, "matchExpressions[0] needs values for operator In; add some", id="In nothing"),
        pytest.param(expression("a", "NotIn"), None, "needs values for operator NotIn", id="not in nothing"),
        pytest.param(expression("a", "Exists", "x"), None, "cannot have values with operator Exists; remove them", id="Exists"),
        pytest.param(expression("a", "DoesNotExist", "x"), None, "with operator DoesNotExist", id="DoesNotExist"),
        pytest.param(expression("a", "In", "x", "y z"), None, "matchExpressions[0].values contains 'y z'", id="a wrong value"),
        pytest.param(selector(), ["a", "B_1"], "resource.preferredNodes[1] is 'B_1', which is not the name of a node", id="a node"),
        pytest.param(selector(), ["a" * 254], "is not the name of a node", id="a long name"),
    ],
)
def test_what_the_api_server_would_reject_is_rejected_with_its_place(given, nodes, words):
    with pytest.raises(SpecError) as raised:
        node_affinity(Resource(label_selector=given, preferred_nodes=nodes))
    assert words in str(raised.value)


def test_the_labels_that_nodes_need_are_those_of_the_affinity_as_kubectl_writes_them():
    expressions = [
        {"key": "zone", "operator": "In", "values": ["a", "b"]},
        {"key": "pool", "operator": "NotIn", "values": ["spot"]},
        {"key": "fast", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"apps": "phi"}, "matchExpressions": expressions}
    labels = "apps=phi, zone in (a,b), pool notin (spot), fast, !old"
    given = {"labelSelector": selector, "instanceType": "g6e.xlarge"}
    assert labels_of(given) == f"{labels}, node.kubernetes.io/instance-type=g6e.xlarge"
    assert labels_of({**given, "preferredNodes": ["one"]}) == labels
    assert labels_of({"labelSelector": {}}) == ""
    many = {"matchLabels": {f"label-{number}": "x" * 60 for number in range(60)}}
    assert len(labels_of({"labelSelector": many})) == 512


def labels_of(resource):
    return required_labels({"affinity": {"nodeAffinity": node_affinity(Resource.model_validate(resource))}})


def required(*terms):
    affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": affinity}}


@pytest.mark.parametrize(
    ("pod", "labels"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, "disk=ssd"),
        (
            {
                "nodeSelector": {"disk": "ssd"},
                **required({"matchExpressions": [{"key": "gpus", "operator": "Gt", "values": ["3"]}]}),
            },
            "disk=ssd, gpus > 3",
        ),
        (
            required(*({"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in "ab")),
            "zone=a or zone=b",
        ),
        (required({"matchFields": []}), ""),
        ({"nodeSelector": ["disk"], "affinity": {"nodeAffinity": "ssd"}}, ""),
        ({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": 3}}}}, ""),
        (required("a", {"matchExpressions": [3, {"key": ["x"], "operator": {}, "values": 3}]}), "['x']"),
    ],
)
def test_the_labels_that_a_template_wants_are_among_them_whatever_it_has(pod, labels):
    assert required_labels(pod) == labels


def test_empty_values_are_as_good_as_none_where_there_must_be_none():
    given = LabelSelector(match_expressions=[LabelSelectorRequirement(key="a", operator="Exists", values=[])])
    assert node_affinity(Resource(label_selector=given))[REQUIRED]["nodeSelectorTerms"][0]["matchExpressions"] == [
        {"key": "a", "operator": "Exists"}
    ]
