"""`workspace-ctrl plan` with several Workspaces that want the same requests: who gets them, and what the others report."""

import pytest
import yaml
from click.testing import CliRunner

from workspace_ctrl.cli.main import main
from workspace_ctrl.cli.output import to_yaml

ONE, TWO = "one/a", "one/b"
OLDER = "are already routed to Workspace one/a, which is older, or of the same second and first by name"
GATEWAY = {"name": "shared", "namespace": "one"}


def workspace(key, match, *, group="", **parent):
    namespace, _, name = key.partition("/")
    gateway = {"parentRefs": [GATEWAY | parent], "match": match}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": name, "namespace": namespace},
        "resource": {"labelSelector": {"matchLabels": {"pool": "gpu"}}, "instanceType": "Standard_NC24ads_A100_v4"},
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
        "gateway": gateway | ({"group": {"name": group}} if group else {}),
    }


def inference_set(key, match):
    raw = workspace(key, match)
    metadata, selector = raw["metadata"], raw["resource"].pop("labelSelector")
    template = {"resource": raw["resource"], "inference": raw["inference"]}
    spec = {"labelSelector": selector, "template": template, "gateway": raw["gateway"]}
    return {"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "metadata": metadata, "spec": spec}


def planned(*documents, output="tree"):
    result = CliRunner().invoke(main, ["plan", "-f", "-", "-o", output], input=to_yaml(*documents))
    assert result.exit_code == 0, result.output
    return result


def routes(*documents):
    """Return the paths of each planned route, by its name."""
    found = [entry for entry in yaml.safe_load_all(planned(*documents, output="yaml").stdout) if entry["kind"] == "HTTPRoute"]
    return {
        route["metadata"]["name"]: [match["path"]["value"] for rule in route["spec"]["rules"] for match in rule["matches"]]
        for route in found
    }


@pytest.mark.parametrize(
    ("match", "words"),
    [
        pytest.param(
            {"path": "/same", "header": False},
            f"RouteReady: PathConflict: requests under /same on listener http of Gateway one/shared {OLDER}; change gateway.match.path",
            id="path",
        ),
        pytest.param({"header": True}, "RouteReady: ModelNameConflict: requests with X-Gateway-Base-Model-Name", id="header"),
        pytest.param(
            {"catchAll": True, "header": False},
            f"RouteReady: CatchAllConflict: unmatched requests on listener http of Gateway one/shared {OLDER}",
            id="catch-all",
        ),
    ],
)
def test_the_first_by_name_gets_the_requests_and_the_other_reports_the_conflict(match, words):
    result = planned(workspace(TWO, match), workspace(ONE, match))
    of_two, of_one = result.stdout.split("Workspace one/a: ")
    assert words in of_two
    assert "Conflict" not in of_one
    text = "assumed for Workspace one/b: it is not created before Workspace one/a; the one that is created first gets the requests"
    assert text in result.stderr


def test_the_route_of_the_other_is_shown_without_what_it_does_not_get():
    match = {"path": "/same", "header": False}
    found = routes(workspace(ONE, match), workspace(TWO, match | {"catchAll": True}))
    assert found == {"a": ["/same"], "b": ["/"]}


def test_an_inference_set_reports_it_with_the_names_of_its_fields():
    match = {"path": "/same", "header": False}
    result = planned(workspace(ONE, match), inference_set(TWO, match))
    assert f"{OLDER}; change spec.gateway.match.path" in result.stdout
    assert "already routed to InferenceSet one/a" in planned(inference_set(ONE, match), workspace(TWO, match)).stdout


def test_a_listener_that_only_one_of_them_names_is_one_of_the_gateway_for_both():
    match = {"path": "/same", "header": False}
    result = planned(workspace(ONE, match, sectionName="https"), workspace(TWO, match))
    assert f"requests under /same on listener https of Gateway one/shared {OLDER}" in result.stdout
    apart = planned(workspace(ONE, match, sectionName="https"), workspace(TWO, match, sectionName="http"))
    assert "Conflict" not in apart.output


def test_requests_of_another_namespace_are_kept_for_it():
    result = planned(
        workspace("one/a", {"catchAll": True, "header": False}),
        workspace("two/b", {"header": True}, name="shared"),
    )
    words = "RouteReady: ModelNameConflict: requests with X-Gateway-Base-Model-Name: phi-4-mini-instruct on listener http"
    assert words in result.stdout.partition("Workspace two/b: ")[2]


def test_a_group_path_that_a_workspace_has_is_a_conflict_of_all_members():
    taken = workspace(ONE, {"path": "/one/chat", "header": False})
    members = [workspace(f"one/{name}", {"header": False}, group="chat") for name in ("y", "z")]
    result = planned(*members, taken)
    words = "GroupReady: GroupRouteConflict: requests of group chat are already routed to Workspace one/a, which is older; rename the group"
    assert result.stdout.count(words) == 2
    assert "chat" not in routes(*members, taken)
    assert "Conflict" not in planned(*members).output


def test_a_member_with_the_path_of_its_group_leaves_it_to_the_group():
    members = [workspace(f"one/{name}", {"path": "/one/chat", "header": False}, group="chat") for name in ("chat-v1", "y")]
    result = planned(*members)
    assert "Conflict" not in result.output
    assert "created before" not in result.output
    found = routes(*members)
    assert {name: set(paths) for name, paths in found.items()} == {
        "chat": {"/one/chat"},
        "chat-v1": {"/one/chat-v1"},
        "y": {"/one/y"},
    }
    words = "gateway.match.path /one/chat is that of group chat; Workspace one/chat-v1 itself has /one/chat-v1"
    assert words in result.stderr


def test_two_versions_of_one_preset_share_its_names_within_a_group_and_the_older_one_gets_them():
    """All their conditions can be True, whereas another Workspace with that name is told how to give it up."""
    members = [workspace(f"one/{name}", {"header": True}, group="chat") for name in ("v1", "v2")]
    result = planned(*members, output="yaml")
    assert "Conflict" not in result.output
    assert "GroupMembersDiffer" not in result.output
    found = {entry["metadata"]["name"]: entry for entry in yaml.safe_load_all(result.stdout) if entry["kind"] == "HTTPRoute"}
    by_name = {
        route: [
            header["value"] for rule in entry["spec"]["rules"] for match in rule["matches"] for header in match.get("headers", ())
        ]
        for route, entry in found.items()
    }
    assert by_name["v1"] == ["phi-4-mini-instruct", "phi-4-mini-instruct"]
    assert by_name["v2"] == []
    assert routes(*members)["v2"] == ["/one/v2"]


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        pytest.param({}, "set gateway.match.header to false, or use another listener", id="a preset has no other name"),
        pytest.param({"aliases": ["mine"]}, "remove it from gateway.aliases, or use another listener", id="an alias"),
    ],
)
def test_the_way_out_of_a_name_that_is_taken_is_one_that_is_not_rejected(spec, remedy):
    one, two = (workspace(key, {"header": True}) for key in (ONE, TWO))
    for raw in (one, two):
        raw["gateway"] |= spec
    result = planned(one, two)
    assert remedy in result.stdout
    assert "change gateway.modelName" not in result.stdout


def test_matches_that_differ_are_no_conflict():
    result = planned(workspace(ONE, {"header": False}), workspace(TWO, {"header": False}))
    assert "Conflict" not in result.output
    assert "created before" not in result.output
