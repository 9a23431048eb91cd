"""Which Gateway a Workspace is attached to."""

import pytest

from tests.unit.factories import NAMESPACE, gateway, gateway_class
from workspace_ctrl.api.workspace import GatewaySpec, ParentRef
from workspace_ctrl.planning.gateways import choose_parent
from workspace_ctrl.planning.settings import GatewayChoice
from workspace_ctrl.records.decisions import Parent, Problem
from workspace_ctrl.records.snapshot import Snapshot

ONE = gateway()
OTHER = gateway("other", namespace="elsewhere")
LABELLED = gateway("labelled", namespace="gateways", preferred=True)


def snapshot(*gateways, **fields):
    return Snapshot(gateways=gateways, gateway_classes=(gateway_class(),), **fields)


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
    parent = choose_parent(NAMESPACE, wanted, default, snapshot(*gateways))
    assert isinstance(parent, Parent)
    assert parent.gateway == chosen
    assert parent.class_title == "Istio"


@pytest.mark.parametrize(
    ("wanted", "gateways", "reason", "words"),
    [
        pytest.param(None, (), "NoGateway", "there is no Gateway in the cluster", id="none"),
        pytest.param(
            None, (ONE, OTHER), "AmbiguousGateway", "2 Gateways (default/inference-gateway, elsewhere/other); name one", id="two"
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
            "default/gone is not there; there are: default/inference-gateway",
            id="named, not there",
        ),
        pytest.param(
            None,
            (gateway(class_name="nginx"),),
            "GatewayClassNotFound",
            "names GatewayClass nginx, which is not there",
            id="no class",
        ),
    ],
)
def test_without_a_clear_choice_it_is_said(wanted, gateways, reason, words):
    problem = choose_parent(NAMESPACE, wanted, None, snapshot(*gateways))
    assert isinstance(problem, Problem)
    assert problem.reason == reason
    assert words in problem.message


def test_missing_crds_are_said():
    problem = choose_parent(NAMESPACE, None, None, snapshot(missing_kinds=frozenset({"Gateway"})))
    assert isinstance(problem, Problem)
    assert problem.reason == "CRDsNotAvailable"


def test_the_listener_is_kept():
    parent = choose_parent(NAMESPACE, spec("inference-gateway", section="https"), None, snapshot(ONE))
    assert isinstance(parent, Parent)
    assert parent.section == "https"
