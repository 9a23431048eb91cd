"""The path of a member that asks for that of its group, which cannot lead to both."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, parent, quickstart, route, workspace
from tests.unit.planning.test_plan import finished
from tests.unit.planning.traffic.groups import GROUP, cluster, group, member
from workspace_ctrl.planning.gateway.route import Routing, path_of
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.steps import Apply
from workspace_ctrl.planning.traffic.group_steps import desire_group
from workspace_ctrl.planning.traffic.handover import without_path_of_group
from workspace_ctrl.planning.traffic.preview_group import simulated_groups
from workspace_ctrl.records.gateways import RouteMatch, RouteRule
from workspace_ctrl.records.meta import ObjectRef

V1 = ObjectRef("Workspace", NAMESPACE, "v1")
SHARED, OWN = path_of(NAMESPACE, GROUP), path_of(NAMESPACE, V1.name)
DESIRED = desire_group(NAMESPACE, group(member("v1")), SETTINGS, cluster())
ANSWERING = replace(route(), rules=(RouteRule(matches=(RouteMatch(path=SHARED),)),))


@pytest.mark.parametrize(
    ("asked", "desired", "live", "path"),
    [
        pytest.param(SHARED, DESIRED, None, OWN, id="that of the group"),
        pytest.param(SHARED, DESIRED, route(), OWN, id="that of the group, and its own route has another one"),
        pytest.param(SHARED, DESIRED, ANSWERING, SHARED, id="its own route answers, and the group has none yet"),
        pytest.param("/mine", DESIRED, None, "/mine", id="one of its own"),
        pytest.param("", DESIRED, None, "", id="none"),
        pytest.param(SHARED, None, None, SHARED, id="in no group"),
    ],
)
def test_a_member_has_its_own_path_unless_somebody_needs_that_of_the_group(asked, desired, live, path):
    routing = Routing("pool", asked, headers=("x-model=chat",))
    assert without_path_of_group(routing, V1, desired, (parent(),), live) == replace(routing, path=path)


def test_the_route_of_a_member_that_asks_for_the_path_of_its_group_has_its_own():
    asking = workspace(quickstart(gateway={"group": {"name": GROUP}, "match": {"path": SHARED}}))
    world = replace(finished(), groups=simulated_groups(asking, (), SETTINGS), route=None)
    planned = plan(asking, world, SETTINGS)
    routes = [step.manifest for step in planned.steps if isinstance(step, Apply) and step.manifest["kind"] == "HTTPRoute"]
    (own,) = (each["spec"]["rules"] for each in routes if each["metadata"]["name"] == NAME)
    assert [match["path"]["value"] for rule in own for match in rule["matches"]] == [path_of(NAMESPACE, NAME)]
    assert f"gateway.match.path {SHARED} is that of group {GROUP}" in " ".join(planned.decisions.notes)
