"""What is asked of the cluster before a Workspace is stored: names only, for a moment only."""

import asyncio

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, quickstart
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.process.admission_lookups import existing
from workspace_ctrl.records.meta import ObjectRef

RAW = quickstart(inference={"preset": {"name": "phi-4-mini-instruct"}, "config": "my"})
CONFIG = ObjectRef("ConfigMap", NAMESPACE, "my")


class Lists:
    """A client that lists what there is, as metadata."""

    def __init__(self, *there, error=None, hangs=False):
        self.there = {(each.pop("kind"), each["name"]): each for each in there}
        self.error, self.hangs = error, hangs

    async def list_page(self, resource, parameters, namespace, *, metadata_only):
        assert (namespace, metadata_only) == (NAMESPACE, True)
        if self.error is not None:
            raise self.error
        if self.hangs:
            await asyncio.Event().wait()
        found = self.there.get((resource.kind, parameters["fieldSelector"].removeprefix("metadata.name=")))
        return {"items": [{"metadata": found}] if found else []}


def found(client, seconds=5.0):
    preview = judge(RAW, Known(), SETTINGS).preview
    return asyncio.run(existing(client, preview, seconds))


def test_what_is_needed_and_missing_is_told():
    assert found(Lists()) == Known(missing=frozenset({CONFIG}))
    assert found(Lists({"kind": "ConfigMap", "name": "my"})) == Known()


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        pytest.param({}, True, id="nobody's"),
        pytest.param({"ownerReferences": [{"kind": "Other", "name": "a", "controller": True}]}, True, id="somebody else's"),
        pytest.param({"ownerReferences": [{"kind": "Workspace", "name": NAME}]}, False, id="left of an earlier Workspace"),
        pytest.param({"deletionTimestamp": "2026-11-21T12:00:00Z"}, False, id="being deleted"),
    ],
)
def test_what_would_be_made_and_is_there_is_told_unless_it_goes(more, taken):
    metadata = {"name": NAME, **more}
    client = Lists({"kind": "ConfigMap", "name": "my"}, {"kind": "Deployment", **metadata})
    assert found(client) == Known(taken=({"kind": "Deployment", "metadata": metadata},) if taken else ())


def test_a_cluster_that_does_not_answer_tells_nothing():
    assert found(Lists(error=RejectedError("no"))) == Known()
    assert found(Lists(hangs=True), seconds=0.01) == Known()
