"""A canary as a member of its group: the weights that follow from its status, and what is counted for it."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAMESPACE, SETTINGS, meta, quickstart
from tests.unit.planning.traffic.groups import CANARY, GROUP, at_step, cluster, group, member, record, revision_of
from workspace_ctrl.api.labels import CANARY_ANNOTATION, GROUP_WEIGHTS_ANNOTATION
from workspace_ctrl.model.canary import CanaryCount, CanaryPhase, CountingServer, Figures
from workspace_ctrl.planning.steps import Apply, CountRequests
from workspace_ctrl.planning.traffic.canary_state import state_in
from workspace_ctrl.planning.traffic.group_steps import desire_group, plan_group
from workspace_ctrl.readiness.traffic.canary import canary_link
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


def on_nodes(records, *names):
    """A member whose StatefulSets have a pod of an earlier version."""
    sets = [Workload(meta("StatefulSet", name, owner=""), existing_replicas=2, updated_replicas=1) for name in names]
    return replace(records, stateful_sets=(*(replace(each, updated_replicas=2) for each in sets[1:]), sets[0]))


def scaled(records):
    """A member whose Deployment gets another replica, which its controller has not seen yet."""
    name = records.workspace.meta.ref.name
    counts = {"replicas": 3, "existing_replicas": 2, "updated_replicas": 2, "ready_replicas": 2}
    workload = Workload(meta("Deployment", name, owner="", generation=5), observed_generation=4, **counts)
    return replace(records, deployments=(*records.deployments, workload))


def planned(records, workspace="v2", count=None, *, on=None, **fields):
    desired = desire_group(NAMESPACE, records, SETTINGS, on or cluster())
    return plan_group(desired, ObjectRef("Workspace", NAMESPACE, workspace), {}, {}, count, **fields)


def weights(*members, by="v1"):
    (found,) = weights_in(planned(group(*members), by))
    return found


def weights_in(plan):
    """The weights of each route that a plan applies."""
    applied = [step.manifest for step in plan.steps if isinstance(step, Apply)]
    return [manifest["metadata"]["annotations"][GROUP_WEIGHTS_ANNOTATION] for manifest in applied]


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
        pytest.param([member("v1"), at_step(canary(), 2, "Promoted", group="staging")], "v1=90,v2=10", id="promoted elsewhere"),
        pytest.param([member("v1"), at_step(canary(), 2, "Stopped", group="staging")], "v1=90,v2=10", id="stopped elsewhere"),
        pytest.param([member("v1"), canary(ready=False)], "v1=100", id="not ready"),
        pytest.param([member("v1"), at_step(canary(), 2, reason="CanaryNotReady")], "v1=100", id="its pass has not found it ready"),
        pytest.param([member("v1", ready=False), canary()], "v2=100", id="nobody else is ready"),
        pytest.param(
            [member("v1", ready=False), at_step(canary(), 1, "Stopped")], "v1=100", id="a stopped one does not stand in for others"
        ),
        pytest.param([canary()], "v2=100", id="alone"),
        pytest.param([member("v1"), rolling(at_step(canary(), 2))], "v1=100", id="pods of an earlier version"),
        pytest.param([member("v1"), rolling(at_step(canary(), 2, "Promoted"))], "v2=100", id="of one that was promoted"),
        pytest.param([member("v1"), on_nodes(at_step(canary(), 2), "v2")], "v1=100", id="on several nodes"),
        pytest.param([member("v1"), on_nodes(at_step(canary(), 2), "v2-0", "v2-1")], "v1=100", id="of copies on several nodes"),
        pytest.param([member("v1"), scaled(at_step(canary(), 2))], "v1=50,v2=50", id="being scaled"),
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
        pytest.param(
            [at_step(canary("v1"), 1), at_step(canary("v2"), 2, "Promoted", promotion=1)],
            "v1=10,v2=90",
            id="a new version of an older one after a promoted one",
        ),
        pytest.param(
            [at_step(canary("v1"), 2, "Promoted", promotion=2), at_step(canary("v2"), 2, "Promoted", promotion=1)],
            "v1=100",
            id="the last one that was promoted",
        ),
        pytest.param(
            [at_step(canary("v1"), 2, "Promoted"), at_step(canary("v2"), 2, "Promoted")],
            "v2=100",
            id="the younger one, if both were at once",
        ),
        pytest.param([member("v1"), at_step(canary("v2"), 2), canary("v3")], "v1=45,v2=45,v3=10", id="two that are tried"),
    ],
)
def test_the_weights_follow_from_the_status_of_the_canary_for_every_member(members, expected):
    assert {weights(*members, by=each.workspace.meta.ref.name) for each in members} == {expected}


@pytest.mark.parametrize(
    ("steps", "changed"),
    [
        pytest.param([1, 2, 5], {"group": {"canary": {"steps": [50, 10]}}}, id="the canary itself"),
        pytest.param([1, 2, 5], {"group": {"canary": "odd"}}, id="a canary that is none"),
        pytest.param([1, 2, 5], {"objectives": [{"name": "a"}, {"name": "a"}]}, id="another field"),
        pytest.param(
            [10, 25, 50, 75], {"group": {"canary": {"steps": [5]}}, "objectives": [{"name": "a"}, {"name": "a"}]}, id="both"
        ),
    ],
)
def test_a_canary_whose_spec_became_invalid_keeps_its_share(steps, changed):
    before = member("v2", group={"canary": {"steps": steps, "interval": "10s"}})
    mine = at_step(before, len(steps))
    invalid = record("v2", **{"group": {"canary": {"steps": steps, "interval": "10s"}}, **changed})
    broken = replace(mine, workspace=replace(invalid, stored_status=mine.workspace.stored_status))
    share = steps[-1]
    weights = {"v1": (100 - share), "v2": share}
    route = HTTPRoute(SHARED, group=GROUP, owners=frozenset({"uid-of-v1", "uid-of-v2"}), weights=weights)
    records = group(member("v1"), broken, route=route)
    step = next(step for step in planned(records, "v1").steps if isinstance(step, Apply))
    assert step.manifest["metadata"]["annotations"][GROUP_WEIGHTS_ANNOTATION] == f"v1={100 - share},v2={share}"
    assert planned(replace(records, members=(member("v1"), replace(broken, workspace=invalid)))).decision.canary is None
    decision = planned(records).decision.canary
    assert decision.state == state_in(mine.workspace.status.gateway.group, GROUP)  # so its status keeps it
    assert decision.state.percent(decision.plan) == share


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


def set_revision(template, group=GROUP, **canary_fields):
    """What identifies the version of an InferenceSet."""
    gateway = {"group": {"name": group, "canary": canary_fields}}
    spec = {"replicas": 1, "labelSelector": {"matchLabels": {"a": "b"}}, "template": template, "gateway": gateway}
    metadata = {"name": "v2", "namespace": NAMESPACE, "uid": "uid-of-v2", "creationTimestamp": "2026-11-21T11:00:02Z"}
    raw = {"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": metadata, "spec": spec}
    return revision_of(replace(canary(), workspace=parse_workspace_record(raw, "InferenceSet")))


def workspace_revision(canary_fields, **changed):
    """What identifies the version of a Workspace."""
    raw = quickstart(gateway={"group": {"name": GROUP, "canary": canary_fields}})
    raw["metadata"] |= {"name": "v2", "uid": "uid-of-v2", "creationTimestamp": "2026-11-21T11:00:02Z"}
    return revision_of(replace(canary(), workspace=parse_workspace_record(raw | changed, "Workspace")))


def test_what_the_api_server_adds_as_default_is_no_other_version():
    defaults = {"steps": [10, 25, 50, 100], "interval": "5m", "maxErrorRate": "1%", "maxLatencyRatio": None}
    assert workspace_revision({}) == workspace_revision(defaults)
    resource = quickstart()["resource"]
    assert workspace_revision({}, resource=resource) == workspace_revision({}, resource={**resource, "count": 1})
    assert workspace_revision({}) != workspace_revision({"maxErrorRate": "2%"})
    assert workspace_revision({}) != workspace_revision({}, resource={**resource, "count": 2})
    small = {"inference": {"preset": {"name": "phi-4-mini-instruct"}}}
    assert set_revision(small) == set_revision({**small, "resource": {}, "metadata": None}, **defaults)
    assert set_revision(small) != set_revision({**small, "resource": {"instanceType": "Standard_NC24ads_A100_v4"}})


def test_a_part_that_is_not_valid_is_a_version_as_well():
    assert len({workspace_revision({}, inference={"preset": name}) for name in (1, 2)}) == 2


def test_the_same_version_in_another_group_is_tried_anew():
    def in_group(name, wish=""):
        raw = quickstart(gateway={"group": {"name": name, "canary": CANARY}})
        raw["metadata"] |= {"name": "v2", "uid": "uid-of-v2", "creationTimestamp": "2026-11-21T11:00:02Z"}
        return replace(canary(), workspace=replace(parse_workspace_record(raw, "Workspace"), annotations={CANARY_ANNOTATION: wish}))

    before = revision_of(in_group("staging"))
    for wish in ("promote", "abort"):
        mine = in_group(GROUP, f"{wish}-{before}")
        moved = at_step(mine, 2, "Promoted" if wish == "promote" else "Stopped", before, group="staging")
        state = planned(group(member("v1"), moved)).decision.canary.state
        assert (state.phase, state.step, state.reason) == (CanaryPhase.PROGRESSING, 0, "CanaryInProgress")
        assert state.revision != before


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


def test_a_lone_canary_whose_version_changes_keeps_its_requests_and_has_no_problem():
    found = planned(routed(at_step(canary(), 2, "Stopped", "old"), v2=100))
    assert weights_in(found) == ["v2=100"]
    assert found.problems == ()


def test_the_annotation_of_the_author_decides():
    mine = at_step(canary(), 1)
    wish = {CANARY_ANNOTATION: f"abort-{revision_of(mine)}"}
    mine = replace(mine, workspace=replace(mine.workspace, annotations=wish))
    assert planned(group(member("v1"), mine)).decision.canary.state.reason == "CanaryAborted"


KTHENA = "volcano.sh/kthena-router"


@pytest.mark.parametrize(
    ("records", "on", "workspace", "holder"),
    [
        pytest.param(
            group(member("v1"), at_step(canary())), cluster(controller=KTHENA), "v2", "v1", id="requests that are not divided"
        ),
        pytest.param(
            group(at_step(canary("v1"), 1), at_step(member("v2", group={"canary": {"steps": [100]}}), 1)),
            cluster(),
            "v1",
            "v2",
            id="a younger one in its last step",
        ),
    ],
)
def test_a_canary_that_is_not_in_the_route_says_who_has_the_requests(records, on, workspace, holder):
    found = planned(records, workspace, on=on).decision.canary
    assert (found.state.phase, found.state.reason) == (CanaryPhase.PROGRESSING, "CanaryWithoutRequests")
    assert found.remark == f"it gets none of them, because all requests of the group go to {holder}"
    link = canary_link(found)
    assert (link.status, link.reason) == ("Unknown", "CanaryWithoutRequests")


@pytest.mark.parametrize("reason", ["CanaryWithoutRequests", "CanaryNotReady"])
def test_a_canary_that_is_in_the_route_again_is_in_progress(reason):
    mine = at_step(canary(), 1, reason=reason)
    found = planned(group(member("v1"), mine)).decision.canary
    assert (found.state.reason, found.weights) == ("CanaryInProgress", {"v1": 90, "v2": 10})


def test_a_canary_waits_for_the_pods_that_its_spec_wants():
    mine = at_step(canary(), 1, revision="old")
    found = planned(group(member("v1"), mine), has_wanted_pods=False).decision.canary
    assert (found.state.reason, found.state.revision) == ("CanaryNotReady", revision_of(mine))
    assert found.weights == {"v1": 100}


@pytest.mark.parametrize("records", [rolling(canary()), on_nodes(canary(), "v2", "v2-1")], ids=["Deployment", "StatefulSets"])
def test_a_canary_with_pods_of_two_versions_is_not_ready(records):
    """A count of them would be one of both versions."""
    found = planned(group(member("v1"), at_step(records, 1))).decision.canary
    assert found.state.reason == "CanaryNotReady"


def test_a_crash_is_noticed_while_a_canary_waits():
    mine = at_step(canary(ready=False), 1, reason="CanaryNotReady")
    assert [server.name for server in target_of(planned(group(member("v1"), mine))).canary] == ["v2-1"]


def test_scaling_keeps_what_was_counted():
    mine = scaled(at_step(canary(), 2))
    count = CanaryCount(f"{revision_of(mine)}/1", 9.9, Figures(5000), Figures(5000))
    found = planned(routed(member("v1"), mine, v1=50, v2=50), count=count, has_wanted_pods=False)
    assert (found.decision.canary.state.reason, target_of(found).is_routed) == ("CanaryInProgress", True)


def test_a_canary_that_was_stopped_and_has_nobody_beside_it_is_said_to_keep_its_requests_if_it_does():
    mine = at_step(canary(), 2, "Stopped")
    found = planned(routed(mine, v2=100))
    assert ("keeps its requests" in canary_link(found.decision.canary).message) is (weights_in(found) == ["v2=100"])
    among = planned(routed(member("v1"), mine, v1=50, v2=50))
    assert "gets no requests any more" in canary_link(among.decision.canary).message


def test_a_new_promotion_comes_after_that_of_the_others():
    mine, other = at_step(canary("v1"), 2), at_step(canary("v2"), 2, "Promoted", promotion=3)
    wish = {CANARY_ANNOTATION: f"promote-{revision_of(mine)}"}
    mine = replace(mine, workspace=replace(mine.workspace, annotations=wish))
    assert planned(group(mine, other), "v1").decision.canary.state.promotion == 4


def test_a_version_stays_the_same_in_later_versions_of_the_controller_or_canaries_would_begin_again():
    template = {"inference": {"preset": {"name": "phi-4-mini-instruct"}}, "resource": {"instanceType": "Standard_NC24ads_A100_v4"}}
    assert set_revision(template, maxErrorRate="2%") == "9f1d156e"
