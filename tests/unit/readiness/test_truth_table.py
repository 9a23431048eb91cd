"""The chain as a table: whatever is wrong with one link, GatewayReady is False with its reason; only a whole chain makes it True."""

from dataclasses import replace

import pytest

from tests.unit.factories import (
    NOW,
    PICKER_SERVICE,
    chain,
    condition,
    decisions,
    gateway,
    meta,
    missed_pool,
    parent,
    parent_status,
    picker,
    pod,
    pool,
    release,
    route,
    source,
    status,
    workspace,
)
from tests.unit.readiness.test_status import READY
from workspace_ctrl.api.conditions import Status, find
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.records.gateways import GatewayProxy

TRUE, FALSE, UNKNOWN = Status.TRUE, Status.FALSE, Status.UNKNOWN
GATEWAY, SOURCE, RELEASE = LinkName.GATEWAY, LinkName.SOURCE, LinkName.RELEASE
PICKER, POOL, ROUTE, ENDPOINTS = LinkName.ENDPOINT_PICKER, LinkName.POOL, LinkName.ROUTE, LinkName.ENDPOINTS
FOREIGN = parent_status(controller="example.com/foreign")
OLD_GATEWAY = parent_status(name="old")
REFUSED = parent_status(condition("Accepted", "False", "NoMatchingParent"), condition("ResolvedRefs"))
UNDECIDED = parent_status(condition("Accepted", "Unknown", "Pending"), condition("ResolvedRefs"))
UNRESOLVED = parent_status(condition("Accepted"), condition("ResolvedRefs", "False", "BackendNotFound"))
NAMELESS = parent_status(controller="")
NAMELESS_NO = parent_status(condition("Accepted", "False", "NotAccepted"), condition("ResolvedRefs"), controller="")
HALF = parent_status(condition("Accepted"))
POLICY = parent_status(condition("example.com/PolicyAffected"), controller="example.com/policies")
OBSTACLE = Problem(ROUTE, "NotAllowedByListeners", "write this line")


def at(**fields):
    return decisions(parents=(parent(**fields),))


def attachments(link, make, field, kind):
    """The rows of something that Gateways' controllers accept."""
    stale = f"Accepted={kind}"
    return [
        (link, "accepted", {field: make()}, None, TRUE, f"{kind}Accepted"),
        (link, "not accepted", {field: make(REFUSED)}, None, FALSE, f"{kind}NotAccepted"),
        (link, "accepted unknown", {field: make(UNDECIDED)}, None, FALSE, f"{kind}NotAccepted"),
        (link, "unresolved", {field: make(UNRESOLVED)}, None, FALSE, f"{kind}RefsUnresolved"),
        (link, "only half is said", {field: make(HALF)}, None, UNKNOWN, "WaitingForGateway"),
        (link, stale, {field: make(generation=2)}, None, UNKNOWN, "WaitingForGateway"),
        (link, "foreign entry alone", {field: make(FOREIGN)}, None, UNKNOWN, "WaitingForGateway"),
        (link, "foreign entry beside", {field: make(FOREIGN, POLICY, parent_status())}, None, TRUE, f"{kind}Accepted"),
        (link, "foreign yes beside our no", {field: make(FOREIGN, REFUSED)}, None, FALSE, f"{kind}NotAccepted"),
        (link, "left over from another Gateway", {field: make(OLD_GATEWAY)}, None, UNKNOWN, "WaitingForGateway"),
        (link, "nameless yes beside our no", {field: make(NAMELESS, REFUSED)}, None, FALSE, f"{kind}NotAccepted"),
        (link, "nameless no beside our yes", {field: make(NAMELESS_NO, parent_status())}, None, TRUE, f"{kind}Accepted"),
        (link, "without a controller's name", {field: make(NAMELESS)}, None, TRUE, f"{kind}Accepted"),
        (link, "no generation is current", {field: make(_undated(), generation=7)}, None, TRUE, f"{kind}Accepted"),
    ]


def _undated():
    return parent_status(condition("Accepted", generation=None), condition("ResolvedRefs", generation=None))


ROWS = [
    (GATEWAY, "programmed", {}, None, TRUE, "GatewayProgrammed"),
    (GATEWAY, "missing", {}, decisions(Problem(GATEWAY, "NoGateway", "none"), parents=()), FALSE, "NoGateway"),
    (GATEWAY, "not chosen", {}, decisions(parents=()), UNKNOWN, "GatewayNotChosen"),
    (GATEWAY, "no word", {}, at(gateway=gateway(conditions=())), UNKNOWN, "GatewayNotProgrammed"),
    (GATEWAY, "false", {}, at(gateway=gateway(conditions=(condition("Programmed", "False", "Invalid"),))), FALSE, "Invalid"),
    (
        GATEWAY,
        "unknown",
        {},
        at(gateway=gateway(conditions=(condition("Programmed", "Unknown", "Pending"),))),
        UNKNOWN,
        "GatewayNotProgrammed",
    ),
    (
        GATEWAY,
        "stale",
        {},
        at(gateway=gateway(conditions=(condition("Programmed", generation=0),))),
        UNKNOWN,
        "GatewayNotProgrammed",
    ),
    (
        GATEWAY,
        "proxy gone",
        {"gateway_proxies": (GatewayProxy(picker(ready=0), "inference-gateway"),)},
        None,
        FALSE,
        "GatewayProxyNotReady",
    ),
    (
        GATEWAY,
        "one of two is not programmed",
        {},
        decisions(parents=(parent(), parent(gateway=gateway("other", conditions=(condition("Programmed", "False", "Invalid"),))))),
        FALSE,
        "Invalid",
    ),
    (SOURCE, "missing", {"source": None}, None, UNKNOWN, "ChartNotRequested"),
    (
        SOURCE,
        "false",
        {"source": source(observed=0, conditions=(condition("Ready", "False", "PullFailed"),))},
        None,
        FALSE,
        "PullFailed",
    ),
    (SOURCE, "stale", {"source": source(generation=2)}, None, UNKNOWN, "FetchingChart"),
    (SOURCE, "suspended", {"source": source(suspended=True)}, None, FALSE, "Paused"),
    (RELEASE, "missing", {"release": None}, None, UNKNOWN, "ChartNotInstalled"),
    (RELEASE, "stale", {"release": release(generation=2)}, None, UNKNOWN, "ChartInstalling"),
    (RELEASE, "of another chart", {"release": release(digest="sha256:bbbb")}, None, UNKNOWN, "ChartInstalling"),
    (RELEASE, "suspended", {"release": release(suspended=True)}, None, FALSE, "Paused"),
    (PICKER, "missing", {"endpoint_picker": None}, None, FALSE, "EndpointPickerNotFound"),
    (PICKER, "scaled to zero", {"endpoint_picker": picker(ready=0, replicas=0)}, None, FALSE, "EndpointPickerScaledToZero"),
    (PICKER, "starting", {"endpoint_picker": picker(ready=0)}, None, UNKNOWN, "EndpointPickerStarting"),
    (PICKER, "stale", {"endpoint_picker": picker(generation=2)}, None, UNKNOWN, "EndpointPickerStarting"),
    (POOL, "missing", {"pool": None}, None, FALSE, "InferencePoolNotFound"),
    (
        POOL,
        "being deleted",
        {"pool": replace(pool(), meta=replace(pool().meta, deleting=True))},
        None,
        FALSE,
        "InferencePoolNotFound",
    ),
    *attachments(POOL, pool, "pool", "InferencePool"),
    (POOL, "picker not found", {"pool": missed_pool(), "parts": {}}, None, FALSE, "InferencePoolRefsUnresolved"),
    (
        POOL,
        "picker not found, but there",
        {"pool": missed_pool(), "parts": PICKER_SERVICE},
        None,
        FALSE,
        "InferencePoolStatusOutdated",
    ),
    (ROUTE, "missing", {"route": None}, None, UNKNOWN, "HTTPRouteNotCreated"),
    (
        ROUTE,
        "being deleted",
        {"route": replace(route(), meta=replace(route().meta, deleting=True))},
        None,
        UNKNOWN,
        "HTTPRouteNotCreated",
    ),
    *attachments(ROUTE, route, "route", "HTTPRoute"),
    (ROUTE, "refused, and why", {"route": route(REFUSED)}, at(listener_problem=OBSTACLE), FALSE, "NotAllowedByListeners"),
    (ROUTE, "nothing said, and why", {"route": route(FOREIGN)}, at(listener_problem=OBSTACLE), FALSE, "NotAllowedByListeners"),
    (ROUTE, "accepted all the same", {}, at(listener_problem=OBSTACLE), TRUE, "HTTPRouteAccepted"),
    (
        ROUTE,
        "unresolved has nothing to do with listeners",
        {"route": route(UNRESOLVED)},
        at(listener_problem=OBSTACLE),
        FALSE,
        "HTTPRouteRefsUnresolved",
    ),
    (ROUTE, "words about the only listener", {"route": route(parent_status(section="http"))}, None, TRUE, "HTTPRouteAccepted"),
    (
        ROUTE,
        "one of two ports is refused",
        {"route": route(parent_status(port=80), replace(REFUSED, parent=replace(REFUSED.parent, port=8080)))},
        decisions(parents=(parent(port=80), parent(port=8080))),
        FALSE,
        "HTTPRouteNotAccepted",
    ),
    (ROUTE, "words about another listener", {}, at(section="https"), UNKNOWN, "WaitingForGateway"),
    (
        ROUTE,
        "words about the listener",
        {"route": route(parent_status(), parent_status(section="https"))},
        at(section="https"),
        TRUE,
        "HTTPRouteAccepted",
    ),
    (ROUTE, "a class without status", {"route": route(FOREIGN)}, at(writes_status=False, class_title="K"), TRUE, "HTTPRouteFound"),
    (
        ROUTE,
        "without status, but with an obstacle",
        {},
        at(writes_status=False, listener_problem=OBSTACLE),
        FALSE,
        "NotAllowedByListeners",
    ),
    (POOL, "its status names no listener", {}, at(section="http"), TRUE, "InferencePoolAccepted"),
    (POOL, "its companion is missing", {}, at(companion="ModelServer"), UNKNOWN, "ModelServerNotCreated"),
    (ENDPOINTS, "none", {"pods": ()}, None, FALSE, "NoReadyEndpoints"),
    (ENDPOINTS, "none ready", {"pods": (pod(ready=False),)}, None, FALSE, "NoReadyEndpoints"),
    (ENDPOINTS, "one ready", {"pods": (pod(), pod(ready=False, name="b"))}, None, TRUE, "EndpointsReady"),
]


@pytest.mark.parametrize(
    ("name", "changes", "decided", "state", "reason"),
    [
        pytest.param(name, changes, decided or decisions(), state, reason, id=f"{name}: {title}")
        for name, title, changes, decided, state, reason in ROWS
    ],
)
def test_a_link_tells_the_truth(name, changes, decided, state, reason):
    world: Snapshot = replace(READY, **changes)
    (link,) = [link for link in chain(world, decided) if link.name is name]
    assert (link.status, link.reason) == (state, reason)
    ready = find(status(workspace(), world, decided, NOW).conditions, "GatewayReady")
    holds = all(entry.holds for entry in chain(world, decided))
    assert ready.is_true == holds
    if not link.holds:
        assert (ready.status, ready.reason) == (FALSE, _first_not_holding(world, decided))


def _first_not_holding(world, decided):
    return next(link.reason for link in chain(world, decided) if not link.holds)


def test_every_link_is_in_the_table_with_a_yes_or_a_no():
    told = {(name, state) for name, _, _, _, state, _ in ROWS}
    for name in (GATEWAY, SOURCE, RELEASE, PICKER, POOL, ROUTE, ENDPOINTS):
        assert (name, FALSE) in told


def test_a_gateway_that_another_object_names_is_never_taken_for_ours():
    other = gateway(namespace="elsewhere")
    decided = decisions(parents=(parent(gateway=other),))
    (link,) = [link for link in chain(READY, decided) if link.name is ROUTE]
    assert link.status is UNKNOWN
    assert meta("Gateway").ref != other.ref
