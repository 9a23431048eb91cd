"""Of a Workspace and an InferenceSet of one name, the older one has the objects of that name."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, meta, workspace
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.records.workloads import Workload

KEY = (NAMESPACE, NAME)
OLD, NEW = "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"


def one(kind, created):
    found = workspace()
    return replace(found, meta=replace(found.meta, ref=replace(found.meta.ref, kind=kind)), created=created)


def cache(workspace_at="", set_at=""):
    found = Cache()
    if workspace_at:
        found.workspaces.put(KEY, one("Workspace", workspace_at), 1)
    if set_at:
        found.inference_sets.put(KEY, one("InferenceSet", set_at), 1)
    return found


@pytest.mark.parametrize(
    ("created", "holder", "rival"),
    [
        pytest.param(("", ""), None, None, id="neither"),
        pytest.param((OLD, ""), "Workspace", None, id="only a Workspace"),
        pytest.param(("", OLD), "InferenceSet", None, id="only an InferenceSet"),
        pytest.param((OLD, NEW), "Workspace", "InferenceSet", id="the Workspace is older"),
        pytest.param((NEW, OLD), "InferenceSet", "Workspace", id="the InferenceSet is older"),
        pytest.param((OLD, OLD), "Workspace", "InferenceSet", id="of the same second"),
    ],
)
def test_the_older_one_has_the_name(created, holder, rival):
    found = cache(*created)
    kinds = [record and record.meta.ref.kind for record in (found.holder(KEY), found.rival(KEY))]
    assert kinds == [holder, rival]
    assert found.holder_keys() == ((KEY,) if holder else ())


def test_stateful_sets_of_copies_are_only_those_of_a_set():
    stateful_set = Workload(meta("StatefulSet", f"{NAME}-0"))
    for created, copies in ((("", OLD), (stateful_set,)), ((OLD, ""), ())):
        found = cache(*created)
        found.stateful_sets.put((NAMESPACE, f"{NAME}-0"), stateful_set, 1)
        assert tuple(found.copies_of(KEY)) == copies
