"""The lock on a real Lease: one holder, by the API server's word and our own clock."""

import asyncio
import json

import pytest

from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS
from tests.integration.waiting import until
from workspace_ctrl.cache.watches import CONFIG_MAP
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import ConflictError, NotFoundError
from workspace_ctrl.kube.lease import LEASE, LeaseLock, LeaseLostError, LeaseTimes

QUICK = LeaseTimes(interval=0.05, retry=0.05)


class Clock:
    """A clock that the test sets; each look at it takes `step` seconds."""

    def __init__(self, step=0.0):
        self.now = 1000.0
        self.step = step
        self.looks = 0

    def __call__(self):
        self.looks += 1
        self.now += self.step
        return self.now


@pytest.fixture
def lock(client, plane_namespace):
    return lambda identity, **options: LeaseLock(client, namespace=plane_namespace, name="it", identity=identity, **options)


@pytest.fixture
def spec(plane, plane_namespace):
    return lambda: json.loads(plane.kubectl("get", "lease", "it", "-n", plane_namespace, "-o", "json"))["spec"]


@pytest.fixture
def patch(plane, plane_namespace):
    return lambda spec: plane.kubectl(
        "patch", "lease", "it", "-n", plane_namespace, "--type=merge", "-p", json.dumps({"spec": spec})
    )


def acquired(lock):
    return asyncio.wait_for(lock.acquire(), WAIT_SECONDS)


async def standing_by(lock):
    """A task that acquires, once it has seen who holds the Lease."""
    task = asyncio.create_task(lock.acquire())
    await until(lambda: lock.holder, WAIT_SECONDS)
    assert not task.done()
    return task


async def test_create_and_replace_conflict_with_whoever_was_faster(client, plane_namespace):
    document = {"metadata": {"namespace": plane_namespace, "name": "it"}, "spec": {"holderIdentity": "a"}}
    with pytest.raises(NotFoundError):
        await client.replace(CONFIG_MAP, {"metadata": document["metadata"]})
    made = await client.create(LEASE, document)
    with pytest.raises(ConflictError, match="already exists"):
        await client.create(LEASE, document)
    changed = await client.replace(LEASE, made | {"spec": {"holderIdentity": "b"}})
    assert changed["spec"]["holderIdentity"] == "b"
    with pytest.raises(ConflictError, match="has been modified"):
        await client.replace(LEASE, made)


async def test_the_first_creates_the_lease_and_writes_who_and_for_how_long(lock, spec):
    first = lock("first")
    await acquired(first)
    assert first.is_held
    found = spec()
    assert (found["holderIdentity"], found["leaseDurationSeconds"], found["leaseTransitions"]) == ("first", 10, 0)


async def test_a_holder_counts_from_before_it_asked(lock):
    clock = Clock(step=1.0)
    first = lock("first", clock=clock)
    await acquired(first)
    asked_at_latest = clock.now - 1  # the answer is looked at by the clock once more
    clock.step = 0.0
    clock.now = asked_at_latest + QUICK.deadline - 0.1
    first.check()
    clock.now = asked_at_latest + QUICK.deadline
    with pytest.raises(LeaseLostError, match="is not held by this process; write rejected"):
        first.check()


async def test_a_lease_that_is_given_back_goes_to_the_standby_by_its_watch(lock, spec):
    """The standby's clock stands still, so nothing but the watch can have told it; so does the holder's, for which it is never over."""
    first, second = lock("first", clock=Clock()), lock("second", clock=Clock())
    await acquired(first)
    waiting = await standing_by(second)
    await first.release()
    await asyncio.wait_for(waiting, WAIT_SECONDS)
    found = spec()
    assert (found["holderIdentity"], found["leaseTransitions"], first.is_held) == ("second", 1, False)


async def test_a_lease_that_is_not_renewed_is_taken_when_its_time_is_over_and_not_before(lock, spec, patch):
    clock = Clock()
    first, second = lock("first", times=LeaseTimes(duration=1)), lock("second", clock=clock)
    await acquired(first)
    waiting = await standing_by(second)
    clock.now += 0.9
    patch({"renewTime": "1970-01-01T00:00:00.000000Z"})  # a renewal by a holder whose wall clock is wrong
    await until(lambda: second._sighting.at == clock.now, WAIT_SECONDS)
    clock.now += 0.9
    looks = clock.looks
    await until(lambda: clock.looks > looks + 3, WAIT_SECONDS)
    assert not waiting.done()
    assert spec()["holderIdentity"] == "first"
    clock.now += 0.2
    await asyncio.wait_for(waiting, WAIT_SECONDS)
    assert (spec()["holderIdentity"], spec()["leaseTransitions"]) == ("second", 1)


async def test_of_two_that_take_it_at_once_one_has_it(lock, spec):
    locks = [lock(str(number), clock=Clock()) for number in range(5)]  # for none of them it is over before it is looked at
    tasks = [asyncio.create_task(each.acquire()) for each in locks]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_SECONDS)
    (held,) = [each for each in locks if each.is_held]
    assert spec()["holderIdentity"] == held.identity
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_holder_goes_on_where_somebody_touches_or_deletes_the_lease(lock, spec, plane, plane_namespace):
    first = lock("first", times=QUICK)
    await acquired(first)
    holding = asyncio.create_task(first.hold())
    # On a thread: while kubectl holds up the event loop, nothing is renewed, and after 7 s the Lease is lost.
    await asyncio.to_thread(plane.kubectl, "annotate", "lease", "it", "-n", plane_namespace, "touched=yes")
    await asyncio.to_thread(plane.kubectl, "delete", "lease", "it", "-n", plane_namespace)
    await asyncio.to_thread(plane.kubectl, "wait", "lease/it", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
    assert (await asyncio.to_thread(spec))["holderIdentity"] == "first"
    assert not holding.done()
    holding.cancel()


async def test_a_holder_stops_where_another_has_taken_the_lease(lock, patch, caplog):
    first = lock("first", times=QUICK)
    await acquired(first)
    holding = asyncio.create_task(first.hold())
    await asyncio.to_thread(patch, {"holderIdentity": "thief"})  # held up for 7 s, it would stop for another reason
    await asyncio.wait_for(holding, WAIT_SECONDS)
    assert not first.is_held
    assert "is held by thief" in caplog.text


async def test_a_holder_that_cannot_reach_the_api_server_stops_at_its_deadline(plane, plane_namespace, caplog):
    """Its own clock says when; the Lease still names it, and the others wait until they have waited long enough."""
    connection = open_connection(load_access(plane.kubeconfig, None))
    times = LeaseTimes(deadline=0.5, interval=0.05, retry=0.05)
    first = LeaseLock(Client(connection, "tester"), namespace=plane_namespace, name="it", identity="first", times=times)
    await acquired(first)
    object.__setattr__(connection, "server", "http://127.0.0.1:1")
    await asyncio.wait_for(first.hold(), WAIT_SECONDS)
    assert not first.is_held
    assert "was not renewed in time" in caplog.text
    await connection.close()


async def test_a_fenced_client_reads_but_does_not_write(plane, plane_namespace, lock):
    first = lock("first")
    connection = open_connection(load_access(plane.kubeconfig, None))
    fenced = Client(connection, "tester", fence=first.check)
    document = {"apiVersion": LEASE.api_version, "kind": "Lease", "metadata": {"namespace": plane_namespace, "name": "other"}}
    with pytest.raises(LeaseLostError):
        await fenced.create(LEASE, document)
    with pytest.raises(LeaseLostError):
        await fenced.merge_patch(LEASE, plane_namespace, "other", {})
    assert (await fenced.list_page(LEASE, {}, plane_namespace))["items"] == []
    await acquired(first)
    await fenced.create(LEASE, document)
    await connection.close()
