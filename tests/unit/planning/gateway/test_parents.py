"""Which Gateway a Workspace is attached to."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAMESPACE, gateway, gateway_class, meta
from workspace_ctrl.api.workspace import GatewaySpec, ParentRef
from workspace_ctrl.planning.gateway.parents import Cluster, choose_parents, parents_of
from workspace_ctrl.planning.plan_settings import GatewayChoice, PlanSettings
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.listeners import Listener, ParentReference, RoutesFrom
from workspace_ctrl.records.meta import ObjectRef

ONE = gateway()
OTHER = gateway("other", namespace="elsewhere")
LABELLED = gateway("labelled", namespace="gateways", preferred=True)
TEAM_B = gateway("mine", namespace="team-b", preferred=True)
LISTING = PlanSettings(gateway_namespaces=("gateways",))


def cluster(*gateways, **fields):
    return Cluster(gateways=gateways, classes=(gateway_class(),), **fields)


def spec(name, namespace=None, section=None):
    return GatewaySpec(parent_refs=[ParentRef(name=name, namespace=namespace, section_name=section)])


@pytest.mark.parametrize(
    ("wanted", "default", "gateways", "chosen"),
    [
        pytest.param(None, None, (ONE,), ONE, id="the only one"),
        pytest.param(None, None, (ONE, OTHER), ONE, id="the only one of its namespace"),
        pytest.param(None, None, (ONE, TEAM_B), ONE, id="another tenant's labelled one does not count"),
        pytest.param(None, None, (ONE, LABELLED, OTHER), LABELLED, id="the labelled one of a listed namespace"),
        pytest.param(None, None, (LABELLED, OTHER), LABELLED, id="the only one of a listed namespace"),
        pytest.param(None, GatewayChoice("elsewhere", "other"), (ONE, LABELLED, OTHER), OTHER, id="the installation's"),
        pytest.param(spec("inference-gateway"), GatewayChoice("elsewhere", "other"), (ONE, OTHER), ONE, id="the Workspace's own"),
        pytest.param(spec("other", "elsewhere"), None, (ONE, OTHER), OTHER, id="the Workspace's own, elsewhere"),
    ],
)
def test_the_gateway_is_chosen(wanted, default, gateways, chosen):
    (parent,) = choose_parents(NAMESPACE, wanted, replace(LISTING, gateway=default), cluster(*gateways)).parents
    assert parent.gateway == chosen
    assert parent.class_title == "Istio"


@pytest.mark.parametrize(
    ("wanted", "gateways", "reason", "words"),
    [
        pytest.param(None, (), "NoGateway", "no Gateway found in namespace default; create one", id="none"),
        pytest.param(
            None,
            (OTHER, TEAM_B),
            "NoGateway",
            "or set gateway.parentRefs; administrators add namespaces of other Gateways to gatewayNamespaces in the settings",
            id="only those of others",
        ),
        pytest.param(
            None,
            (ONE, gateway("other", namespace="gateways")),
            "AmbiguousGateway",
            "2 Gateways (default/inference-gateway, gateways/other); set ",
            id="two",
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
    (problem,) = choose_parents(NAMESPACE, wanted, LISTING, cluster(*gateways)).problems
    assert "team-b" not in problem.message
    assert problem.reason == reason
    assert words in problem.message


def test_all_namespaces_count_if_the_installation_says_so():
    anywhere = PlanSettings(gateway_namespaces=("*",))
    (parent,) = choose_parents(NAMESPACE, None, anywhere, cluster(ONE, TEAM_B)).parents
    assert parent.gateway == TEAM_B


def attached(*gateways, **fields):
    return HTTPRoute(meta("HTTPRoute", "phi", **fields), attached_to=tuple(ParentReference(entry.ref) for entry in gateways))


SECOND = gateway("second", namespace="gateways")


def test_who_is_attached_stays_when_a_second_gateway_makes_the_choice_ambiguous_and_it_is_said():
    chosen = choose_parents(NAMESPACE, None, LISTING, cluster(ONE, SECOND, route=attached(SECOND)))
    (parent,) = chosen.parents
    assert (parent.gateway, chosen.problems) == (SECOND, ())
    kept = "Gateway gateways/second is kept, because the Workspace is attached to it, but found 2 Gateways"
    assert parent.note.startswith(kept)


@pytest.mark.parametrize(
    ("gateways", "route", "chosen"),
    [
        pytest.param((ONE, SECOND, LABELLED), attached(SECOND), LABELLED, id="a label decides"),
        pytest.param((ONE, OTHER), attached(OTHER), ONE, id="one that is not listed any more"),
        pytest.param((ONE, SECOND), attached(LABELLED), None, id="one that is gone"),
        pytest.param((ONE, SECOND), attached(TEAM_B), None, id="another tenant's"),
        pytest.param((ONE, SECOND), attached(SECOND, deleting=True), None, id="a route that goes"),
        pytest.param((ONE, SECOND), None, None, id="a new Workspace"),
    ],
)
def test_what_a_choice_does_not_outlast(gateways, route, chosen):
    found = choose_parents(NAMESPACE, None, LISTING, cluster(*gateways, route=route))
    assert [parent.gateway for parent in found.parents] == ([chosen] if chosen is not None else [])
    assert [problem.reason for problem in found.problems] == ([] if chosen is not None else ["AmbiguousGateway"])


def test_missing_crds_are_said():
    (problem,) = choose_parents(NAMESPACE, None, LISTING, cluster(missing_kinds=frozenset({"Gateway"}))).problems
    assert problem.reason == "CRDsNotAvailable"


def test_several_gateways_and_listeners_are_chosen_each_once_and_one_that_is_missing_does_not_spoil_the_others():
    refs = [
        ParentRef(name="inference-gateway", section_name="http"),
        ParentRef(name="other", namespace="elsewhere"),
        ParentRef(name="gone"),
        ParentRef(name="other", namespace="elsewhere"),
    ]
    chosen = choose_parents(NAMESPACE, GatewaySpec(parent_refs=refs), LISTING, cluster(ONE, OTHER))
    assert [(parent.gateway, parent.section) for parent in chosen.parents] == [(ONE, "http"), (OTHER, "")]
    (problem,) = chosen.problems
    assert "Gateway default/gone not found" in problem.message


def test_a_listener_that_is_not_there_is_a_problem_of_the_parent_which_then_has_none():
    (parent,) = choose_parents(NAMESPACE, spec("inference-gateway", section="gone"), LISTING, cluster(ONE)).parents
    assert parent.listeners == ()
    assert parent.listener_problem is not None
    assert "gone" in parent.listener_problem.message
    (parent,) = choose_parents(NAMESPACE, spec("inference-gateway", section="http"), LISTING, cluster(ONE)).parents
    assert [listener.name for listener in parent.listeners] == ["http"]
    assert parent.listener_problem is None


PUBLIC, INNER = (Listener(name, "HTTP", port, routes_from=RoutesFrom.ALL) for name, port in (("public", 80), ("inner", 8080)))
TWO_PORTS = gateway(listeners=(PUBLIC, INNER))
LISTENER_SET = ParentReference(ObjectRef("ListenerSet", NAMESPACE, "team"))


def parents_of_mine(*attached_to):
    """The choice for a route of a user."""
    return parents_of(HTTPRoute(meta("HTTPRoute", "mine"), attached_to=attached_to), LISTING, cluster(TWO_PORTS, OTHER))


@pytest.mark.parametrize(
    ("references", "chosen"),
    [
        pytest.param([ParentReference(ONE.ref)], [(PUBLIC, INNER)], id="all listeners"),
        pytest.param([ParentReference(ONE.ref, "inner")], [(INNER,)], id="by name"),
        pytest.param([ParentReference(ONE.ref, port=8080)], [(INNER,)], id="by port"),
        pytest.param([ParentReference(ONE.ref, "public", 8080)], [()], id="by name and port, of which one does not fit"),
        pytest.param(
            [ParentReference(ONE.ref, port=8080), ParentReference(ONE.ref, port=80)], [(INNER,), (PUBLIC,)], id="two ports"
        ),
    ],
)
def test_somebody_else_s_route_brings_its_own_gateways_and_listeners(references, chosen):
    found = parents_of_mine(*references)
    assert [parent.listeners for parent in found.parents] == chosen
    assert [parent.reference for parent in found.parents] == references
    assert "parentRefs" not in found.parents[0].note


@pytest.mark.parametrize(
    ("references", "words"),
    [
        pytest.param([], "has no Gateway in its parentRefs; add one", id="none"),
        pytest.param(
            [LISTENER_SET],
            "has only ListenerSet default/team in its parentRefs, and only Gateways are supported there; add the Gateway, with",
            id="a ListenerSet",
        ),
    ],
)
def test_a_route_without_a_gateway_is_told_what_to_name(references, words):
    (problem,) = parents_of_mine(*references).problems
    assert (problem.reason, words in problem.message) == ("NoGateway", True)


def test_parents_that_are_no_gateways_are_told_beside_those_that_are():
    mesh = ParentReference(ObjectRef("Service", NAMESPACE, "mesh"))
    (parent,) = parents_of_mine(LISTENER_SET, ParentReference(ONE.ref), mesh).parents
    assert parent.gateway.ref == ONE.ref
    words = "ListenerSet default/team, Service default/mesh in the parentRefs of HTTPRoute default/mine is not checked"
    assert words in parent.note
