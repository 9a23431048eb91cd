"""GroupReady is about requests to the group: somebody who gets them has to be ready."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, NOW, decisions, meta, parent, parent_status, status, workspace
from workspace_ctrl.model.groups import GroupRecords
from workspace_ctrl.model.plan_decisions import GroupDecision, MemberShare
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.traffic.group import group_link
from workspace_ctrl.records.gateways import HTTPRoute
from workspace_ctrl.records.meta import ObjectRef


def share(name, *, ready, weight=100):
    return MemberShare(ObjectRef("Workspace", NAMESPACE, name), weight, is_fallback=False, is_ready=ready)


def link(weights, *members):
    route = HTTPRoute(meta("HTTPRoute", "chat"), group="chat", weights=weights, parents=(parent_status(),))
    return group_link(GroupDecision("chat", parents=(parent(),), path="/default/chat", members=members), route)


@pytest.mark.parametrize(
    ("weights", "members", "reason", "words"),
    [
        pytest.param({"v1": 100}, [share("v1", ready=True)], "GroupConfigured", "weights: v1 100", id="it is ready"),
        pytest.param(
            {"v1": 90, "v2": 10},
            [share("v1", ready=False), share("v2", ready=True, weight=10)],
            "GroupConfigured",
            "v2 10",
            id="one of two is ready",
        ),
        pytest.param({"v1": 100}, [share("v1", ready=False)], "NoReadyMember", "so they are not answered", id="nobody is"),
        pytest.param(
            {"v1": 100},
            [share("v1", ready=False), share("v2", ready=True, weight=0)],
            "NoReadyMember",
            "no member of group chat that gets its requests is ready, so they are not answered; Workspace v2 is ready, without a weight",
            id="only one that gets no requests",
        ),
        pytest.param({}, [share("v1", ready=True, weight=0)], "NoReadyMember", "Workspace v1 is ready", id="nobody has a weight"),
    ],
)
def test_a_group_is_ready_if_a_member_that_gets_its_requests_is(weights, members, reason, words):
    found = link(weights, *members)
    assert found.reason == reason
    assert found.holds is (reason == "GroupConfigured")
    assert words in found.message


def test_the_status_of_a_member_has_the_url_of_its_group_and_the_weights_of_the_groups_route():
    shared = HTTPRoute(meta("HTTPRoute", "chat"), group="chat", weights={NAME: 90}, parents=(parent_status(),))
    decision = GroupDecision("chat", parents=(parent(),), path="/default/chat", members=(share(NAME, ready=True),))
    world = Snapshot(groups=(GroupRecords("other"), GroupRecords("chat", route=shared)))
    found = status(workspace(), world, replace(decisions(), group=decision), NOW).gateway.group
    assert (found.url, [member.current for member in found.members]) == ("http://gateway.example/default/chat", [90])
    missing = status(workspace(), Snapshot(), replace(decisions(), group=decision), NOW).gateway.group
    assert (missing.url, [member.current for member in missing.members]) == (None, [None])
