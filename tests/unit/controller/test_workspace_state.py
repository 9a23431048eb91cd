"""What is known of a Workspace between passes: each step of a pass makes a new value."""

from dataclasses import replace

import pytest

from tests.unit.factories import pod, release, source, workspace
from workspace_ctrl.controller.flux_stage_timer import FluxActivity
from workspace_ctrl.controller.workspace_state import Rejection, WorkspaceState
from workspace_ctrl.model.api_query_results import DryRun, QueryResults
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness.gateway import POOL_OUTDATED, WAITING_FOR_GATEWAY
from workspace_ctrl.records.meta import ObjectRef

FIRST, SECOND = (ObjectRef("Service", "space", name) for name in ("first", "second"))
NOTHING = Snapshot()


def rejection(retry_at):
    return Rejection("hash", adopting=False, problem=Problem(LinkName.WORKLOAD, "ApplyRefused", "no"), retry_at=retry_at)


def observed(state, now, snapshot=NOTHING):
    return state.observe(workspace(), snapshot, now, FluxActivity())[0]


def test_rejections_are_kept_by_object_until_a_write_is_accepted():
    one = WorkspaceState().with_rejection(FIRST, rejection(5.0))
    two = one.with_rejection(SECOND, rejection(7.0))
    assert set(two.rejections) == {FIRST, SECOND}
    assert set(two.with_rejection(FIRST, None).rejections) == {SECOND}
    assert one.with_rejection(SECOND, None) is one


def test_where_there_is_nothing_to_keep_nothing_is_kept():
    """Thousands of Workspaces share what is empty."""
    calm = WorkspaceState()
    assert calm.rejections is calm.repairs is calm.accepted_drift is WorkspaceState().rejections
    assert observed(calm.with_rejection(FIRST, rejection(5.0)), 5.0).rejections is calm.rejections
    assert calm.with_rejection(FIRST, rejection(9.0)).with_rejection(FIRST, None).rejections is calm.rejections


def test_a_rejected_write_is_tried_again_at_its_time_and_no_sooner():
    state = WorkspaceState().with_rejection(FIRST, rejection(5.0)).with_rejection(SECOND, rejection(7.0))
    assert state.due_at == 5.0
    assert set(observed(state, 4.9).rejections) == {FIRST, SECOND}
    assert set(observed(state, 5.0).rejections) == {SECOND}
    assert observed(state, 5.0).due_at == 7.0


def test_a_rejected_dry_run_is_tried_again_at_its_time():
    state = replace(WorkspaceState(), query_results=QueryResults(DryRun("hash", refusal="no")), dry_run_retry_at=5.0)
    assert state.due_at == 5.0
    assert observed(state, 4.9).query_results.dry_run is not None
    assert observed(state, 5.0).query_results.dry_run is None
    accepted = replace(state, query_results=QueryResults(DryRun("hash", kind="Deployment")))
    assert (accepted.due_at, observed(accepted, 9.0)) == (None, accepted)


def test_repairs_of_an_object_become_rarer_and_are_put_off():
    state, first = WorkspaceState().with_repair(FIRST, 10.0)
    state, second = state.with_repair(FIRST, 10.5)
    assert (first, second, state.due_at) == (True, False, 11.0)
    state, other = state.with_repair(SECOND, 10.5)
    assert other
    state, third = state.with_repair(FIRST, 11.0)
    assert (third, observed(state, 12.0).due_at) == (True, None)


def test_requests_to_flux_become_rarer():
    state, first = WorkspaceState().with_reconcile_request(0.0)
    state, second = state.with_reconcile_request(0.4)
    assert (first, second, state.put_off_until) == (True, False, 0.5)


def test_only_the_newest_deletions_are_kept():
    state = WorkspaceState()
    for number in range(20):
        state = state.with_deleted(str(number))
    assert state.deleted == tuple(map(str, range(12, 20)))


def test_what_was_put_off_longest_ago_is_due_first():
    assert WorkspaceState().put_off(9.0).put_off(5.0).put_off(7.0).due_at == 5.0


@pytest.mark.parametrize(("generation", "deleting", "seen"), [(1, False, True), (2, False, False), (1, True, False)])
def test_a_pass_has_seen_what_it_has_seen(generation, deleting, seen):
    state = WorkspaceState().after_pass(3.0, workspace())
    later = workspace(deleting=deleting)
    later = replace(later, meta=replace(later.meta, generation=generation))
    assert state.has_seen(later) is seen
    assert state.reconciled.delay(3.1, 0.3) == pytest.approx(0.2)


def test_an_observation_of_the_same_changes_nothing():
    snapshot = Snapshot(source=source(), release=release())
    state = observed(WorkspaceState(), 1.0, snapshot)
    assert observed(state, 2.0, snapshot) == state
    assert state.on(snapshot).ages == state.stage_timer.ages


def test_names_that_a_model_server_reported_are_kept_while_no_request_is_sent():
    """Else the route that they change would be changed back while its Gateway takes it in, again and again."""
    answered = Snapshot(probe=ProbeResult(ProbeOutcome.ANSWERED, models=("tiny-llama",)))
    state = observed(WorkspaceState().after_pass(0.0, workspace()), 1.0, answered)
    assert state.on(NOTHING).served_names == ("tiny-llama",)
    assert observed(state, 2.0).served_names == ("tiny-llama",)
    renamed = Snapshot(probe=ProbeResult(ProbeOutcome.ANSWERED, models=("other",)))
    assert observed(state, 3.0, renamed).served_names == ("other",)
    edited = workspace()
    edited = replace(edited, meta=replace(edited.meta, generation=2))
    assert state.observe(edited, NOTHING, 4.0, FluxActivity())[0].served_names == ()


def test_a_pod_that_waits_for_its_volumes_is_told_after_a_minute():
    waiting = replace(NOTHING, pods=(pod(ready=False, is_waiting_for_volumes=True),))
    state = observed(WorkspaceState(), 10.0, waiting)
    assert state.due_at == 70.0
    assert state.on(waiting).pods[0].problem is None
    late = observed(state, 70.0, waiting)
    assert late.on(waiting).pods[0].problem.reason == "VolumesNotMounted"
    assert late.due_at is None
    calm = observed(late, 71.0)
    assert calm.unmounted_since is WorkspaceState().unmounted_since
    assert calm.on(NOTHING) == NOTHING


def test_each_pod_has_a_minute_of_its_own_to_get_its_volumes():
    """A rollout makes one pod after the other, each of which waits for some seconds."""

    def waiting(*names):
        pods = (pod(name=name, ready=False, is_waiting_for_volumes=True) for name in names)
        return replace(NOTHING, pods=tuple(replace(each, meta=replace(each.meta, uid=each.meta.ref.name)) for each in pods))

    state = observed(WorkspaceState(), 0.0, waiting("first"))
    state = observed(state, 40.0, waiting("first", "second"))
    state = observed(state, 60.0, waiting("first", "second"))
    assert [each.problem is not None for each in state.on(waiting("first", "second")).pods] == [True, False]
    assert state.due_at == 100.0
    state = observed(state, 70.0, waiting("second", "third"))
    assert [each.problem for each in state.on(waiting("second", "third")).pods] == [None, None]


def test_the_silence_of_a_gateway_s_controller_is_measured_until_it_speaks():
    state = WorkspaceState().with_silence(10.0, WAITING_FOR_GATEWAY)
    assert state.due_at == 70.0
    assert state.with_silence(20.0, WAITING_FOR_GATEWAY) is state
    late = observed(state, 70.0)
    assert late.on(NOTHING).ages.attachment == 60.0
    assert late.due_at is None
    assert late.with_silence(71.0, "").on(NOTHING).ages.attachment == 0.0


def test_a_gateway_s_controller_that_has_to_report_something_else_has_its_time_again():
    state = observed(WorkspaceState().with_silence(10.0, POOL_OUTDATED), 65.0).with_silence(65.0, WAITING_FOR_GATEWAY)
    assert state.due_at == 125.0
    assert observed(state, 75.0).on(NOTHING).ages.attachment == 10.0


def test_the_age_of_an_outdated_status_of_a_pool_is_none_of_a_silence():
    """The next evaluation may find a silence that begins; it sees the ages of before."""
    state = observed(WorkspaceState().with_silence(10.0, POOL_OUTDATED), 3610.0)
    assert (state.on(NOTHING).ages.attachment, state.on(NOTHING).ages.pool_status) == (0.0, 3600.0)
    silent = observed(WorkspaceState().with_silence(10.0, WAITING_FOR_GATEWAY), 3610.0)
    assert (silent.on(NOTHING).ages.attachment, silent.on(NOTHING).ages.pool_status) == (3600.0, 0.0)
