"""The route of a group: a pure function of its members, whoever plans it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NAMESPACE, SETTINGS, applied_fields, gateway, meta
from tests.unit.planning.traffic.groups import CANARY, GROUP, SHARED, at_step, cluster, group, member
from workspace_ctrl.api.labels import GROUP_LABEL, GROUP_WEIGHTS_ANNOTATION, MANAGED_BY_LABEL, OWNER_LABEL
from workspace_ctrl.cache.route_conflicts import taken_claims
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.route_claims import MODEL_HEADER, RouteClaim, group_holder
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.steps import Apply, Delete
from workspace_ctrl.planning.traffic.group_steps import desire_group, plan_group
from workspace_ctrl.records.gateways import HTTPRoute, parse_http_route
from workspace_ctrl.records.meta import ObjectRef

ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
KTHENA = "volcano.sh/kthena-router"
STANDARD = "example.com/any"
GKE = "networking.gke.io/gateway"
HEADER = {"header": True}


def planned(records, workspace="v1", world=None, taken=None, settings=SETTINGS):
    desired = desire_group(NAMESPACE, records, settings, world or cluster())
    return plan_group(desired, ObjectRef("Workspace", NAMESPACE, workspace), taken or {}, {})


def manifest(records, world=None, **given):
    (step,) = planned(records, world=world, **given).steps
    return step.manifest


def weights(records, world=None):
    """The weights of the members that get requests, as the route says."""
    text = manifest(records, world)["metadata"]["annotations"][GROUP_WEIGHTS_ANNOTATION]
    return {name: int(weight) for name, weight in (entry.split("=") for entry in text.split(","))}


def reasons(records, workspace="v1", **given):
    return [problem.reason for problem in planned(records, workspace, **given).problems]


def stored(document, **fields):
    """The route as the API server returns it after an apply of ours."""
    metadata = document["metadata"] | {"uid": "uid-of-route", "managedFields": [applied_fields(document)], **fields}
    return parse_http_route(document | {"metadata": metadata}, "HTTPRoute")


def leads(rule):
    return [(backend["name"], backend.get("weight")) for backend in rule["backendRefs"]]


TWO = group(member("v1", group={"weight": 90}), member("v2", group={"weight": 10}))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([("v1", {"weight": 90}, True), ("v2", {"weight": 10}, True)], {"v1": 90, "v2": 10}, id="both ready"),
        pytest.param([("v1", {"weight": 90}, False), ("v2", {"weight": 10}, True)], {"v2": 10}, id="one is not ready"),
        pytest.param([("v1", {}, True), ("v2", {"weight": 0}, True)], {"v1": 100}, id="weight 0"),
        pytest.param([("v1", {}, True), ("v2", {"fallback": True}, True)], {"v1": 100}, id="fallback waits"),
        pytest.param([("v1", {}, False), ("v2", {"fallback": True}, True)], {"v2": 100}, id="fallback gets all"),
        pytest.param([("v1", {}, False), ("v2", {"fallback": True}, False)], {"v1": 100}, id="nobody is ready"),
        pytest.param([("v1", {"weight": 0}, True), ("v2", {}, False)], {"v2": 100}, id="weight 0 is no fallback"),
    ],
)
def test_weights_count_among_members_that_are_ready(members, expected):
    assert weights(group(*(member(name, group=given, ready=ready) for name, given, ready in members))) == expected


def test_a_member_whose_endpoint_picker_does_not_run_is_not_ready():
    assert weights(group(member("v1"), member("v2", picker=0))) == {"v1": 100}


def test_a_member_of_the_users_pool_has_no_picker_that_is_known():
    own = member("v2", pool={"ref": {"name": "mine"}})
    there = replace(own.pools[0], meta=replace(own.pools[0].meta, ref=ObjectRef("InferencePool", NAMESPACE, "mine")))
    assert weights(group(member("v1"), replace(own, pools=(there,)))) == {"v1": 100, "v2": 100}


def test_istio_gets_a_rule_for_each_member_and_the_last_one_takes_the_rest():
    small, rest = manifest(TWO)["spec"]["rules"]
    (match,) = small["matches"]
    assert match["path"] == {"type": "PathPrefix", "value": f"/{NAMESPACE}/{GROUP}"}
    assert [header["type"] for header in match["headers"]] == ["RegularExpression"]
    assert rest["matches"] == [{"path": match["path"]}]
    assert (leads(small), leads(rest)) == ([("v2-inferencepool", None)], [("v1-inferencepool", None)])
    assert all(rule["filters"][0]["urlRewrite"]["path"]["replacePrefixMatch"] == "/" for rule in (small, rest))


def test_classes_that_ask_each_pools_picker_get_weights():
    (rule,) = manifest(TWO, cluster(controller=STANDARD))["spec"]["rules"]
    assert leads(rule) == [("v1-inferencepool", 90), ("v2-inferencepool", 10)]


def test_a_class_that_cannot_divide_sends_all_to_the_heaviest_and_says_so():
    world = cluster(controller=KTHENA)
    assert weights(TWO, world) == {"v1": 90}
    assert reasons(TWO, world=world) == ["TrafficNotDivisible"]
    assert reasons(group(member("v1"), member("v2", group={"fallback": True})), world=world) == []


def test_gateways_of_several_classes_share_what_all_of_them_can_do():
    parents = [{"name": "one"}, {"name": "two"}]
    both = group(*(member(name, parentRefs=parents) for name in ("v1", "v2")))
    world = cluster(gateway("one"), gateway("two", class_name="other"))
    standard = replace(world.classes[0], meta=meta("GatewayClass", "other", namespace="", owner=""), controller=STANDARD)
    rules = manifest(both, replace(world, classes=(*world.classes, standard)))["spec"]["rules"]
    assert len(rules) == 2


@pytest.mark.parametrize(("controller", "timeouts"), [(STANDARD, {"request": "300s"}), (GKE, None)])
def test_a_class_that_rejects_routes_with_timeouts_gets_none(controller, timeouts):
    (rule,) = manifest(group(member("v1"), member("v2")), cluster(controller=controller))["spec"]["rules"]
    assert rule.get("timeouts") == timeouts


def test_requests_with_the_groups_name_in_the_header_are_divided_too_if_the_oldest_member_wants_it():
    rules = manifest(group(member("v1", match=HEADER), member("v2", match=HEADER)))["spec"]["rules"]
    by_name = [rule for rule in rules if rule["matches"][0]["path"]["value"] == "/"]
    assert [[header["name"] for header in rule["matches"][0]["headers"]] for rule in by_name] == [
        [MODEL_HEADER, "X-Request-Id"],
        [MODEL_HEADER],
    ]


def test_all_members_own_the_route_and_none_controls_it():
    owners = manifest(TWO)["metadata"]["ownerReferences"]
    assert [(owner["kind"], owner["name"], owner["uid"]) for owner in owners] == [
        ("Workspace", "v1", "uid-of-v1"),
        ("Workspace", "v2", "uid-of-v2"),
    ]
    assert not any("controller" in owner for owner in owners)
    assert manifest(TWO)["metadata"]["labels"][OWNER_LABEL] == ""


def test_a_route_that_is_as_it_should_be_is_not_written_again():
    found = stored(manifest(TWO))
    assert planned(replace(TWO, route=found)).steps == ()
    changed = replace(TWO, members=(member("v1", group={"weight": 90}), member("v2", group={"weight": 10}, ready=False)))
    (step,) = planned(replace(changed, route=found)).steps
    assert (type(step), step.force, step.link) == (Apply, True, LinkName.GROUP)


def test_a_change_by_others_is_reverted():
    fields = applied_fields(manifest(TWO))
    del fields["fieldsV1"]["f:spec"]["f:rules"]
    found = stored(manifest(TWO), managedFields=[fields])
    (step,) = planned(replace(TWO, route=found)).steps
    assert step.repairs


def with_labels(change):
    """The route after another manager has changed labels, which we do not own any more then."""
    document = manifest(TWO)
    fields = applied_fields(document)
    labels = document["metadata"]["labels"] | change
    for name in change:
        del fields["fieldsV1"]["f:metadata"]["f:labels"][f"f:{name}"]
    kept = {name: value for name, value in labels.items() if value is not None}
    return stored(document, labels=kept, managedFields=[fields])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({name: value}, id=f"{name} {'removed' if value is None else 'changed'}")
        for name in (GROUP_LABEL, OWNER_LABEL, MANAGED_BY_LABEL)
        for value in (None, "other")
    ],
)
def test_labels_of_the_route_are_repaired_whoever_has_removed_or_changed_them(change):
    outcome = planned(replace(TWO, route=with_labels(change)))
    (step,) = outcome.steps
    assert (type(step), step.repairs, outcome.problems) == (Apply, True, ())


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(lambda found: replace(found, owners=frozenset({"elsewhere"})), id="no member owns it"),
        pytest.param(lambda found: replace(found, meta=replace(found.meta, owned=b"")), id="we have not applied it"),
        pytest.param(lambda found: replace(found, meta=replace(found.meta, controller_uid="uid-of-v1")), id="it is a member's own"),
    ],
)
def test_a_route_without_the_label_of_the_group_that_may_be_of_others_is_not_written(others):
    outcome = planned(replace(TWO, route=others(with_labels({GROUP_LABEL: None}))))
    assert (outcome.steps, [problem.reason for problem in outcome.problems]) == ((), ["GroupNameTaken"])


def test_the_route_that_is_read_again_has_its_weights_and_owners():
    found = stored(manifest(TWO))
    assert (found.group, dict(found.weights), found.owners) == (GROUP, {"v1": 90, "v2": 10}, {"uid-of-v1", "uid-of-v2"})


def test_a_member_that_is_being_deleted_or_has_left_has_no_part_in_the_route():
    left = group(member("v1", deleting=True), member("v2"), route=stored(manifest(TWO)))
    (step,) = planned(left).steps
    assert [owner["name"] for owner in step.manifest["metadata"]["ownerReferences"]] == ["v2"]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(group(), id="all have left"),
        pytest.param(group(member("v1", deleting=True)), id="the last one is being deleted"),
        pytest.param(group(member("v1", enabled=False)), id="the last one wants no Gateway"),
    ],
)
def test_the_route_goes_with_the_last_member(records):
    (step,) = planned(replace(records, route=stored(manifest(TWO)))).steps
    assert (type(step), step.ref) == (Delete, SHARED)


NOBODY = group(member("v1", group={"weight": 0}), member("v2", group={"weight": 0}))


@pytest.mark.parametrize("controller", ["istio.io/gateway-controller", ENVOY_GATEWAY, STANDARD, KTHENA])
def test_weights_that_are_all_0_take_the_requests_away_and_the_condition_says_so(controller):
    world = cluster(controller=controller)
    found = stored(manifest(TWO, world))
    (rule,) = manifest(replace(NOBODY, route=found), world)["spec"]["rules"]
    assert leads(rule) == [("v1-inferencepool", 0)]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": f"/{NAMESPACE}/{GROUP}"}}]
    (problem,) = planned(replace(NOBODY, route=found), world=world).problems
    words = "no member of group chat has a weight, so the Gateway answers its requests with an error; set gateway.group.weight of "
    assert problem.reason == "GroupWithoutWeight"
    assert f"{words}Workspace v1 above 0" in problem.message
    assert stored(manifest(NOBODY, world)).weights == {}
    assert weights(replace(TWO, route=stored(manifest(NOBODY, world))), cluster()) == {"v1": 90, "v2": 10}


def test_the_way_out_of_a_group_that_is_a_stopped_canary_is_none_that_its_spec_rejects():
    lone = at_step(member("v1", group={"canary": CANARY}), 1, "Stopped")
    for route in (None, stored(manifest(group(member("v1"))))):
        (problem,) = [found for found in planned(group(lone, route=route)).problems if found.reason == "GroupWithoutWeight"]
        assert "gateway.group.weight" not in problem.message
        assert "workspace-ctrl promote v1" in problem.message
        assert ("keeps its requests" in problem.message) is (route is not None)


def test_a_stopped_canary_keeps_its_requests_only_until_another_member_has_a_weight():
    canary = at_step(member("v2", group={"canary": CANARY}), 1, "Stopped")
    found = stored(manifest(group(member("v1", group={"weight": 0}), member("v2"))))
    assert dict(found.weights) == {"v2": 100}
    assert planned(group(member("v1", group={"weight": 0}), canary, route=found)).steps == ()
    assert weights(group(member("v1"), canary, route=found)) == {"v1": 100}


@pytest.mark.parametrize("phase", ["Stopped", "Promoted"])
@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param(
            {"parentRefs": [{"name": "second"}]}, lambda spec: [each["name"] for each in spec["parentRefs"]], id="Gateway"
        ),
        pytest.param({"hostnames": ["new.example.com"]}, lambda spec: spec["hostnames"], id="host name"),
        pytest.param({"timeout": "99s"}, lambda spec: spec["rules"][0]["timeouts"]["request"], id="timeout"),
        pytest.param({"pool": {"ref": {"name": "mine"}}}, lambda spec: leads(spec["rules"][0]), id="pool"),
    ],
)
def test_the_route_of_a_canary_that_keeps_its_requests_follows_the_spec(phase, fields, found):
    world = cluster(gateway(), gateway("second"))
    given = {"group": {"canary": CANARY}, "parentRefs": [{"name": "inference-gateway"}]}
    before = stored(manifest(group(member("v2", **given)), world))
    after = group(at_step(member("v2", **{**given, **fields}), 1, phase, reason="CanaryAborted"), route=before)
    wanted = manifest(group(member("v2", **{**given, **fields})), world)["spec"]
    assert found(manifest(after, world)["spec"]) == found(wanted)
    assert weights(after, world) == {"v2": 100}
    outcome = planned(after, "v2", world)
    assert [parent.gateway.ref.name for parent in outcome.decision.parents] == [each["name"] for each in wanted["parentRefs"]]


def test_a_member_without_a_weight_owns_the_route_of_a_canary_that_keeps_its_requests():
    canary = at_step(member("v2", group={"canary": CANARY}), 1, "Stopped")
    before = stored(manifest(group(member("v2", group={"canary": CANARY}))))
    (step,) = planned(group(canary, member("v3", group={"weight": 0}), route=before)).steps
    assert [owner["name"] for owner in step.manifest["metadata"]["ownerReferences"]] == ["v2", "v3"]


@pytest.mark.parametrize(
    ("before", "rest", "expected"),
    [
        pytest.param(10, [member("v2", group={"weight": 0})], {}, id="the only one with a weight"),
        pytest.param(10, [member("v2", group={"weight": 10}, observed=False)], {"v2": 10}, id="the other one is not known yet"),
        pytest.param(0, [member("v2", observed=False)], {"v2": 100}, id="the other one gets a weight, and is not known yet"),
        pytest.param(
            10, [member("v2", httpRouteRef={"name": "mine"})], {"v2": 100}, id="the only one whose Gateways the group has"
        ),
        pytest.param(
            10, [at_step(member("v2", group={"canary": CANARY}), 1, "Stopped")], {"v2": 10}, id="a canary that was stopped"
        ),
        pytest.param(
            10, [at_step(member("v2", group={"canary": CANARY}), 1, revision="old")], {"v2": 10}, id="a canary that changes"
        ),
    ],
)
def test_a_member_that_goes_leaves_the_route_whatever_is_known_of_the_others(before, rest, expected):
    there = group(member("v1", group={"weight": 90}), member("v2", group={"weight": before}))
    records = group(member("v1", deleting=True), *rest, route=stored(manifest(there)))
    (step,) = [step for step in planned(records).steps if isinstance(step, Apply)]
    after = stored(step.manifest)
    assert dict(after.weights) == expected
    assert "v1-inferencepool" not in {pool for rule in after.rules for pool in rule.pools}
    assert "uid-of-v1" not in after.owners


def test_fallbacks_alone_get_the_requests_before_any_of_them_is_ready():
    assert weights(group(member("v1", group={"fallback": True}, ready=False))) == {"v1": 100}
    assert weights(group(member("v1", group={"weight": 0}), member("v2", group={"fallback": True}, ready=False))) == {"v2": 100}


def test_the_route_goes_with_the_feature_gate():
    off = replace(SETTINGS, gateway_extension=False)
    (step,) = planned(replace(TWO, route=stored(manifest(TWO))), settings=off).steps
    assert isinstance(step, Delete)


def test_nothing_is_written_until_each_member_has_been_observed():
    assert planned(group(member("v1"), member("v2", observed=False))).steps == ()


def test_a_member_whose_spec_becomes_invalid_keeps_its_place_and_others_get_none():
    broken = member("v2", group={"weight": 30}, parentRefs=[{"name": 7}])
    records = group(member("v1", group={"weight": 90}), broken)
    assert weights(records) == {"v1": 90}
    assert weights(replace(records, route=stored(manifest(TWO)))) == {"v1": 90, "v2": 30}


def test_where_groups_are_not_allowed_nothing_is_written():
    strict = replace(SETTINGS, restricted_fields=False)
    assert planned(TWO, settings=strict).steps == ()
    assert planned(replace(TWO, route=stored(manifest(TWO))), settings=strict).steps == ()


def test_without_a_gateway_the_route_stays_and_the_reason_is_told():
    records = replace(TWO, route=stored(manifest(TWO)))
    outcome = planned(records, world=replace(cluster(), gateways=()))
    assert (outcome.steps, [problem.reason for problem in outcome.problems]) == ((), ["NoGateway"])


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param(replace(TWO, namesake=ObjectRef("Workspace", NAMESPACE, GROUP)), "GroupNameTaken", id="a Workspace"),
        pytest.param(replace(TWO, route=HTTPRoute(meta("HTTPRoute", GROUP))), "GroupNameTaken", id="a route of others"),
        pytest.param(
            replace(TWO, is_shard=True, route=replace(stored(manifest(TWO)), owners=frozenset({"elsewhere"}))),
            "GroupSpansShards",
            id="a member in another shard",
        ),
    ],
)
def test_what_is_not_the_groups_is_never_written(records, expected):
    outcome = planned(records)
    assert outcome.steps == ()
    assert [problem.reason for problem in outcome.problems] == [expected]


@pytest.mark.parametrize(
    ("records", "workspace", "expected"),
    [
        pytest.param(TWO, "v1", [], id="all is well"),
        pytest.param(group(member("v1", group={"weight": 0})), "v1", ["GroupWithoutWeight"], id="no weight"),
        pytest.param(group(member("v1"), member("v2", timeout="9s")), "v1", [], id="the oldest decides"),
        pytest.param(group(member("v1"), member("v2", timeout="9s")), "v2", ["GroupMembersDiffer"], id="the younger is told"),
        pytest.param(
            group(member("v1", httpRouteRef={"name": "mine"})), "v1", ["GroupWithoutGateway"], id="only routes of the user"
        ),
        pytest.param(group(member("v1", names=["a", "b"]), member("v2", names=["b"])), "v1", [], id="a common model name"),
        pytest.param(
            group(member("v1", names=["a"]), member("v2", names=["b"])), "v1", ["ModelNamesDiffer"], id="no common model name"
        ),
        pytest.param(
            group(member("v1", names=["a"], match=HEADER), member("v2", names=["a"], match=HEADER)),
            "v1",
            ["ModelNamesDiffer"],
            id="by header the group's name is sent",
        ),
        pytest.param(group(*(member(f"v{n}") for n in range(9))), "v8", ["TooManyGroupMembers"], id="the ninth member"),
        pytest.param(
            group(member("v1"), member("v2", group={"weight": -1})), "v2", [], id="a spec that is not valid, as is said elsewhere"
        ),
    ],
)
def test_each_member_is_told_what_concerns_it(records, workspace, expected):
    assert reasons(records, workspace) == expected


def test_a_workspace_that_takes_the_name_of_a_group_later_does_not_stop_the_group():
    changed = group(
        member("v1", group={"weight": 90}), member("v2", ready=False), namesake=ObjectRef("Workspace", NAMESPACE, GROUP)
    )
    (step,) = planned(replace(changed, route=stored(manifest(TWO)))).steps
    assert isinstance(step, Apply)


def test_matches_that_an_older_workspace_has_are_left_out():
    claim = RouteClaim(f"{NAMESPACE}/inference-gateway", "http", "", f"/{NAMESPACE}/{GROUP}")
    assert desire_group(NAMESPACE, TWO, SETTINGS, cluster()).claims == {claim}
    outcome = planned(replace(TWO, route=stored(manifest(TWO))), taken={claim: "InferenceSet default/older"})
    assert [type(step) for step in outcome.steps] == [Delete]
    assert "routed to InferenceSet default/older" in outcome.problems[0].message
    assert outcome.problems[0].reason == "GroupRouteConflict"


LATER = "2026-11-21T11:00:05Z"
"""After v1 to v4, and before the members that replace them."""


def lost_to_others(records, created=LATER):
    """The claims of the group that a Workspace of another namespace, created then, keeps from it."""
    desired = desire_group(NAMESPACE, records, SETTINGS, cluster())
    by_name = frozenset(claim for claim in desired.claims if claim.header)
    assert by_name
    holder = group_holder(NAMESPACE, GROUP)
    return taken_claims([(holder, desired.since, desired.claims), (("team-b", "chat"), created, by_name)])[holder].keys()


def test_a_group_whose_oldest_member_is_replaced_keeps_what_it_has_from_younger_ones():
    old, new = member("v1", match=HEADER), member("v9", match=HEADER)
    route = stored(manifest(group(old)), creationTimestamp="2026-11-21T11:00:02Z")
    assert lost_to_others(group(old, new)) == set()
    assert lost_to_others(group(new)) != set()
    assert lost_to_others(group(new, route=route)) == set()
    assert lost_to_others(group(new, route=route), created="2026-11-21T11:00:01Z") != set()


def test_the_age_of_a_route_that_is_not_the_groups_does_not_count():
    new = member("v9", match=HEADER)
    route = replace(stored(manifest(group(new)), creationTimestamp="2026-11-21T11:00:02Z"), group="", owners=frozenset())
    assert lost_to_others(group(new, route=route)) != set()


ANY_MEMBERS = st.lists(st.tuples(st.integers(0, 200), st.booleans(), st.booleans()), min_size=1, max_size=8)


@given(ANY_MEMBERS, st.sampled_from(["istio.io/gateway-controller", ENVOY_GATEWAY, STANDARD, KTHENA]))
def test_the_route_is_the_same_whoever_plans_it_and_never_leads_to_others(given_members, controller):
    members = [
        member(f"v{index}", group={"fallback": True} if fallback else {"weight": weight}, ready=ready)
        for index, (weight, fallback, ready) in enumerate(given_members)
    ]
    records, world = group(*members), cluster(controller=controller)
    outcomes = [planned(records, entry.workspace.meta.ref.name, world) for entry in members]
    assert len({applied_hash(step.manifest) for outcome in outcomes for step in outcome.steps}) <= 1
    ready = {f"v{index}-inferencepool" for index, (_, _, is_ready) in enumerate(given_members) if is_ready}
    wanted = {f"v{index}-inferencepool" for index, (weight, fallback, _) in enumerate(given_members) if fallback or weight}
    for step in outcomes[0].steps:
        backends = [backend for rule in step.manifest["spec"]["rules"] for backend in rule["backendRefs"]]
        led_to = {backend["name"] for backend in backends if backend.get("weight", 1)}
        assert bool(led_to) is bool(wanted)
        assert led_to <= wanted
        assert led_to <= ready or not (ready & wanted)
        assert len(step.manifest["spec"]["rules"]) <= 8
        if controller != STANDARD:
            assert all(len(rule["backendRefs"]) == 1 for rule in step.manifest["spec"]["rules"])
