"""What an InferenceSet leads to: the objects of a Workspace, with its own replicas and owner."""

from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, pod
from workspace_ctrl.api.labels import COPY_LABEL, POD_INDEX_LABEL, POD_LABEL, SET_LABEL
from workspace_ctrl.model.api_query_results import DryRun, QueryResults
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.manifests import applied_hash, ref_of
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.preview import preview
from workspace_ctrl.planning.preview_cluster import simulated_cluster
from workspace_ctrl.planning.steps import Apply, Delete, DryRunWorkload, Scale
from workspace_ctrl.planning.traffic.preview_group import simulated_groups
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import parse_workspace_record

UID = "00000000-0000-0000-0000-000000000000"
"""As a preview has it."""
SELECTOR = {"matchLabels": {"apps": "phi"}}
SMALL = {"preset": {"name": "phi-4-mini-instruct"}}
LARGE = {"preset": {"name": "llama-3.3-70b-instruct", "presetOptions": {"modelAccessSecret": "hf"}}}
LARGE_NODES = 3
"""Nodes of LARGE on the instance type below."""
INSTANCE = {"instanceType": "Standard_NC24ads_A100_v4"}
POD_TEMPLATE = {"spec": {"containers": [{"name": "server", "ports": [{"containerPort": 8000}]}]}}


def raw(inference=None, **spec):
    template = {"resource": INSTANCE, "inference": SMALL if inference is None else inference}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "InferenceSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1},
        "spec": {"labelSelector": SELECTOR, "template": template, **spec},
    }


def manifests(document, kind):
    return [each for each in preview(document, (), SETTINGS).manifests if each["kind"] == kind]


def record(document):
    return parse_workspace_record(document, "InferenceSet")


def live(manifest, *, ready=True, hash_=None):
    """The workload of `manifest`, as it is in the cluster."""
    replicas = manifest["spec"]["replicas"]
    meta = Meta(ref_of(manifest), uid=f"uid-{manifest['metadata']['name']}", generation=1, controller_uid=UID, workspace=NAME)
    ready_replicas = replicas if ready else 0
    return Workload(
        meta=replace(meta, applied_hash=applied_hash(manifest) if hash_ is None else hash_),
        observed_generation=1,
        replicas=replicas,
        existing_replicas=replicas,
        updated_replicas=replicas,
        ready_replicas=ready_replicas,
    )


def planned(document, *workloads, **fields):
    """The plan in a cluster that has the `workloads`, and accepts every other one."""
    world = replace(simulated_cluster(record(document), Dependencies(), (), SETTINGS), workloads=workloads, **fields)
    found = plan(record(document), world, SETTINGS)
    for query in found.queries:
        assert isinstance(query, DryRunWorkload)
        accepted = DryRun(applied_hash(query.manifest), kind=query.manifest["kind"])
        found = plan(record(document), replace(world, query_results=QueryResults(dry_run=accepted)), SETTINGS)
    return found


def applied(found, kind):
    return [ref_of(step.manifest).name for step in found.steps if isinstance(step, Apply) and step.manifest["kind"] == kind]


def deleted(found):
    return [step.ref.name for step in found.steps if isinstance(step, Delete)]


@pytest.mark.parametrize("replicas", [0, 1, 3])
def test_copies_on_a_node_each_are_the_replicas_of_a_deployment(replicas):
    (found,) = manifests(raw(replicas=replicas), "Deployment")
    assert found["spec"]["replicas"] == replicas
    assert found["spec"]["selector"] == {"matchLabels": {POD_LABEL: NAME}}
    assert found["spec"]["template"]["metadata"]["labels"] == {POD_LABEL: NAME, SET_LABEL: NAME}


@pytest.mark.parametrize("replicas", [1, 3])
def test_copies_are_spread_whatever_their_number(replicas):
    (found,) = manifests(raw(replicas=replicas), "Deployment")
    constraints = found["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in constraints} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert {each["whenUnsatisfiable"] for each in constraints} == {"ScheduleAnyway"}
    assert all(each["labelSelector"] == {"matchLabels": {POD_LABEL: NAME}} for each in constraints)


def test_the_installation_decides_on_the_priority_of_presets():
    settings = replace(SETTINGS, model_server_priority_class="models")
    (found,) = [each for each in preview(raw(), (), settings).manifests if each["kind"] == "Deployment"]
    assert found["spec"]["template"]["spec"]["priorityClassName"] == "models"
    assert "priorityClassName" not in manifests(raw(), "Deployment")[0]["spec"]["template"]["spec"]


def test_a_pod_template_is_copied_as_well():
    (found,) = manifests(raw({"template": POD_TEMPLATE}, replicas=4), "Deployment")
    assert found["spec"]["replicas"] == 4
    assert found["spec"]["template"]["metadata"]["labels"][SET_LABEL] == NAME


def test_every_object_is_owned_by_the_set():
    owners = [each["metadata"]["ownerReferences"] for each in preview(raw(LARGE), (), SETTINGS).manifests]
    assert len(owners) > 5
    assert {(owner["kind"], owner["apiVersion"], owner["name"]) for (owner,) in owners} == {
        ("InferenceSet", "kaito.sh/v1beta1", NAME)
    }


def test_each_copy_on_several_nodes_is_a_stateful_set_whose_leader_is_in_the_pool():
    found = manifests(raw(LARGE, replicas=2), "StatefulSet")
    assert [each["metadata"]["name"] for each in found] == [f"{NAME}-0", f"{NAME}-1"]
    for number, each in enumerate(found):
        assert each["spec"]["replicas"] == LARGE_NODES
        assert each["spec"]["selector"] == {"matchLabels": {POD_LABEL: NAME, COPY_LABEL: str(number)}}
        assert each["spec"]["selector"]["matchLabels"].items() <= each["spec"]["template"]["metadata"]["labels"].items()
        (container,) = each["spec"]["template"]["spec"]["containers"]
        leader = next(entry["value"] for entry in container["env"] if entry["name"] == "LEADER")
        assert leader == f"{NAME}-{number}-0.{NAME}-headless.{NAMESPACE}.svc"
        assert "$LEADER:5000/metrics" in container["lifecycle"]["preStop"]["exec"]["command"][-1]
    (release,) = manifests(raw(LARGE, replicas=2), "HelmRelease")
    assert release["spec"]["values"]["inferencePool"]["modelServers"]["matchLabels"] == {POD_LABEL: NAME, POD_INDEX_LABEL: "0"}


def test_at_zero_the_first_copy_stays_without_pods():
    (found,) = manifests(raw(LARGE, replicas=0), "StatefulSet")
    assert (found["metadata"]["name"], found["spec"]["replicas"]) == (f"{NAME}-0", 0)


def test_scaled_down_from_the_highest_number():
    workloads = [live(each) for each in manifests(raw(LARGE, replicas=3), "StatefulSet")]
    found = planned(raw(LARGE, replicas=1), *workloads)
    assert (applied(found, "StatefulSet"), deleted(found)) == ([], [f"{NAME}-1", f"{NAME}-2"])


def test_a_finished_set_needs_no_dry_run_and_no_write_of_its_workloads():
    workloads = [live(each) for each in manifests(raw(LARGE, replicas=2), "StatefulSet")]
    found = plan(record(raw(LARGE, replicas=2)), Snapshot(workloads=tuple(workloads)), SETTINGS)
    assert found.queries == ()
    assert (applied(found, "StatefulSet"), deleted(found)) == ([], [])


@pytest.mark.parametrize(
    ("ready", "unavailable", "changed"),
    [
        pytest.param((True, True, True), 1, [0], id="one at a time"),
        pytest.param((True, True, True), 2, [0, 1], id="two at a time"),
        pytest.param((True, True, True), "67%", [0, 1], id="a percentage"),
        pytest.param((True, False, True), 1, [1], id="the one that is not ready first, and no other"),
        pytest.param((False, False, False), 1, [0, 1, 2], id="all where none is ready"),
    ],
)
def test_a_change_of_the_template_replaces_so_many_ready_copies_at_a_time(ready, unavailable, changed):
    document = raw(LARGE, replicas=3, updateStrategy={"rollingUpdate": {"maxUnavailable": unavailable}})
    old = [
        live(each, ready=is_ready, hash_="old") for each, is_ready in zip(manifests(document, "StatefulSet"), ready, strict=True)
    ]
    found = planned(document, *old)
    assert applied(found, "StatefulSet") == [f"{NAME}-{number}" for number in changed]
    assert found.decisions.has_outdated_copies


@pytest.mark.parametrize(("inference", "kind"), [(SMALL, "Deployment"), (LARGE, "StatefulSet")])
def test_other_replicas_are_no_change_of_the_template(inference, kind):
    workloads = [live(each) for each in manifests(raw(inference, replicas=1), kind)]
    assert not planned(raw(inference, replicas=2), *workloads).decisions.has_outdated_copies
    assert not planned(raw(inference, replicas=0), *workloads).decisions.has_outdated_copies
    other = {**inference, "preset": {**inference["preset"], "presetOptions": {"modelAccessSecret": "other"}}}
    assert planned(raw(other), *workloads).decisions.has_outdated_copies


@pytest.mark.parametrize("inference", [SMALL, LARGE], ids=["one node", "several nodes"])
def test_a_canary_begins_when_all_its_copies_have_the_template_of_the_spec(inference):
    def reason(*workloads):
        records = simulated_groups(record(document), (), SETTINGS)
        found = planned(document, *workloads, groups=records)
        return found.decisions.group.canary.state.reason

    document = raw(inference, replicas=2, gateway={"group": {"name": "chat", "canary": {}}})
    workloads = [live(each) for each in manifests(document, "Deployment" if inference is SMALL else "StatefulSet")]
    assert reason(*workloads) == "CanaryInProgress"
    assert reason(*workloads[:-1]) == "CanaryInProgress"  # the last one has no pods
    assert reason(*workloads[:-1], replace(workloads[-1], observed_generation=0)) == "CanaryNotReady"
    old = replace(workloads[-1], meta=replace(workloads[-1].meta, applied_hash="old"))
    assert reason(*workloads[:-1], old) == "CanaryNotReady"


def test_a_canary_does_not_begin_while_its_model_server_cannot_be_planned():
    document = raw({"preset": {"name": "no-such-model"}}, gateway={"group": {"name": "chat", "canary": {}}})
    found = planned(document, groups=simulated_groups(record(document), (), SETTINGS))
    assert found.decisions.group.canary.state.reason == "CanaryNotReady"


def test_a_deleted_deployment_comes_back_with_the_replicas_of_the_set():
    document = raw(replicas=2) | {"status": {"workload": {"kind": "Deployment", "name": NAME, "replicas": 5}}}
    found = planned(document)
    assert applied(found, "Deployment") == [NAME]
    assert [step for step in found.steps if isinstance(step, Scale)] == []


def test_an_existing_stateful_set_of_someone_else_is_not_overwritten():
    (manifest, _) = manifests(raw(LARGE, replicas=2), "StatefulSet")
    foreign = live(manifest)
    foreign = replace(foreign, meta=replace(foreign.meta, controller_uid="other", applied_hash=""))
    found = planned(raw(LARGE, replicas=2), foreign)
    (problem,) = [problem for problem in found.decisions.problems if problem.link is LinkName.WORKLOAD]
    assert problem.reason == "NotOwned"
    assert f"StatefulSet {NAMESPACE}/{NAME}-0 already exists" in problem.message


@pytest.mark.parametrize(
    ("document", "nodes"), [(raw(replicas=3), 3), (raw(LARGE, replicas=2), 2 * LARGE_NODES), (raw(replicas=0), 0)]
)
def test_the_nodes_are_those_of_all_copies(document, nodes):
    assert planned(document).decisions.node_count == nodes


@pytest.mark.parametrize(
    ("document", "warning"),
    [
        pytest.param(
            raw(LARGE, replicas=3, nodeCountLimit=7), "spec.nodeCountLimit: 7 allows 2 of 3 replicas of 3 nodes each", id="limit"
        ),
        pytest.param(raw(autoUpgrade={"enabled": True}), "this controller does not upgrade by itself", id="upgrades"),
        pytest.param(raw(updateStrategy={"type": "OnDelete"}), "OnDelete has no effect", id="on deletion"),
        pytest.param(
            raw(updateStrategy={"rollingUpdate": {"partition": 1}}), "rollingUpdate.partition has no effect", id="partition"
        ),
        pytest.param(
            raw(resource={}), "field spec.resource; of an InferenceSet it is spec.template.resource", id="not in the template"
        ),
        pytest.param(
            raw() | {"metadata": {**raw()["metadata"], "annotations": {"workspace-ctrl/update-pods": "always"}}},
            'workspace-ctrl/update-pods: "always" has no effect; pods of InferenceSets wait for nothing',
            id="an update that waits for nothing",
        ),
        pytest.param(raw(group={}), "field spec.group; of an InferenceSet it is spec.gateway.group", id="a group beside gateway"),
        pytest.param(
            raw({"preset": {**SMALL["preset"], "aliases": ["chat"]}}), "preset.aliases; it is spec.gateway.aliases", id="aliases"
        ),
        pytest.param(
            raw(disruptionBudget={}), "spec.disruptionBudget; modelServer.disruptionBudget in the settings", id="a setting"
        ),
        pytest.param(raw(replcas=2), "unknown field spec.replcas; did you mean replicas?", id="a misspelt field"),
        pytest.param(
            raw({**SMALL, "weightsVolume": {"size": "9Gi"}}, replicas=2),
            "spec.template.inference.weightsVolume creates one ReadWriteOnce claim",
            id="one claim for all",
        ),
    ],
)
def test_what_an_author_may_not_expect_is_a_warning(document, warning):
    verdict = judge(document, Known(is_all=True), SETTINGS)
    assert verdict.refusals == ()
    assert [text for text in verdict.warnings if warning in text] != []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(
            raw(LARGE, nodeCountLimit=2), "spec.nodeCountLimit is 2, but each copy of the model needs 3 nodes", id="limit"
        ),
        pytest.param(raw({"preset": {"name": "phi-5-mini"}}), "spec.template.inference.preset.name", id="unknown preset"),
        pytest.param(raw({}), "spec.template.inference needs exactly one of", id="no source"),
        pytest.param({**raw(), "spec": None}, "spec is required; unlike in Workspaces", id="the fields of a Workspace"),
    ],
)
def test_a_rejection_names_the_fields_of_the_set(document, words):
    (refusal,) = judge(document, Known(is_all=True), SETTINGS).refusals
    assert words in refusal


def test_a_name_has_room_for_the_numbers_of_the_copies():
    document = raw(LARGE, replicas=11)
    document["metadata"]["name"] = "n" * 50
    (refusal,) = judge(document, Known(is_all=True), SETTINGS).refusals
    assert refusal == "metadata.name must have at most 49 characters for a model on several nodes"


def test_annotations_of_the_template_count_but_those_that_need_rights():
    annotations = {"kaito.sh/runtime": "transformers", "kaito.sh/enablelb": "True", "workspace-ctrl/adopt": "true"}
    document = raw(template={"metadata": {"annotations": annotations}, "resource": INSTANCE, "inference": SMALL})
    assert record(document).annotations == {"kaito.sh/runtime": "transformers"}
    document["metadata"]["annotations"] = {"kaito.sh/runtime": "vllm"}
    assert record(document).annotations == {"kaito.sh/runtime": "vllm"}


def test_the_pods_of_a_set_are_found_by_the_labels_in_its_selector():
    assert pod(labels={POD_LABEL: NAME, SET_LABEL: NAME}).matches(planned(raw()).decisions.selector)
    assert planned(raw(LARGE)).decisions.selector == {POD_LABEL: NAME, POD_INDEX_LABEL: "0"}
    assert planned(raw(LARGE)).decisions.inference_set == ObjectRef("InferenceSet", NAMESPACE, NAME)
