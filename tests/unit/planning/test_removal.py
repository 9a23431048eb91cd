"""Taking the gateway side away: what Flux leaves behind, and what cannot be made any more."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, deployment, meta, release, route, source, workspace
from workspace_ctrl.model.chart_objects import ChartObjects
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.removal import removal_steps
from workspace_ctrl.planning.steps import Delete, Prune, Resume, SetFinalizer
from workspace_ctrl.readiness.chart import Installation
from workspace_ctrl.readiness.removal import removal_waits
from workspace_ctrl.records.chart_inventory import chart_object_id
from workspace_ctrl.records.core_v1 import Namespace

UID = workspace().meta.uid
LEFT = {chart_object_id("Role", "phi-epp"): 1, chart_object_id("InferencePool", "phi"): 1}


def test_what_flux_leaves_behind_is_swept_before_the_finalizer_goes():
    record = workspace(deleting=True)
    world = ChartObjects(source=source(), parts=LEFT)
    assert removal_steps(record, None, world) == (Prune(record.meta.ref, ("InferencePool", "Role")),)
    assert removal_steps(record, None, replace(world, parts={})) == (SetFinalizer(present=False),)


def test_what_cannot_be_swept_does_not_hold_the_workspace_for_ever():
    assert removal_steps(workspace(deleting=True), None, ChartObjects(parts=LEFT, pruned=True)) == (SetFinalizer(present=False),)


def test_objects_of_a_release_that_is_there_are_left_to_flux():
    (step,) = removal_steps(workspace(deleting=True), None, ChartObjects(release=release(), parts=LEFT))
    assert isinstance(step, Delete)


def test_a_workload_that_cannot_be_made_does_not_keep_the_gateway_side():
    record = workspace(inference={"preset": {"name": "phi-4"}, "config": "not-there"})
    steps = plan(record, Snapshot(route=route(), release=release()), PlanSettings()).steps
    assert [step.ref.kind for step in steps if isinstance(step, Delete)] == ["HTTPRoute"]
    assert plan(record, Snapshot(route=route(), release=release()), SETTINGS).steps == ()


def terminating(*, deleting=True):
    return Namespace(replace(meta("Namespace", NAMESPACE, namespace="", owner=""), deleting=deleting))


@pytest.mark.parametrize("deleting", [False, True], ids=["before its Workspaces", "with its Workspaces"])
def test_where_the_namespace_goes_all_is_deleted_at_once_and_the_finalizer_goes_first(deleting):
    world = Snapshot(
        namespace=terminating(), route=route(), release=release(suspended=True), source=source(), workloads=(deployment(),)
    )
    steps = plan(workspace(deleting=deleting), world, SETTINGS).steps
    assert [type(step) for step in steps] == [SetFinalizer, Delete, Resume, Delete, Delete]
    assert [step.ref.kind for step in steps if isinstance(step, Delete)] == ["HTTPRoute", "HelmRelease", "Deployment"]
    theirs = replace(world, workloads=(deployment(owner="somebody"),))
    assert len(plan(workspace(deleting=deleting), theirs, SETTINGS).steps) == 4


def test_where_the_namespace_goes_nothing_is_made_or_repaired():
    found = plan(workspace(finalizer=False), Snapshot(namespace=terminating(), release=release(), has_drifted=True), SETTINGS)
    assert [type(step) for step in found.steps] == [Delete]
    assert found.decisions.problem(LinkName.SPEC).reason == "NamespaceTerminating"
    assert plan(workspace(finalizer=False), Snapshot(namespace=terminating()), SETTINGS).steps == ()
    assert plan(workspace(finalizer=False), Snapshot(namespace=terminating(deleting=False)), SETTINGS).steps


def test_a_removal_says_what_it_waits_for():
    going = release(suspended=False)
    going = replace(going, meta=replace(going.meta, deleting=True))
    assert removal_waits(UID, None, Installation(), (), ()) == ""
    assert removal_waits(UID, route(), Installation(release=going), (), ()) == (
        f"waiting for the deletion of HTTPRoute default/{NAME} and HelmRelease default/{NAME}-inferencepool"
    )
    assert (
        removal_waits(UID, None, Installation(release=going), (), ())
        == f"waiting for the deletion of HelmRelease default/{NAME}-inferencepool"
    )
    left = Snapshot(parts=LEFT).remaining_chart_objects()
    assert removal_waits(UID, None, Installation(), (), left) == (
        "waiting for the deletion of InferencePool, Role, which Flux left behind when it uninstalled the chart"
    )
