"""What Workspaces say of body-based routers, and when one of them breaks the chain."""

from dataclasses import replace

import pytest

from tests.unit.factories import DIGEST, condition, decisions, deployment, gateway, meta, parent
from tests.unit.readiness.test_status import READY, conditions, state
from workspace_ctrl.api.conditions import Status, find
from workspace_ctrl.model.body_router import BodyRouter, BodyRouterState
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.readiness.body_routers import router_state
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, Stage, StageAges

KEY = gateway().key
WORKS = BodyRouterState(Status.TRUE, "BodyRouterReady", "led by their body")
DOWN = BodyRouterState(Status.FALSE, "BodyRouterNotReady", "the router has no ready replica", blocks=True)
FAILS = BodyRouterState(Status.FALSE, "OCIArtifactPullFailed", "no such chart")
COMES = BodyRouterState(Status.UNKNOWN, "ChartInstalling", "not finished yet")
REMEDY = "name its Service in a policy"

SOURCE = OCIRepository(
    meta("OCIRepository", "r"), (condition("Ready", reason="Succeeded"),), observed_generation=1, revision=f"v1.5.0@{DIGEST}"
)
RELEASE = HelmRelease(
    meta("HelmRelease", "r"),
    (condition("Ready", reason="InstallSucceeded"),),
    observed_generation=1,
    last_attempted_generation=1,
    last_attempted_digest=DIGEST,
    deployed=True,
)
WHOLE = BodyRouter(SOURCE, RELEASE, deployment())


def told(router, *, connected, ages=None):
    found = router_state(KEY, router, (), ages or StageAges(), connected=connected)
    return found.status, found.reason, found.blocks


def asking(**fields):
    return decisions(wants_header=True, **fields)


def with_routers(**routers):
    return replace(READY, body_routers=routers.get("of", {KEY: routers["state"]} if "state" in routers else {}))


@pytest.mark.parametrize(
    ("router", "connected", "expected"),
    [
        pytest.param(BodyRouter(), False, ("Unknown", "ChartNotRequested", False), id="nothing there"),
        pytest.param(BodyRouter(SOURCE), False, ("Unknown", "ChartNotInstalled", False), id="no release"),
        pytest.param(
            replace(WHOLE, release=replace(RELEASE, deployed=False)), False, ("Unknown", "ChartInstalling", False), id="installing"
        ),
        pytest.param(replace(WHOLE, workload=None), False, ("Unknown", "BodyRouterNotReady", False), id="no Deployment yet"),
        pytest.param(
            replace(WHOLE, workload=deployment(ready=0)), False, ("Unknown", "BodyRouterNotReady", False), id="starts, apart"
        ),
        pytest.param(WHOLE, False, ("Unknown", "BodyRouterConnecting", False), id="runs, apart"),
        pytest.param(WHOLE, True, ("True", "BodyRouterReady", False), id="runs, connected"),
        pytest.param(
            replace(WHOLE, workload=deployment(ready=0)), True, ("False", "BodyRouterNotReady", True), id="down, connected"
        ),
        pytest.param(replace(WHOLE, workload=None), True, ("False", "BodyRouterNotReady", True), id="gone, connected"),
        pytest.param(
            replace(WHOLE, release=replace(RELEASE, suspended=True)), True, ("False", "Paused", False), id="suspended, runs"
        ),
    ],
)
def test_every_state_of_a_router(router, connected, expected):
    assert told(router, connected=connected) == expected


def test_a_refusal_of_the_api_server_is_told_in_its_words():
    problem = Problem(LinkName.SOURCE, "ApplyRefused", "OCIRepository a/b: quota")
    found = router_state(KEY, BodyRouter(), [problem], StageAges(), connected=False)
    assert (found.status, found.reason) == ("False", "ApplyRefused")
    assert found.message == f"body-based router of Gateway {KEY}: OCIRepository a/b: quota"


def test_a_flux_that_does_nothing_is_noticed():
    unseen = replace(RELEASE, conditions=(), observed_generation=0)
    late = StageAges(release=Stage.UNSEEN.patience)
    assert told(replace(WHOLE, release=unseen), connected=False, ages=late)[1] == "HelmControllerSilent"


@pytest.mark.parametrize(
    ("snapshot", "decided", "expected"),
    [
        pytest.param(READY, asking(), None, id="not managed"),
        pytest.param(with_routers(state=WORKS), decisions(), None, id="not asked for"),
        pytest.param(with_routers(), asking(), ("Unknown", "BodyRouterNotRequested"), id="not there"),
        pytest.param(with_routers(state=COMES), asking(), ("Unknown", "ChartInstalling"), id="comes"),
        pytest.param(with_routers(state=FAILS), asking(), ("False", "OCIArtifactPullFailed"), id="fails"),
        pytest.param(with_routers(state=WORKS), asking(), ("True", "BodyRouterReady"), id="works"),
        pytest.param(
            with_routers(),
            asking(parents=(replace(parent(), body_router_remedy=REMEDY),)),
            ("False", "BodyRouterNotSupported"),
            id="class without one",
        ),
        pytest.param(
            replace(with_routers(), probe=ProbeResult(ProbeOutcome.ANSWERED, by_body=True)),
            asking(parents=(replace(parent(), body_router_remedy=REMEDY),)),
            ("True", "BodyRouterFound"),
            id="class without one, and somebody's own",
        ),
    ],
)
def test_a_workspace_that_asks_for_it_says_how_it_stands_and_is_ready_all_the_same(snapshot, decided, expected):
    entries = conditions(snapshot, decided)
    assert state(entries, "BodyRoutingReady") == expected
    assert state(entries, "GatewayReady") == ("True", "GatewayConfigured")
    assert state(entries, "Ready") == ("True", "Ready")


def test_what_the_user_of_another_class_can_do_is_said():
    decided = asking(parents=(replace(parent(), body_router_remedy=REMEDY),))
    assert REMEDY in find(conditions(with_routers(), decided), "BodyRoutingReady").message


@pytest.mark.parametrize("decided", [decisions(), asking()], ids=["by path only", "by header"])
def test_a_router_that_is_down_breaks_every_workspace_of_its_gateway(decided):
    entries = conditions(with_routers(state=DOWN), decided)
    assert state(entries, "GatewayReady") == ("False", "BodyRouterNotReady")
    assert find(entries, "GatewayReady").message == DOWN.message


def test_the_router_of_another_gateway_breaks_nothing():
    entries = conditions(with_routers(of={"other/gateway": DOWN}), decisions())
    assert state(entries, "GatewayReady") == ("True", "GatewayConfigured")
