"""Which nodes a selector means, by the rules of Kubernetes, and what the pods' affinity says of it."""

import pytest

from workspace_ctrl.api.workspace import LabelSelector, LabelSelectorRequirement, Resource
from workspace_ctrl.planning.workload.node_affinity import node_affinity, selecting


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
