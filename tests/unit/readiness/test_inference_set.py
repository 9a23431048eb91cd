"""The status of an InferenceSet: its copies are counted, it serves while one is ready, and at zero it says so."""

import json
from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, NOW, SETTINGS, deployment, meta, pod, workspace
from workspace_ctrl.api.conditions import ConditionType, Status, find
from workspace_ctrl.api.labels import POD_INDEX_LABEL, POD_LABEL
from workspace_ctrl.api.status import InferenceSetStatus, WorkspaceStatus, parse_status
from workspace_ctrl.model.plan_decisions import Decisions, LinkName, Problem
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.preview_cluster import simulated_cluster
from workspace_ctrl.readiness.chain import evaluate
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.status import name_taken_status, removal_status, status
from workspace_ctrl.readiness.workload import copies_condition, with_replicas
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import pack_status, parse_workspace_record

SET = ObjectRef("InferenceSet", NAMESPACE, NAME)
ACCEPTED = Link.true(LinkName.WORKLOAD, "Accepted", "accepted")
LEADERS = {POD_LABEL: NAME, POD_INDEX_LABEL: "0"}


def record(**spec):
    template = {"resource": {"instanceType": "Standard_NC24ads_A100_v4"}, "inference": {"preset": {"name": "phi-4-mini-instruct"}}}
    document = {
        "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "uid", "generation": 2},
        "spec": {"labelSelector": {}, "template": template, **spec},
    }
    return parse_workspace_record(document, "InferenceSet")


def copy(number, *, ready=True, pods=3, old=0):
    """The StatefulSet of a copy, `old` of whose pods are of an older template."""
    return Workload(
        meta=meta("StatefulSet", f"{NAME}-{number}"),
        observed_generation=1,
        replicas=pods,
        existing_replicas=pods,
        updated_replicas=pods - old,
        ready_replicas=pods if ready else 0,
    )


def inference(workloads, wanted, *pods, outdated=False, was_ready=True, accepted=ACCEPTED):
    return copies_condition(accepted, SET, wanted, workloads, pods, outdated=outdated, was_ready=was_ready)


@pytest.mark.parametrize(
    ("workloads", "wanted", "outdated", "words"),
    [
        pytest.param([deployment(ready=3, replicas=3, existing_replicas=3)], 3, False, "has 3 of 3 replicas ready", id="all"),
        pytest.param([deployment(ready=1, replicas=3, existing_replicas=3, updated=3)], 3, False, "1 of 3", id="one of three"),
        pytest.param(
            [deployment(ready=1, replicas=3, existing_replicas=1, generation=2)], 3, False, "1 of 3", id="scaled up, not observed"
        ),
        pytest.param([deployment(ready=3, replicas=1, existing_replicas=3)], 1, False, "1 of 1", id="scaled down"),
        pytest.param([copy(0), copy(1)], 2, False, "2 of 2", id="copies on several nodes"),
        pytest.param([copy(0), copy(1, ready=False)], 3, False, "1 of 3", id="a copy that starts, and one that is not there yet"),
    ],
)
def test_it_serves_while_a_copy_is_ready(workloads, wanted, outdated, words):
    found = inference(workloads, wanted, outdated=outdated)
    assert found.is_true
    assert words in found.message


@pytest.mark.parametrize(
    ("workloads", "wanted", "outdated", "reason"),
    [
        pytest.param([], 2, False, "WorkloadNotCreated", id="nothing yet"),
        pytest.param([deployment(ready=0, replicas=2)], 2, False, "ModelServerStarting", id="none is ready"),
        pytest.param([deployment(ready=2, replicas=2)], 2, True, "ModelServerStarting", id="the template is about to change"),
        pytest.param(
            [deployment(ready=2, replicas=2, existing_replicas=2, updated=1)], 2, False, "ModelServerStarting", id="a rollout"
        ),
        pytest.param([copy(0), copy(1, old=2)], 2, False, "ModelServerStarting", id="a rollout of a copy"),
        pytest.param([copy(0, ready=False)], 1, False, "ModelServerStarting", id="a copy that starts"),
        pytest.param([deployment(ready=0, replicas=0)], 0, False, "ScaledToZero", id="none is wanted"),
    ],
)
def test_it_does_not_serve(workloads, wanted, outdated, reason):
    found = inference(workloads, wanted, outdated=outdated)
    assert (found.status, found.reason) == (Status.FALSE, reason)


def test_a_change_that_is_being_rolled_out_is_told():
    old = [deployment(ready=2, replicas=2, existing_replicas=2, updated=1)]
    assert inference(old, 2).message.endswith(" has 2 of 2 replicas ready; a change is being rolled out")
    assert inference([deployment(ready=0, replicas=2)], 2).message.endswith(" has 0 of 2 replicas ready")


def test_what_a_controller_has_not_observed_yet_does_not_make_it_ready():
    unobserved = [deployment(ready=2, replicas=2, existing_replicas=2, generation=2)]
    assert inference(unobserved, 2).is_true
    assert not inference(unobserved, 2, was_ready=False).is_true


def test_what_is_not_accepted_is_said_first():
    refused = Link.broken(LinkName.WORKLOAD, "DryRunFailed", "no quota")
    assert inference([copy(0)], 1, accepted=refused).reason == "DryRunFailed"


@pytest.mark.parametrize(
    ("pods", "wanted", "numbers"),
    [
        pytest.param([], 2, (0, 0, "0/2"), id="none"),
        pytest.param([pod(labels=LEADERS), pod(labels=LEADERS, ready=False)], 2, (2, 1, "1/2"), id="one of two"),
        pytest.param([pod(labels=LEADERS), pod(labels={**LEADERS, POD_INDEX_LABEL: "1"})], 1, (1, 1, "1/1"), id="leaders only"),
        pytest.param([pod(labels=LEADERS, has_ended=True)], 1, (0, 0, "0/1"), id="an evicted one"),
        pytest.param([replace(pod(labels=LEADERS), meta=meta("Pod", deleting=True))], 0, (0, 0, "0/0"), id="one that ends"),
    ],
)
def test_copies_are_counted_by_the_pods_that_serve(pods, wanted, numbers):
    found = with_replicas(InferenceSetStatus(), InferenceSetStatus(), pods, LEADERS, wanted)
    assert (found.replicas, found.ready_replicas, found.ready) == numbers
    assert found.selector == f"apps.kubernetes.io/pod-index=0,kaito.sh/workspace={NAME}"


def test_the_numbers_stay_while_the_pods_are_not_known():
    before = InferenceSetStatus(replicas=2, ready_replicas=1, ready="1/2", selector="a=b")
    assert with_replicas(InferenceSetStatus(), before, [pod()], {}, None) == before


def told(document, world=None):
    """The status of a set in a cluster."""
    world = world or simulated_cluster(document, Decisions(), (), SETTINGS)
    decisions = plan(document, world, SETTINGS).decisions
    return status(document, world, decisions, evaluate(world, decisions), NOW)


def test_messages_name_the_fields_of_the_set():
    document = record(gateway={"httpRouteRef": {"name": "r"}, "timeout": "1s"})
    found = told(document, Snapshot())
    succeeded = find(found.conditions, ConditionType.WORKSPACE_SUCCEEDED)
    assert (succeeded.reason, succeeded.message[:24]) == ("InvalidSpec", "spec.gateway.httpRouteRe")


def test_at_zero_no_condition_says_that_something_is_under_way():
    decisions = Decisions(
        gateway_wanted=True, inference_set=SET, replicas=0, workload_kind="Deployment", selector={POD_LABEL: NAME}
    )
    found = status(record(replicas=0), Snapshot(), decisions, evaluate(Snapshot(), decisions), NOW)
    command = f"kubectl scale inferenceset {NAME} -n {NAMESPACE} --replicas=1"
    for type_ in (ConditionType.READY, ConditionType.RESOURCE_READY, ConditionType.INFERENCE_READY, ConditionType.ENDPOINTS_READY):
        condition = find(found.conditions, type_)
        assert (condition.status, condition.reason, command in condition.message) == (Status.FALSE, "ScaledToZero", True)
    assert find(found.conditions, ConditionType.RECONCILING) is None
    assert find(found.conditions, ConditionType.STALLED) is None


@pytest.mark.parametrize("kind", ["Workspace", "InferenceSet"])
@pytest.mark.parametrize("gateway_wanted", [True, False])
def test_the_younger_of_two_kinds_is_told_who_has_the_name(kind, gateway_wanted):
    younger, older = (record(), ObjectRef("Workspace", NAMESPACE, NAME)) if kind == "InferenceSet" else (workspace(), SET)
    found = name_taken_status(younger, older, NOW, gateway_wanted=gateway_wanted)
    ready = find(found.conditions, ConditionType.READY)
    assert (ready.status, ready.reason) == (Status.FALSE, "NameTaken")
    assert ready.message.startswith(f"{older} has the same name, is older")
    assert f"nothing is created for this {kind}" in ready.message
    assert (find(found.conditions, ConditionType.GATEWAY_READY) is not None) == gateway_wanted
    again = replace(younger, stored_status=pack_status(found.as_object(), kind))
    assert name_taken_status(again, older, NOW, gateway_wanted=gateway_wanted) == again.status


def test_a_written_status_is_read_again_as_it_is():
    decisions = Decisions(inference_set=SET, replicas=2, workload_kind="Deployment", selector={POD_LABEL: NAME}, sizing="1 x node")
    world = Snapshot(pods=(pod(),))
    written = status(record(replicas=2), world, decisions, evaluate(world, decisions), NOW)
    document = json.loads(json.dumps(written.as_object()))
    assert (document["replicas"], document["readyReplicas"], document["ready"]) == (1, 1, "1/2")
    assert parse_status(document, "InferenceSet") == written
    assert type(parse_status(document)) is WorkspaceStatus


def test_a_workload_that_is_not_sized_has_no_sizing_in_the_status():
    decisions = Decisions(inference_set=SET, reference=ObjectRef("Deployment", NAMESPACE, "theirs"), workload_kind="Deployment")
    written = status(record(), Snapshot(), decisions, evaluate(Snapshot(), decisions), NOW).as_object()
    assert written["workload"] == {"kind": "Deployment", "readyReplicas": 0}


def test_the_status_of_a_deletion_is_that_of_a_set():
    assert type(removal_status(record(), Snapshot(), NOW)) is InferenceSetStatus


def test_a_problem_of_the_spec_keeps_the_numbers():
    before = {"replicas": 2, "readyReplicas": 2, "ready": "2/2", "selector": "a=b"}
    document = replace(record(), stored_status=pack_status(before, "InferenceSet"))
    decisions = Decisions(problems=(Problem(LinkName.SPEC, "InvalidSpec", "no", terminal=True),))
    found = status(document, Snapshot(), decisions, evaluate(Snapshot(), decisions), NOW)
    assert (found.replicas, found.ready) == (2, "2/2")
