"""One chart takes another's place: the route leads to a pool that answers at every moment, and nothing of the former chart stays."""

from dataclasses import replace

import pytest

from tests.unit.factories import (
    NAME,
    SETTINGS,
    condition,
    deployment,
    derived,
    meta,
    parent_status,
    picker,
    pool,
    quickstart,
    release,
    route,
    source,
    workspace,
)
from tests.unit.planning.test_plan import applied, finished, manifests, words
from workspace_ctrl.api.names import names
from workspace_ctrl.api.status import GatewayStatus, WorkspaceStatus
from workspace_ctrl.model.chart_objects import ChartObjects, FormerCharts
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import ChartSource, PlanSettings
from workspace_ctrl.planning.removal import removal_steps
from workspace_ctrl.planning.steps import Delete
from workspace_ctrl.readiness.chart import Installation
from workspace_ctrl.readiness.removal import removal_waits
from workspace_ctrl.records.chart_inventory import chart_object_id
from workspace_ctrl.records.gateways import RouteRule
from workspace_ctrl.records.workspaces import pack_status

FORK = ChartSource("fork", "oci://registry.example/charts/fork", layout="inferencepool")
BOTH = PlanSettings(gateway_extension=True, charts=(SETTINGS.chart, FORK))
OLD, NEW = derived(), names(NAME, "fork")


def record(status=None):
    """The Workspace, which now asks for the other chart."""
    found = workspace(quickstart(gateway={"chart": {"name": "fork"}}))
    return replace(found, stored_status=pack_status((status or WorkspaceStatus()).as_object()))


def named(entry, name):
    """The record of an object under another name."""
    return replace(entry, meta=replace(entry.meta, ref=replace(entry.meta.ref, name=name)))


def leading_to(name, **fields):
    return replace(route(**fields), rules=(RouteRule(pools=(name,)),))


def switched():
    """The world just after the change: what the former chart has made goes on, and nothing of the new one is there."""
    before = finished()
    former = FormerCharts((before.source,), (before.release,), (pool(),))
    hash_ = before.route.meta.applied_hash
    return replace(
        before,
        former=former,
        source=None,
        release=None,
        pool=None,
        endpoint_picker=None,
        route=leading_to(OLD.release, hash_=hash_),
    )


def fetched():
    """The world in which the new chart is fetched."""
    wanted = applied(plan(record(), switched(), BOTH))["OCIRepository"]
    return replace(switched(), source=named(source(hash_=applied_hash(wanted)), NEW.source))


def installed(**picker_fields):
    """The world in which the new chart is installed."""
    world = fetched()
    wanted = applied(plan(record(), world, BOTH))["HelmRelease"]
    ready = named(picker(**picker_fields), NEW.endpoint_picker)
    made = named(release(hash_=applied_hash(wanted)), NEW.source)
    return replace(world, release=made, pool=named(pool(), NEW.release), endpoint_picker=ready)


def announced(*parents, generation=1):
    """The world in which the route names the new pool in advance, and the Gateways have accepted both."""
    wanted = applied(plan(record(), installed(), BOTH))["HTTPRoute"]
    hash_ = applied_hash(wanted)
    rules = (RouteRule(pools=(OLD.release,)), RouteRule(pools=(NEW.release,)))
    both = replace(route(*parents, generation=generation, hash_=hash_), rules=rules)
    return replace(installed(), route=both)


def moved():
    """The world in which the route leads to the new pool."""
    wanted = applied(plan(record(), announced(), BOTH))["HTTPRoute"]
    return replace(installed(), route=leading_to(NEW.release, hash_=applied_hash(wanted)))


def said(status="True", pool=NEW.release, generation=1):
    """A status of the Workspace."""
    ready = condition("GatewayReady", status, generation=generation)
    return WorkspaceStatus(gateway=GatewayStatus(pool=pool), conditions=(ready,))


def backends(outcome):
    """The pools that the rules of the route lead to."""
    return [rule["backendRefs"][0]["name"] for rule in applied(outcome)["HTTPRoute"]["spec"]["rules"]]


def test_the_new_chart_is_made_beside_the_former_one_and_the_route_stays():
    outcome = plan(record(), switched(), BOTH)
    assert words(outcome) == ["create OCIRepository"]
    assert applied(outcome)["OCIRepository"]["metadata"]["name"] == f"{NAME}-fork"
    outcome = plan(record(), fetched(), BOTH)
    assert words(outcome) == ["create HelmRelease"]
    assert applied(outcome)["HelmRelease"]["spec"]["releaseName"] == f"{NAME}-fork"
    assert outcome.decisions.names == NEW


def test_the_new_pool_is_announced_to_the_gateways_before_requests_are_led_there():
    outcome = plan(record(), installed(ready=0), BOTH)
    assert words(outcome) == ["force HTTPRoute"]
    assert backends(outcome) == [OLD.release, NEW.release]
    (match,) = applied(outcome)["HTTPRoute"]["spec"]["rules"][1]["matches"]
    assert match["headers"] == [{"type": "Exact", "name": "X-Workspace-Ctrl-Announced-Pool", "value": NEW.release}]
    (problem,) = outcome.decisions.problems
    assert (problem.link, problem.reason) == (LinkName.ROUTE, "FormerChartInUse")
    assert (
        problem.message
        == f"HTTPRoute {NAME} still uses InferencePool {OLD.release} of the former chart until {NEW.release} is ready"
    )


def test_a_pool_of_the_users_is_led_to_at_once():
    """Whether it can answer is the user's decision; only our own pool is waited for."""
    own = workspace(quickstart(gateway={"pool": {"ref": {"name": "theirs"}}}))
    outcome = plan(own, replace(installed(ready=0), named_pool=named(pool(), "theirs")), BOTH)
    assert backends(outcome) == ["theirs"]
    assert "FormerChartInUse" not in [problem.reason for problem in outcome.decisions.problems]


def test_a_route_of_the_users_waits_for_no_pool():
    """Where it leads is the user's decision, also while a route of ours still leads to a pool of the former chart."""
    own = workspace(quickstart(gateway={"chart": {"name": "fork"}, "httpRouteRef": {"name": "theirs"}}))
    outcome = plan(own, replace(installed(ready=0), named_route=named(route(), "theirs")), BOTH)
    assert "FormerChartInUse" not in [problem.reason for problem in outcome.decisions.problems]


REFUSED = parent_status(condition("Accepted"), condition("ResolvedRefs", "False"))


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(replace(announced(), endpoint_picker=None), id="its endpoint picker is not there"),
        pytest.param(
            replace(announced(), endpoint_picker=installed(ready=0).endpoint_picker), id="its endpoint picker does not run"
        ),
        pytest.param(replace(announced(), release=replace(installed().release, deployed=False)), id="it is not installed"),
        pytest.param(replace(announced(), pool=named(pool(REFUSED), NEW.release)), id="the Gateway does not know the pool"),
        pytest.param(announced(REFUSED), id="the Gateway does not know what the route leads to"),
        pytest.param(announced(generation=2), id="the Gateway has not seen the announcement"),
    ],
)
def test_the_route_does_not_move_while(world):
    found = words(plan(record(), world, BOTH))
    assert [word for word in found if word != "ask for HelmRelease"] == []  # which brings back what is gone


def test_a_change_of_the_route_meanwhile_still_leads_to_the_former_pool():
    asked = workspace(quickstart(gateway={"chart": {"name": "fork"}, "timeout": "10s"}))
    outcome = plan(asked, replace(installed(), pool=None), BOTH)
    assert "force HTTPRoute" in words(outcome)
    assert backends(outcome) == [OLD.release]


def test_the_route_moves_when_the_new_pool_can_answer():
    outcome = plan(record(), announced(), BOTH)
    assert words(outcome) == ["force HTTPRoute"]
    assert backends(outcome) == [NEW.release]
    assert outcome.decisions.problems == ()


def test_a_former_chart_to_which_the_route_leads_stays_whatever_the_status_says():
    assert words(plan(record(said()), replace(announced(), pool=named(pool(REFUSED), NEW.release)), BOTH)) == []


def test_a_route_that_has_moved_does_not_go_back():
    broken = replace(moved(), endpoint_picker=named(picker(ready=0), NEW.endpoint_picker))
    assert words(plan(record(), broken, BOTH)) == []


def test_a_former_pool_that_is_going_holds_nothing():
    world = installed(ready=0)
    going = replace(pool(), meta=replace(pool().meta, deleting=True))
    outcome = plan(record(), replace(world, former=replace(world.former, pools=(going,))), BOTH)
    assert backends(outcome) == [NEW.release]


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(said(status="False"), id="not ready"),
        pytest.param(said(pool=OLD.release), id="of the former pool"),
        pytest.param(said(generation=0), id="of an older spec"),
        pytest.param(WorkspaceStatus(), id="nothing"),
    ],
)
def test_the_former_chart_stays_while_the_status_says(status):
    assert words(plan(record(status), moved(), BOTH)) == []


def test_the_former_chart_goes_in_order_once_requests_get_through_without_it():
    ready, world = record(said()), moved()
    outcome = plan(ready, world, BOTH)
    assert [step.ref for step in outcome.steps] == [release().ref]
    suspended = replace(world.former, releases=(replace(release(), suspended=True),))
    assert words(plan(ready, replace(world, former=suspended), BOTH)) == ["resume HelmRelease", "delete HelmRelease"]
    going = replace(release(), meta=replace(release().meta, deleting=True))
    assert words(plan(ready, replace(world, former=replace(world.former, releases=(going,))), BOTH)) == []
    outcome = plan(ready, replace(world, former=FormerCharts(sources=(source(),))), BOTH)
    assert [step.ref for step in outcome.steps] == [source().ref]
    assert words(plan(ready, replace(world, former=FormerCharts()), BOTH)) == []


def test_what_is_not_ours_is_left():
    foreign = FormerCharts((replace(source(), meta=meta("OCIRepository", "x", owner="other")),), (), ())
    assert words(plan(record(said()), replace(moved(), former=foreign), BOTH)) == []


def test_removal_takes_both_charts():
    deleting = workspace(deleting=True)
    world = replace(moved(), route=None, workloads=(deployment(),), parts={chart_object_id("Role", "x"): 1})
    assert {step.ref.name for step in removal_steps(deleting, None, world.chart)} == {OLD.release, NEW.release}
    chart, left = Installation(world.source, world.release), world.remaining_chart_objects()
    assert removal_waits(deleting.meta.uid, world.route, chart, world.former.releases, left) == (
        f"waiting for the deletion of HelmRelease default/{NEW.release} and HelmRelease default/{OLD.release}"
    )
    only_former = replace(world, release=None)
    (step,) = removal_steps(deleting, None, only_former.chart)
    assert isinstance(step, Delete)
    assert step.ref.name == OLD.release
    gone = ChartObjects(source=world.source, former=FormerCharts(sources=world.former.sources))
    kept = [step.ref.name for step in removal_steps(workspace(), None, gone) if isinstance(step, Delete)]
    assert kept == [NEW.source, OLD.source]


def test_a_workspace_with_one_chart_knows_of_no_other():
    assert words(plan(workspace(), finished(), BOTH)) == []
    assert manifests(settings=BOTH)["HTTPRoute"]["spec"]["rules"][0]["backendRefs"][0]["name"] == OLD.release
