"""Objects of ours that the restore of a backup has brought back: without an owner, and with everything else that they had."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, workspace
from tests.unit.planning.test_inference_set import raw as inference_set
from tests.unit.planning.test_inference_set import record as set_record
from tests.unit.planning.workload.test_disruption_budget import budgets, planned
from workspace_ctrl.api.inference_spec import Inference
from workspace_ctrl.cache.watches import RESOURCES
from workspace_ctrl.catalog.reasons import find_reason
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.planning.admission.fields_without_effect import annotations_without_effect
from workspace_ctrl.planning.adoption import is_own, is_restored, offer, refusal
from workspace_ctrl.planning.manifests import kind_of, owned, ref_of
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.planning.steps import Apply
from workspace_ctrl.planning.workload.planned_server import PlannedServer
from workspace_ctrl.records.meta import parse_meta
from workspace_ctrl.records.scaling import DisruptionBudget, parse_disruption_budget

POLICY = Path(__file__).parents[3] / "charts/workspace-ctrl/templates/admissionpolicy.yaml"
ADOPTABLE = {kind.lower() for kind in re.findall(r'^  \(list "([^"]+)" "[^"]*" "[^"]+"\)', POLICY.read_text(), re.MULTILINE)}
WRITTEN = {kind: resource for kind, resource in RESOURCES.items() if kind.lower() in ADOPTABLE}
RECORDS = [pytest.param(workspace(), id="Workspace"), pytest.param(set_record(inference_set()), id="InferenceSet")]
KINDS = sorted(WRITTEN)


def restored(kind, owner, **metadata):
    """An object of a kind that we make, as a backup brings it back, and what we would apply."""
    resource = WRITTEN[kind]
    manifest = owned(resource.api_version, resource.kind, owner.ref.name, owner, {"spec": {"field": 1}})
    about = {**manifest["metadata"], "uid": "new", "resourceVersion": "1", "finalizers": ["theirs"], **metadata}
    del about["ownerReferences"]
    return manifest, {**manifest, "metadata": about}


def said(record, kind):
    ref, of = record.meta.ref, record.meta.ref.kind
    return (
        f"{kind} {ref.namespace}/{ref.name} has the marks of an object that was made for this {of}, but no owner, as after the restore of "
        f"a backup; to go on with it and with all others of this {of}: kubectl annotate {of.lower()} {ref.name} -n {ref.namespace} "
        "workspace-ctrl/adopt=true --overwrite"
    )


def draft(record, *metas):
    return PlanBuilder(record, PlannedServer(()), {meta.ref: meta for meta in metas}, {})


def test_every_kind_that_can_be_adopted_is_one_that_is_written():
    assert {kind.lower() for kind in WRITTEN} == ADOPTABLE
    for kind in ADOPTABLE:
        assert list(annotations_without_effect({"workspace-ctrl/adopt": kind}, Inference())) == []


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_backup_brings_back_is_said_to_be_that_with_one_command(kind, record):
    manifest, live = restored(kind, record.meta)
    meta = parse_meta(live, kind)
    assert (ref_of(manifest).kind, kind_of(live)) == (kind, kind)
    assert not is_own(live, record.meta)
    assert refusal(live, record.meta, ref_of(manifest)) == ""
    assert offer(live, record.meta, ref_of(manifest)) == said(record, kind)

    plan = draft(record, meta)
    assert not plan.apply(manifest, LinkName.WORKLOAD)
    assert [(problem.reason, problem.message) for problem in plan.problems] == [("NotOwned", said(record, kind))]
    assert plan.steps == []


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("kind", KINDS)
def test_that_command_makes_each_of_them_our_own_again(kind, record):
    manifest, live = restored(kind, record.meta)
    adopting = replace(record, annotations={"workspace-ctrl/adopt": "true"})
    plan = draft(adopting, parse_meta(live, kind))
    plan.apply(manifest, LinkName.WORKLOAD)
    assert (plan.steps, plan.problems) == ([Apply(manifest, LinkName.WORKLOAD, force=False)], [])
    (owner,) = manifest["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (record.meta.uid, True)


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"labels": {}}, id="no label"),
        pytest.param({"labels": {"workspace-ctrl/workspace": "another"}}, id="label of another Workspace"),
        pytest.param({"annotations": {}}, id="no hash"),
    ],
)
def test_without_these_marks_it_is_an_object_of_a_user(metadata):
    record = workspace()
    manifest, live = restored("Service", record.meta, **metadata)
    assert not is_restored(parse_meta(live, "Service"), record.meta)
    assert "already exists and was not created for this Workspace; delete it" in offer(live, record.meta, ref_of(manifest))


def test_one_that_still_names_the_earlier_owner_is_left_to_kubernetes():
    record = workspace()
    manifest, live = restored("Service", record.meta)
    (reference,) = manifest["metadata"]["ownerReferences"]
    live["metadata"]["ownerReferences"] = [{**reference, "uid": "earlier"}]
    assert refusal(live, record.meta, ref_of(manifest)) == (
        f"Service {NAMESPACE}/{NAME} is owned by an earlier Workspace {NAME}, so Kubernetes deletes it; then it is created again"
    )
    for other in ({"kind": "InferenceSet"}, {"name": "another"}, {"apiVersion": "example.com/v1"}):
        live["metadata"]["ownerReferences"] = [{**reference, "uid": "earlier", **other}]
        assert "delete that owner, or rename the Workspace" in refusal(live, record.meta, ref_of(manifest))


def test_a_budget_that_a_backup_brings_back_is_not_taken_for_a_user_s():
    document = inference_set(replicas=3)
    (manifest,) = budgets(planned(document))
    about = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
    live: DisruptionBudget = parse_disruption_budget({**manifest, "metadata": about}, "PodDisruptionBudget")
    found = planned(document, budgets=(live,))
    problem = found.decisions.problem(LinkName.DISRUPTION_BUDGET)
    assert (problem.reason, problem.message) == ("NotOwned", said(set_record(document), "PodDisruptionBudget"))
    assert found.decisions.eviction_limit.users == ()
    document["metadata"]["annotations"] = {"workspace-ctrl/adopt": "true"}
    assert budgets(planned(document, SETTINGS, budgets=(live,))) == [manifest]


def test_its_reason_tells_of_backups():
    assert "restore of a backup" in find_reason("NotOwned").way_out
