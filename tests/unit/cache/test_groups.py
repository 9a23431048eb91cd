"""Who is a member of a group, and which routes are those of groups."""

import pytest

from tests.unit.factories import quickstart
from workspace_ctrl.api.labels import GROUP_LABEL, GROUP_WEIGHTS_ANNOTATION, OWNER_LABEL
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.route_conflicts import claims_of_groups
from workspace_ctrl.records.gateways import parse_http_route
from workspace_ctrl.records.workspaces import parse_workspace_record


def member(name, *, namespace="a", group="chat", kind="Workspace", created="2026-11-21T11:00:00Z"):
    gateway = {"gateway": {"group": {"name": group}}}
    raw = quickstart(**gateway) if kind == "Workspace" else {"spec": gateway}
    raw["metadata"] = {"name": name, "namespace": namespace, "uid": f"uid-of-{name}", "creationTimestamp": created}
    return parse_workspace_record(raw, kind)


def cache_of(*records):
    cache = Cache()
    for version, record in enumerate(records, 1):
        store = cache.workspaces if record.meta.ref.kind == "Workspace" else cache.inference_sets
        store.put(record.key, record, version)
    return cache


def members(cache, namespace="a", group="chat"):
    return [record.meta.ref.name for record in cache.members_of((namespace, group))]


def shared_route(namespace="a", **metadata):
    about = {"name": "chat", "namespace": namespace, "labels": {OWNER_LABEL: "", GROUP_LABEL: "chat"}, **metadata}
    return parse_http_route({"metadata": about, "spec": {}}, "HTTPRoute")


def test_members_are_those_of_the_namespace_of_both_kinds_the_oldest_first():
    cache = cache_of(
        member("young", created="2026-11-21T12:00:00Z"),
        member("set", kind="InferenceSet", created="2026-11-21T11:30:00Z"),
        member("old"),
        member("elsewhere", namespace="b"),
        member("coder", group="code"),
    )
    assert members(cache) == ["old", "set", "young"]
    assert members(cache, "b") == ["elsewhere"]


def test_a_member_that_leaves_is_none_any_more():
    cache = cache_of(member("v1"), member("v2"))
    cache.workspaces.put(("a", "v1"), member("v1", group="code"), 7)
    cache.workspaces.remove(("a", "v2"), 8)
    assert (members(cache), members(cache, group="code")) == ([], ["v1"])


def test_of_a_name_that_both_kinds_have_the_older_one_is_a_member():
    cache = cache_of(member("v1", created="2026-11-21T12:00:00Z"), member("v1", kind="InferenceSet", group="code"))
    assert (members(cache), members(cache, group="code")) == ([], ["v1"])


@pytest.mark.parametrize("group", ["x" * 65, 7, None, {"name": "chat"}], ids=["long", "number", "null", "mapping"])
def test_a_name_that_cannot_be_one_is_none(group):
    assert member("v1", group=group).group == ""


def test_routes_of_groups_are_found_by_namespace_and_belong_to_no_workspace():
    cache = Cache()
    cache.http_routes.put(("a", "chat"), shared_route(), 1)
    assert [route.group for route in cache.group_routes("a")] == ["chat"]
    assert cache.group_routes("b") == ()
    assert cache.http_routes.owned_by(("a", "chat")) == ()


def test_weights_that_are_none_are_left_out():
    route = shared_route(annotations={GROUP_WEIGHTS_ANNOTATION: "v1=90,v2=,v3=x,=4,v5=99999999,v6=1"})
    assert dict(route.weights) == {"v1": 90, "": 4, "v6": 1}


@pytest.mark.parametrize(
    ("records", "is_shard", "holders"),
    [
        pytest.param([member("v1")], False, [("a", "group chat")], id="with a member"),
        pytest.param([], False, [], id="without"),
        pytest.param([], True, [("a", "group chat")], id="without one in this shard"),
    ],
)
def test_what_a_group_claims_is_known_from_its_route_at_the_start(records, is_shard, holders):
    cache = cache_of(*records)
    cache.http_routes.put(("a", "chat"), shared_route(), 9)
    assert [holder for holder, _, _ in claims_of_groups(cache, is_shard=is_shard)] == holders


@pytest.mark.parametrize(
    ("created", "since"),
    [("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"), ("2026-11-21T12:00:00Z", "2026-11-21T11:00:00Z")],
    ids=["its route is older", "its oldest member is older"],
)
def test_at_the_start_of_a_process_a_group_is_as_old_as_its_route_or_its_oldest_member(created, since):
    cache = cache_of(member("young", created="2026-11-21T12:00:00Z"), member("old"))
    cache.http_routes.put(("a", "chat"), shared_route(creationTimestamp=created), 9)
    assert [age for _, age, _ in claims_of_groups(cache, is_shard=False)] == [since]
