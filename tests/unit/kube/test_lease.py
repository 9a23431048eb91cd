"""Who may take a Lease, and when: by our own clock, whatever is written into it."""

from dataclasses import replace

import pytest

from workspace_ctrl.kube.lease import Lease, LeaseTimes, Sighting, parse_lease

HELD = Lease(version=7, holder="other", duration=10, transitions=3, acquired="2026-01-01T00:00:00.000000Z")


def raw(renew_time, version="7"):
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 10, "leaseTransitions": 3, "renewTime": renew_time}
    return {"metadata": {"resourceVersion": version}, "spec": spec}


def test_a_lease_is_free_once_it_has_not_changed_for_its_duration():
    seen = Sighting().see(HELD, 100.0)
    assert seen.free_at("me") == 110.0
    assert seen.see(HELD, 109.0).free_at("me") == 110.0


def test_each_change_that_we_see_starts_its_duration_anew():
    seen = Sighting().see(HELD, 100.0).see(replace(HELD, version=8), 104.0)
    assert seen.free_at("me") == 114.0


@pytest.mark.parametrize("renewed", ["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z", None])
def test_the_wall_clock_of_the_holder_says_nothing(renewed):
    assert Sighting().see(parse_lease(raw(renewed), "Lease"), 100.0).free_at("me") == 110.0


@pytest.mark.parametrize("holder", ["", "me"])
def test_a_lease_that_was_given_back_or_is_our_own_is_free_at_once(holder):
    assert Sighting().see(replace(HELD, holder=holder), 100.0).free_at("me") < 100.0


def test_a_lease_that_never_was_is_free_at_once():
    assert Sighting().see(None, 100.0).free_at("me") < 100.0


def test_a_deleted_lease_still_protects_its_holder():
    seen = Sighting().see(HELD, 100.0).see(None, 101.0)
    assert (seen.exists, seen.free_at("me")) == (False, 110.0)


def test_what_is_older_than_what_we_know_tells_nothing():
    seen = Sighting().see(HELD, 100.0)
    assert seen.see(replace(HELD, version=6, holder=""), 101.0) == seen


def test_worst_take_over_after_a_kill_is_under_15_seconds():
    times = LeaseTimes()
    assert times.deadline < times.duration
    assert times.interval + times.retry < times.deadline
    assert times.duration + times.retry < 15
