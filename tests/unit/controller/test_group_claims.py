"""Who gets the path of a group, when its members, former members and others want it, too."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.controller.group_passes import CHAT, Namespace, accepted, member_names, raw_workspace
from tests.unit.factories import NAMESPACE, gateway

OWN = f"/{NAMESPACE}/own"


@pytest.fixture
def namespace(monkeypatch):
    return Namespace(monkeypatch)


@pytest.mark.parametrize("name", ["v1", "chat-v1"])
async def test_a_path_goes_from_a_workspace_to_the_group_in_front_of_it_when_gateways_have_accepted_its_route(namespace, name):
    namespace.give(raw_workspace(name, path=CHAT, group=""))
    await namespace.passes(name)
    namespace.accept(name)
    assert namespace.paths() == {name: [CHAT]}

    namespace.give(raw_workspace(name, path=CHAT))
    await namespace.passes(name, name, name)
    assert namespace.paths() == {name: [CHAT], "chat": [CHAT]}

    namespace.accept("chat")
    await namespace.passes(name, name)
    assert namespace.paths() == {name: [f"/{NAMESPACE}/{name}"], "chat": [CHAT]}
    assert namespace.deleted == []
    assert not {"PathConflict", "GroupRouteConflict"} & namespace.reasons(name)


async def test_the_name_in_the_header_goes_to_the_group_in_the_same_way(namespace):
    named = {"match": {"header": True}, "aliases": ["chat"]}
    namespace.give(raw_workspace("v1", group="", **named))
    await namespace.passes("v1")
    namespace.accept("v1")
    assert namespace.names()["v1"] >= {"chat"}
    namespace.give(raw_workspace("v1", **named))
    await namespace.passes("v1", "v1")
    assert {route for route, names in namespace.names().items() if "chat" in names} == {"v1", "chat"}
    namespace.accept("chat")
    await namespace.passes("v1")
    assert {route for route, names in namespace.names().items() if "chat" in names} == {"chat"}


@pytest.mark.parametrize("created", ["2026-11-21T10:00:00Z", "2026-11-21T11:30:00Z"])
async def test_a_member_whose_path_is_the_groups_has_its_default_path_and_the_group_keeps_its_route(namespace, created):
    namespace.give(raw_workspace("v1"), raw_workspace("v2", created=created))
    await namespace.passes("v1", "v2")
    namespace.give(raw_workspace("v2", created=created, path=CHAT))
    for _ in range(3):
        await namespace.passes("v2", "v1")
    assert namespace.paths() == {"v1": [f"/{NAMESPACE}/v1"], "v2": [f"/{NAMESPACE}/v2"], "chat": [CHAT]}
    assert namespace.deleted == []
    assert "PathConflict" not in namespace.reasons("v2")


@pytest.mark.parametrize("others", [(), ("v2",)], ids=["it was the only one", "others stay"])
async def test_a_former_member_gets_the_path_of_the_group_only_with_its_end(namespace, others):
    """It is older than the group's route, and than the members that stay."""
    created = "2026-11-21T10:00:00Z"
    namespace.give(raw_workspace("v1", created=created), *(raw_workspace(name) for name in others))
    await namespace.passes("v1", *others, "v1")
    namespace.accept("chat")
    namespace.give(raw_workspace("v1", path=CHAT, group="", created=created))
    for _ in range(3):
        await namespace.passes("v1", *others)
    found = namespace.paths()
    assert [route for route, paths in found.items() if CHAT in paths] == (["chat"] if others else ["v1"])
    assert ("PathConflict" in namespace.reasons("v1")) is bool(others)


async def test_the_path_that_the_last_member_takes_back_is_in_its_own_route_before_that_of_the_group_goes(namespace):
    namespace.give(raw_workspace("v1"))
    await namespace.passes("v1", "v1")
    namespace.give(raw_workspace("v1", path=CHAT, group=""))
    namespace.server.log.clear()
    await namespace.passes("v1", "v1")
    assert namespace.server.log == [("apply", "v1"), ("delete", "chat")]


async def test_an_older_workspace_that_has_the_path_keeps_it_from_a_group(namespace):
    namespace.give(raw_workspace("v0", path=CHAT, group="", created="2026-11-21T10:00:00Z"), raw_workspace("v1"))
    await namespace.passes("v0", "v1", "v1")
    assert namespace.paths() == {"v0": [CHAT], "v1": [f"/{NAMESPACE}/v1"]}
    assert "GroupRouteConflict" in namespace.reasons("v1")


@pytest.mark.parametrize("first", ["v1", "v2"])
async def test_after_a_restart_the_first_pass_of_any_member_knows_that_members_yield_to_their_group(monkeypatch, namespace, first):
    """In the middle of a handover, routes of a member and of the group have the path."""
    namespace.give(raw_workspace("v1", path=CHAT, group=""), raw_workspace("v2"))
    await namespace.passes("v1", "v2")
    namespace.accept("v1")
    namespace.give(raw_workspace("v1", path=CHAT))
    await namespace.passes("v1", "v2", "v1")
    again = Namespace(monkeypatch, namespace)
    again.reconciler._claims.prime()
    await again.passes(first, "v1", "v2")
    assert again.deleted == []
    assert again.paths() == {"v1": [CHAT], "v2": [f"/{NAMESPACE}/v2"], "chat": [CHAT]}


ONE = {"parentRefs": [{"name": "inference-gateway"}]}
BOTH = {"parentRefs": [{"name": "inference-gateway"}, {"name": "second"}]}
NAMED = {"match": {"header": True}, "aliases": ["chat"]}
ANY_MATCH = pytest.mark.parametrize("fields", [{"path": CHAT}, NAMED], ids=["path", "name in the header"])


def having(namespace, fields):
    """The routes with the path or the name of the group."""
    found = namespace.names() if fields is NAMED else namespace.paths()
    return {route for route, matches in found.items() if ("chat" if fields is NAMED else CHAT) in matches}


@ANY_MATCH
@pytest.mark.parametrize("living", ["inference-gateway", "second"])
async def test_a_gateway_that_accepts_no_route_does_not_keep_the_group_from_its_matches(namespace, fields, living):
    namespace.cache.gateways.put((NAMESPACE, "second"), gateway("second"), 1)
    namespace.give(raw_workspace("v1", group="", **fields, **BOTH))
    await namespace.passes("v1")
    namespace.accept("v1", living)
    namespace.give(raw_workspace("v1", **fields, **BOTH))
    await namespace.passes("v1", "v1")
    assert having(namespace, fields) == {"v1", "chat"}
    namespace.accept("chat", living)
    await namespace.passes("v1")
    assert having(namespace, fields) == {"chat"}


@ANY_MATCH
async def test_each_gateway_that_answers_is_waited_for(namespace, fields):
    namespace.cache.gateways.put((NAMESPACE, "second"), gateway("second"), 1)
    namespace.give(raw_workspace("v1", group="", **fields, **BOTH))
    await namespace.passes("v1")
    namespace.accept("v1")
    namespace.give(raw_workspace("v1", **fields, **BOTH))
    await namespace.passes("v1", "v1")
    namespace.accept("chat", "second")
    await namespace.passes("v1")
    assert having(namespace, fields) == {"v1", "chat"}


PLACES = pytest.mark.parametrize(
    ("oldest", "more", "beyond"),
    [
        pytest.param(ONE, BOTH, f"listener http of Gateway {NAMESPACE}/second", id="a Gateway more"),
        pytest.param(
            {**ONE, "hostnames": ["a.example"]},
            {**ONE, "hostnames": ["a.example", "b.example"]},
            f"listener http of Gateway {NAMESPACE}/inference-gateway for b.example",
            id="a host name more",
        ),
    ],
)


@ANY_MATCH
@PLACES
async def test_a_match_stays_with_a_member_that_has_it_where_the_group_does_not(namespace, fields, oldest, more, beyond):
    """Both routes stay as they are then, and the member's status says why."""
    namespace.cache.gateways.put((NAMESPACE, "second"), gateway("second"), 1)
    first = {"created": "2026-11-21T10:00:00Z", **oldest, **({"match": {"header": True}} if fields is NAMED else {})}
    namespace.give(raw_workspace("v0", **first), raw_workspace("v1", group="", **fields, **more))
    await namespace.passes("v1")
    namespace.accept("v1")
    namespace.give(raw_workspace("v1", **fields, **more))
    for _ in range(3):
        await namespace.passes("v1", "v0")
        namespace.accept("chat")
    assert having(namespace, fields) == {"v1", "chat"}
    assert namespace.deleted == []
    assert "GroupMembersDiffer" in namespace.reasons("v1")
    if fields is not NAMED:
        text = f"{CHAT} is that of group chat, but not on {beyond}; Workspace {NAMESPACE}/v1 keeps it until the group has its"
        assert text in " ".join(entry.message for entry in namespace.conditions("v1"))

    namespace.give(raw_workspace("v0", **(first | more)))
    for _ in range(3):
        await namespace.passes("v0", "v1")
        namespace.accept("chat")
    assert having(namespace, fields) == {"chat"}


@ANY_MATCH
@PLACES
async def test_a_member_takes_no_requests_of_its_group_by_asking_for_more_places(namespace, fields, oldest, more, beyond):
    """Its route may be older than that of the group."""
    namespace.cache.gateways.put((NAMESPACE, "second"), gateway("second"), 1)
    first = {"created": "2026-11-21T10:00:00Z", **oldest, **({"match": {"header": True}} if fields is NAMED else {})}
    namespace.give(raw_workspace("v0", **first), raw_workspace("v1", **oldest))
    await namespace.passes("v1", "v0", "v1")
    namespace.give(raw_workspace("v1", **fields, **more))
    for _ in range(3):
        await namespace.passes("v1", "v0")
    assert having(namespace, fields) == {"chat"}
    assert namespace.deleted == []


async def test_a_name_that_the_group_does_not_ask_for_stays_with_the_member(namespace):
    namespace.give(raw_workspace("v0", created="2026-11-21T10:00:00Z"), raw_workspace("v1", group="", **NAMED))
    await namespace.passes("v0", "v1")
    namespace.give(raw_workspace("v1", **NAMED))
    for _ in range(3):
        await namespace.passes("v1", "v0")
        namespace.accept("chat")
    assert having(namespace, NAMED) == {"v1"}

    namespace.accept("v1")
    namespace.give(raw_workspace("v0", created="2026-11-21T10:00:00Z", match={"header": True}))
    await namespace.passes("v0", "v1")
    assert having(namespace, NAMED) == {"v1", "chat"}
    namespace.accept("chat")
    await namespace.passes("v1")
    assert having(namespace, NAMED) == {"chat"}


async def test_a_workspace_for_which_its_group_has_no_room_has_the_name_that_the_group_does_not_ask_for(namespace):
    members = [raw_workspace(f"v{number}", created=f"2026-11-21T10:00:0{number}Z") for number in range(8)]
    namespace.give(*members, raw_workspace("v8", **NAMED))
    await namespace.passes("v0", "v8")
    assert having(namespace, NAMED) == {"v8"}


@pytest.mark.parametrize("is_new", [False, True], ids=["the same process", "a new process"])
async def test_a_member_that_is_deleted_in_the_middle_of_a_handover_leaves_the_path_to_the_group_in_shards_too(monkeypatch, is_new):
    """Its route is still there, and older than that of the group."""
    namespace = Namespace(monkeypatch, is_shard=True)
    namespace.give(raw_workspace("v1", path=CHAT, group=""))
    await namespace.passes("v1")
    namespace.server.routes["v1"]["metadata"]["creationTimestamp"] = "2026-11-21T11:30:00Z"
    namespace.accept("v1")
    namespace.give(raw_workspace("v1", path=CHAT), raw_workspace("v2"))
    await namespace.passes("v1", "v2", "v1", "v2")
    assert having(namespace, {}) == {"v1", "chat"}

    namespace.remove("v1")
    if is_new:
        namespace = Namespace(monkeypatch, namespace, is_shard=True)
        namespace.reconciler._claims.prime()
    else:
        await namespace.passes("v1")
    await namespace.passes("v2")
    assert namespace.deleted == []
    assert "GroupRouteConflict" not in namespace.reasons("v2")


async def test_after_a_restart_a_former_member_that_still_has_the_path_does_not_end_the_group(monkeypatch, namespace):
    """It has left in the middle of a handover, and is older than the group."""
    namespace.give(raw_workspace("v1", path=CHAT, group="", created="2026-11-21T10:00:00Z"), raw_workspace("v2"))
    await namespace.passes("v1", "v2")
    namespace.accept("v1")
    namespace.give(raw_workspace("v1", path=CHAT, created="2026-11-21T10:00:00Z"))
    await namespace.passes("v1", "v2", "v1")
    assert having(namespace, {}) == {"v1", "chat"}
    namespace.give(raw_workspace("v1", path=CHAT, group="", created="2026-11-21T10:00:00Z"))
    again = Namespace(monkeypatch, namespace)
    again.reconciler._claims.prime()
    await again.passes("v2")
    assert again.deleted == []


async def test_a_name_that_two_members_have_is_the_older_ones_until_it_goes(namespace):
    named = {"match": {"header": True}}
    older = "2026-11-21T10:00:00Z"
    namespace.give(raw_workspace("v1", created=older, **named), raw_workspace("v2", **named))
    await namespace.passes("v1", "v2", "v1", "v2")
    name = "phi-4-mini-instruct"
    assert {route: name in names for route, names in namespace.names().items()} == {"v1": True, "v2": False, "chat": False}
    assert "ModelNameConflict" not in namespace.reasons("v1") | namespace.reasons("v2")
    namespace.give(raw_workspace("v1", created=older))
    await namespace.passes("v1", "v2")
    assert {route: name in names for route, names in namespace.names().items()} == {"v1": False, "v2": True, "chat": False}


AT_FIRST = {"a": "", "v1": "chat", "v2": "chat", "zz": ""}
NAMES = tuple(AT_FIRST)
ACTIONS = st.one_of(
    st.tuples(
        st.just("spec"),
        st.sampled_from(NAMES),
        st.sampled_from(["", "chat", "other"]),
        st.sampled_from([None, CHAT, OWN, f"/{NAMESPACE}/other"]),
        st.sampled_from([(), *itertools.permutations(NAMES)]),
    ),
    st.tuples(st.just("pass"), st.sampled_from(NAMES)),
    st.tuples(st.just("accept"), st.sampled_from(["chat", "other", *NAMES])),
    st.tuples(st.just("ready"), st.sampled_from(NAMES), st.booleans()),
)


@settings(max_examples=examples(60))
@given(st.permutations(NAMES), st.lists(ACTIONS, max_size=20))
def test_no_pass_ends_a_group_that_has_a_member_or_leaves_its_path_without_an_answer(by_age, actions):
    """Whatever members, former members and others do with their paths, and in which order passes are made."""

    async def run():
        with pytest.MonkeyPatch.context() as monkeypatch:
            namespace = Namespace(monkeypatch)
            created = {name: f"2026-11-21T10:0{age}:00Z" for age, name in enumerate(by_age)}
            namespace.give(*(raw_workspace(name, created=created[name], group=group) for name, group in AT_FIRST.items()))
            await namespace.passes(*NAMES, *NAMES)
            for route in (*NAMES, "chat"):
                namespace.accept(route)
            for action, name, *given_fields in actions:
                if action == "spec":
                    namespace.give(raw_workspace(name, created=created[name], group=given_fields[0], path=given_fields[1]))
                    for each in given_fields[2]:
                        await check_pass(namespace, each)
                elif action == "ready":
                    namespace.serve(name, ready=given_fields[0])
                elif action == "accept":
                    namespace.accept(name)
                else:
                    await check_pass(namespace, name)

    asyncio.run(run())


async def check_pass(namespace, name):
    """Make a pass; a group with a member keeps its route, and what it or a member answers under its path stays answered."""
    holders = {group: {group, *member_names(namespace, group)} for group in ("chat", "other") if member_names(namespace, group)}
    there = holders.keys() & namespace.paths().keys()
    answered = {group for group in there if accepted(namespace, f"/{NAMESPACE}/{group}", holders[group])}
    await namespace.passes(name)
    assert there <= namespace.paths().keys()
    assert answered == {group for group in answered if accepted(namespace, f"/{NAMESPACE}/{group}", namespace.paths())}
