"""`workspace-ctrl uninstall-check` where there are many Workspaces."""

import pytest

from tests.integration.cli.api_server import ended
from workspace_ctrl.cli.pods.uninstall_check import _there_are
from workspace_ctrl.settings.workspace_scope import Scope

MANY = 1200


@pytest.mark.parametrize("expires", [False, True])
async def test_it_counts_all_workspaces(server, run, expires):
    for number in range(MANY):
        server.put(f"phi-{number}")
    server.rule = lambda query: 410 if expires and query.get("continue") else 0
    result = await ended(run("uninstall-check"))
    assert (result.exit_code, f"{MANY} Workspaces still exist" in result.output) == (1, True)
    assert [query.get("limit") for query in server.lists] == ["500", "500", None if expires else "500"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["Workspace ns/a"], "1 Workspace still exists (Workspace ns/a). Delete them first: kubectl delete workspaces --all"),
        (
            ["InferenceSet ns/a"],
            "1 InferenceSet still exists (InferenceSet ns/a). Delete them first: kubectl delete inferencesets ",
        ),
        (
            ["Workspace ns/a", "InferenceSet ns/b"],
            (
                "2 Workspaces and InferenceSets still exist (Workspace ns/a, InferenceSet ns/b). "
                "Delete them first: kubectl delete workspaces,inferencesets --all"
            ),
        ),
    ],
)
def test_it_names_the_kinds_that_are_left(names, words):
    assert _there_are(names).startswith(words)


@pytest.mark.parametrize(
    ("scope", "commands"),
    [
        (Scope(), "kubectl delete workspaces --all --all-namespaces"),
        (Scope(("a", "b")), "kubectl delete workspaces --all --namespace a; kubectl delete workspaces --all --namespace b"),
        (Scope(selector="shard in (a)"), "kubectl delete workspaces --selector 'shard in (a)' --all-namespaces"),
    ],
)
def test_what_other_controllers_reconcile_is_not_to_be_deleted(scope, commands):
    assert f"Delete them first: {commands}. Or keep" in _there_are(["Workspace ns/a"], scope)
