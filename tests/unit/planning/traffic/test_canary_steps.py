"""A canary as a member of its group: the weights that follow from its status, and what is counted for it."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAMESPACE, SETTINGS, meta, quickstart
from tests.unit.planning.traffic.groups import CANARY, GROUP, at_step, cluster, group, member, revision_of
from workspace_ctrl.api.labels import CANARY_ANNOTATION, GROUP_WEIGHTS_ANNOTATION
from workspace_ctrl.model.canary import CanaryCount, CanaryPhase, CountingServer, Figures
from workspace_ctrl.planning.steps import Apply, CountRequests
from workspace_ctrl.planning.traffic.canary_state import state_in
from workspace_ctrl.planning.traffic.group_steps import desire_group, plan_group
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import parse_workspace_record

SHARED = Meta(ObjectRef("HTTPRoute", NAMESPACE, GROUP))


def canary(name="v2", **fields):
    return member(name, group={"canary": CANARY}, **fields)


def rolling(records):
    """A member whose Deployment has a pod of an earlier version."""
    workload = Workload(meta("Deployment", records.workspace.meta.ref.name, owner=""), existing_replicas=2, updated_replicas=1)
    return replace(records, deployments=(*records.deployments, workload))


def planned(records, workspace="v2", count=None):
    desired = desire_group(NAMESPACE, records, SETTINGS, cluster())
    return plan_group(desired, ObjectRef("Workspace", NAMESPACE, workspace), {}, {}, count)


def weights(*members, by="v1"):
    (step,) = [step for step in planned(group(*members), by).steps if isinstance(step, Apply)]
    return step.manifest["metadata"]["annotations"][GROUP_WEIGHTS_ANNOTATION]


def target_of(plan):
    (step,) = [step for step in plan.steps if isinstance(step, CountRequests)]
    return step.target


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([member("v1"), canary()], "v1=90,v2=10", id="the first step, before there is a status"),
        pytest.param([member("v1"), at_step(canary(), 2)], "v1=50,v2=50", id="the second step"),
        pytest.param([member("v1"), at_step(canary(), 9)], "v1=50,v2=50", id="a step that does not exist"),
        pytest.param([member("v1"), at_step(canary(), 2, "Promoted")], "v2=100", id="promoted"),
        pytest.param([member("v1"), at_step(canary(), 2, "Stopped")], "v1=100", id="stopped"),
        pytest.param([member("v1"), at_step(canary(), 2, "Stopped", "old")], "v1=100", id="the status is about another version"),
        pytest.param([member("v1"), at_step(canary(), 2, "Odd")], "v1=90,v2=10", id="a status that is none"),
        pytest.param([member("v1"), canary(ready=False)], "v1=100", id="not ready"),
        pytest.param([member("v1", ready=False), canary()], "v2=100", id="nobody else is ready"),
        pytest.param(
            [member("v1", ready=False), at_step(canary(), 1, "Stopped")], "v1=100", id="a stopped one does not stand in for others"
        ),
        pytest.param([canary()], "v2=100", id="alone"),
        pytest.param([member("v1"), rolling(at_step(canary(), 2))], "v1=100", id="pods of an earlier version"),
        pytest.param([member("v1"), rolling(at_step(canary(), 2, "Promoted"))], "v2=100", id="of one that was promoted"),
        pytest.param([rolling(at_step(canary(), 2))], "v2=100", id="pods of an earlier version, and nobody else"),
        pytest.param(
            [member("v1", group={"weight": 30}), member("v3", group={"weight": 10}), canary()], "v1=135,v3=45,v2=20", id="three"
        ),
        pytest.param(
            [member("v1"), at_step(canary(), 2, "Promoted"), canary("v3")], "v2=90,v3=10", id="a later one after a promoted one"
        ),
        pytest.param(
            [member("v1", ready=False), member("v3", group={"fallback": True}), canary()], "v2=100", id="before a fallback"
        ),
    ],
)
def test_the_weights_follow_from_the_status_of_the_canary_for_every_member(members, expected):
    assert {weights(*members, by=each.workspace.meta.ref.name) for each in members} == {expected}


def test_a_canary_whose_spec_became_invalid_keeps_its_share():
    mine = at_step(canary(), 2)
    raw = quickstart(gateway={"group": {"name": GROUP, "canary": {"steps": [50, 10]}}})
    raw["metadata"] |= {"name": "v2", "uid": "uid-of-v2", "creationTimestamp": "2026-11-21T11:00:02Z"}
    broken = replace(parse_workspace_record(raw, "Workspace"), stored_status=mine.workspace.stored_status)
    owners = frozenset({"uid-of-v1", "uid-of-v2"})
    route = HTTPRoute(SHARED, group=GROUP, owners=owners, weights={"v1": 75, "v2": 25})
    found = planned(group(member("v1"), replace(mine, workspace=broken), route=route), "v1")
    step = next(step for step in found.steps if isinstance(step, Apply))
    assert step.manifest["metadata"]["annotations"][GROUP_WEIGHTS_ANNOTATION] == "v1=75,v2=25"
    records = group(member("v1"), replace(mine, workspace=broken), route=route)
    assert planned(records).decision.canary.state == state_in(mine.workspace.status.gateway.group)  # so its status keeps it


def test_the_version_is_the_model_server_and_the_steps_and_not_the_number_of_copies():
    def of(replicas=1, image="a", **changed):
        template = {"inference": {"template": {"spec": {"containers": [{"name": "m", "image": image}]}}}, "resource": {}}
        gateway = {"group": {"name": GROUP, "canary": CANARY | changed}}
        spec = {"replicas": replicas, "labelSelector": {"matchLabels": {"a": "b"}}, "template": template, "gateway": gateway}
        metadata = {"name": "v2", "namespace": NAMESPACE, "uid": "uid-of-v2", "creationTimestamp": "2026-11-21T11:00:02Z"}
        raw = {"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": metadata, "spec": spec}
        return revision_of(replace(canary(), workspace=parse_workspace_record(raw, "InferenceSet")))

    assert of() == of(replicas=7)
    assert len({of(), of(image="b"), of(interval="20s")}) == 3


def routed(*members, **shares):
    return group(*members, route=HTTPRoute(SHARED, group=GROUP, weights=shares))


def test_what_is_counted_for_a_canary():
    mine = at_step(canary(), 1)
    target = target_of(planned(routed(member("v1"), mine, v1=90, v2=10)))
    assert (target.step, target.period, target.is_routed) == (f"{revision_of(mine)}/0", 1.0, True)
    assert [server.name for server in target.canary] == ["v2-1"]
    assert [server.name for server in target.others] == ["v1-1"]


@pytest.mark.parametrize(
    ("records", "is_routed"),
    [
        pytest.param(routed(member("v1"), canary(), v1=90, v2=10), False, id="the status does not say the step yet"),
        pytest.param(routed(member("v1"), at_step(canary()), v1=100), False, id="the route does not have it yet"),
        pytest.param(group(member("v1"), at_step(canary())), False, id="no route yet"),
        pytest.param(routed(member("v1"), at_step(canary(ready=False)), v1=90, v2=10), False, id="not ready"),
        pytest.param(routed(member("v1"), at_step(canary()), v1=90, v2=10), True, id="it has its share"),
    ],
)
def test_the_time_of_a_step_passes_only_while_the_canary_has_its_share(records, is_routed):
    assert target_of(planned(records)).is_routed is is_routed


def test_a_pod_is_read_at_its_address_and_the_port_of_the_pool_while_it_is_ready():
    mine = canary()
    pool, pod = replace(mine.pools[0], port=8080), replace(mine.pods[0], address="10.0.0.7", restarts=2)
    here = routed(member("v1"), replace(mine, pools=(pool,), pods=(pod,)), v1=90, v2=10)
    uid = pod.meta.uid
    assert target_of(planned(here)).canary == (CountingServer(uid, "v2-1", "10.0.0.7", 8080, 2),)


@pytest.mark.parametrize(
    ("records", "workspace"),
    [
        pytest.param(group(member("v1"), at_step(canary(), 1, "Stopped")), "v2", id="stopped"),
        pytest.param(group(member("v1"), at_step(canary(), 1, "Promoted")), "v2", id="promoted"),
        pytest.param(group(member("v1"), rolling(canary())), "v2", id="pods of an earlier version"),
        pytest.param(group(member("v1"), canary(deleting=True)), "v2", id="deleted"),
        pytest.param(group(member("v1"), member("v2")), "v2", id="no canary any more"),
    ],
)
def test_counting_ends_with_the_canary(records, workspace):
    assert target_of(planned(records, workspace, CanaryCount("r/0"))) is None
    assert not [step for step in planned(records, workspace).steps if isinstance(step, CountRequests)]


def test_nothing_is_counted_for_other_members():
    assert not [step for step in planned(group(member("v1"), canary()), "v1").steps if isinstance(step, CountRequests)]


def test_the_decision_follows_what_was_counted_and_the_route_follows_the_status():
    mine = at_step(canary(), 1)
    bad = CanaryCount(f"{revision_of(mine)}/0", 1.0, Figures(100, 30), Figures(900))
    found = planned(routed(member("v1"), mine, v1=90, v2=10), count=bad)
    assert (found.decision.canary.state.phase, found.decision.canary.state.reason) == (CanaryPhase.STOPPED, "CanaryErrors")
    assert weights(member("v1"), mine) == "v1=90,v2=10"


def test_a_lone_canary_whose_version_changes_keeps_its_route_and_has_no_problem():
    route = HTTPRoute(SHARED, group=GROUP, owners=frozenset({"uid-of-v2"}), weights={"v2": 100})
    found = planned(group(at_step(canary(), 2, "Stopped", "old"), route=route))
    assert [step for step in found.steps if isinstance(step, Apply)] == []
    assert found.problems == ()


def test_the_annotation_of_the_author_decides():
    mine = at_step(canary(), 1)
    wish = {CANARY_ANNOTATION: f"abort-{revision_of(mine)}"}
    mine = replace(mine, workspace=replace(mine.workspace, annotations=wish))
    assert planned(group(member("v1"), mine)).decision.canary.state.reason == "CanaryAborted"
