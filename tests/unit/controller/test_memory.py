"""What is remembered of a Workspace between passes."""

from workspace_ctrl.controller.memory import Memory, Refusal, noted
from workspace_ctrl.records.decisions import LinkName, Problem
from workspace_ctrl.records.meta import ObjectRef

FIRST, SECOND = (ObjectRef("Service", "space", name) for name in ("first", "second"))


def refusal(retry_at):
    return Refusal("hash", adopting=False, problem=Problem(LinkName.WORKLOAD, "ApplyRefused", "no"), retry_at=retry_at)


def test_an_entry_is_noted_replaced_and_dropped():
    one = noted({}, FIRST, 1)
    two = noted(one, SECOND, 2)
    assert (one, two) == ({FIRST: 1}, {FIRST: 1, SECOND: 2})
    assert noted(two, FIRST, 3) == {FIRST: 3, SECOND: 2}
    assert noted(two, FIRST, None) == {SECOND: 2}
    assert noted(one, SECOND, None) == one


def test_where_there_is_nothing_to_remember_nothing_is_kept():
    """Thousands of Workspaces share what is empty."""
    calm, other = Memory(), Memory()
    assert calm.refusals is calm.repairs is calm.tolerated is other.refusals
    other.refusals = noted(other.refusals, FIRST, refusal(retry_at=5.0))
    other.forget_expired(5.0)
    assert other.refusals is calm.refusals
    other.refusals = noted(noted(other.refusals, FIRST, refusal(retry_at=9.0)), FIRST, None)
    assert other.refusals is calm.refusals


def test_a_refusal_is_tried_again_at_its_time_and_no_sooner():
    memory = Memory(refusals={FIRST: refusal(retry_at=5.0), SECOND: refusal(retry_at=7.0)})
    assert memory.next_retry() == 5.0
    memory.forget_expired(5.0)
    assert set(memory.refusals) == {SECOND}
    assert memory.next_retry() == 7.0
