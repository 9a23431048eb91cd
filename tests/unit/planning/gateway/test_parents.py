"""Which Gateway a Workspace is attached to."""

import pytest

from tests.unit.factories import NAMESPACE, gateway, gateway_class, meta
from workspace_ctrl.api.workspace import GatewaySpec, ParentRef
from workspace_ctrl.planning.gateway.parents import Cluster, choose_parents, parents_of
from workspace_ctrl.planning.plan_settings import GatewayChoice
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import ObjectRef

ONE = gateway()
OTHER = gateway("other", namespace="elsewhere")
LABELLED = gateway("labelled", namespace="gateways", preferred=True)


def cluster(*gateways, **fields):
    return Cluster(gateways=gateways, classes=(gateway_class(),), **fields)


def spec(name, namespace=None, section=None):
    return GatewaySpec(parent_refs=[ParentRef(name=name, namespace=namespace, section_name=section)])


@pytest.mark.parametrize(
    ("wanted", "default", "gateways", "chosen"),
    [
        pytest.param(None, None, (ONE,), ONE, id="the only one"),
        pytest.param(None, None, (ONE, LABELLED, OTHER), LABELLED, id="the labelled one"),
        pytest.param(None, GatewayChoice("elsewhere", "other"), (ONE, LABELLED, OTHER), OTHER, id="the installation's"),
        pytest.param(spec("inference-gateway"), GatewayChoice("elsewhere", "other"), (ONE, OTHER), ONE, id="the Workspace's own"),
        pytest.param(spec("other", "elsewhere"), None, (ONE, OTHER), OTHER, id="the Workspace's own, elsewhere"),
    ],
)
def test_the_gateway_is_chosen(wanted, default, gateways, chosen):
    (parent,) = choose_parents(NAMESPACE, wanted, default, cluster(*gateways)).parents
    assert parent.gateway == chosen
    assert parent.class_title == "Istio"


@pytest.mark.parametrize(
    ("wanted", "gateways", "reason", "words"),
    [
        pytest.param(None, (), "NoGateway", "no Gateway found in the cluster", id="none"),
        pytest.param(
            None, (ONE, OTHER), "AmbiguousGateway", "2 Gateways (default/inference-gateway, elsewhere/other); set ", id="two"
        ),
        pytest.param(
            None,
            (LABELLED, gateway("also", preferred=True)),
            "AmbiguousGateway",
            "2 Gateways labelled for inference (default/also, gateways/labelled)",
            id="two labelled",
        ),
        pytest.param(
            spec("gone"),
            (ONE,),
            "NoGateway",
            "default/gone not found; available: default/inference-gateway",
            id="named, not there",
        ),
        pytest.param(
            None,
            (gateway(class_name="nginx"),),
            "GatewayClassNotFound",
            "GatewayClass nginx of Gateway",
            id="no class",
        ),
    ],
)
def test_without_a_clear_choice_it_is_said(wanted, gateways, reason, words):
    (problem,) = choose_parents(NAMESPACE, wanted, None, cluster(*gateways)).problems
    assert problem.reason == reason
    assert words in problem.message


def test_missing_crds_are_said():
    (problem,) = choose_parents(NAMESPACE, None, None, cluster(missing_kinds=frozenset({"Gateway"}))).problems
    assert problem.reason == "CRDsNotAvailable"


def test_several_gateways_and_listeners_are_chosen_each_once_and_one_that_is_missing_does_not_spoil_the_others():
    refs = [
        ParentRef(name="inference-gateway", section_name="http"),
        ParentRef(name="other", namespace="elsewhere"),
        ParentRef(name="gone"),
        ParentRef(name="other", namespace="elsewhere"),
    ]
    chosen = choose_parents(NAMESPACE, GatewaySpec(parent_refs=refs), None, cluster(ONE, OTHER))
    assert [(parent.gateway, parent.section) for parent in chosen.parents] == [(ONE, "http"), (OTHER, "")]
    (problem,) = chosen.problems
    assert "Gateway default/gone not found" in problem.message


def test_somebody_else_s_route_brings_its_own_gateways():
    named = HTTPRoute(meta("HTTPRoute", "mine"), attached_to=((ONE.ref, "http"), (ObjectRef("Service", NAMESPACE, "mesh"), "")))
    (parent,) = parents_of(named, cluster(ONE, OTHER)).parents
    assert (parent.gateway, parent.section) == (ONE, "http")
    (problem,) = parents_of(HTTPRoute(meta("HTTPRoute", "mine")), cluster(ONE)).problems
    assert "has no Gateway in its parentRefs" in problem.message
