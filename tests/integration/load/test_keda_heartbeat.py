"""How KEDA's end is noticed where it reads loads from a Prometheus: by the Lease of its operator."""

import asyncio

import aiohttp

from e2e.waiting import WAIT_SECONDS
from tests.integration.http_server import listening
from tests.integration.load.watched_server import WatchedServer
from tests.integration.waiting import until
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection
from workspace_ctrl.load.keda_heartbeat import LEASE_NAME, KedaHeartbeat
from workspace_ctrl.readiness.scaling.autoscaling import is_silent


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def lease(renewed):
    """The Lease of KEDA's operator."""
    spec = {"holderIdentity": "keda-operator-0", "renewTime": renewed}
    return {"metadata": {"namespace": "keda", "name": LEASE_NAME}, "spec": spec}


async def followed(server, check):
    clock = Clock()
    async with listening(server.answer, handler_cancellation=True) as port, aiohttp.ClientSession() as session:
        heartbeat = KedaHeartbeat(Client(Connection(f"http://127.0.0.1:{port}", session), "tester"), clock)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await check(heartbeat, clock)
        finally:
            await heartbeat.close()


async def test_it_is_silent_since_its_last_renewal_and_a_deletion_is_none():
    server = WatchedServer()

    async def check(heartbeat, clock):
        assert heartbeat.silent_for() == 0.0
        clock.now += 300
        server.send("ADDED", lease("2026-11-21T11:00:00.000000Z"))
        await until(lambda: heartbeat._renewed is not None)
        assert heartbeat.silent_for("any", "picker") == 0.0
        clock.now += 121
        assert is_silent(heartbeat.silent_for())
        server.send("MODIFIED", lease("2026-11-21T11:00:02.000000Z"))
        await until(lambda: not heartbeat.silent_for())
        clock.now += 5
        server.send("DELETED", lease("2026-11-21T11:00:02.000000Z"))
        await until(lambda: not heartbeat._store.keys())
        assert heartbeat.silent_for() == 5.0

    await followed(server, check)
    assert server.asked == {("/apis/coordination.k8s.io/v1/leases", None, f"metadata.name={LEASE_NAME}")}


async def test_without_the_right_to_it_nothing_is_concluded():
    server = WatchedServer(status=403)

    async def check(heartbeat, clock):
        heartbeat.silent_for()
        await heartbeat._informer.wait_synced()
        clock.now += 1000
        assert heartbeat.silent_for() == 0.0

    await followed(server, check)
