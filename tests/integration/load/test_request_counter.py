"""What is counted for a canary, pod by pod, while pods come, go and restart."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network

import pytest
from aiohttp import web

from e2e.waiting import WAIT_SECONDS
from tests.integration.http_server import listening
from workspace_ctrl.load.request_counter import RequestCounter
from workspace_ctrl.model.canary import CanaryTarget, CountingServer, Figures

KEY = ("team", "v2")
LOOPBACK = (ip_network("127.0.0.0/8"),)


class Server:
    """A model server whose counters a test sets."""

    def __init__(self):
        self.good = self.failed = 0
        self.asked = 0
        self.status = 200

    async def __call__(self, _request):
        self.asked += 1
        lines = [f'http_requests_total{{method="POST",status="{s}"}} {n}' for s, n in (("2xx", self.good), ("5xx", self.failed))]
        return web.Response(text="\n".join(lines) + "\n", status=self.status)


class Watched:
    """A counter, and what it has reported."""

    def __init__(self, networks=LOOPBACK):
        self.news = asyncio.Event()
        self.counter = RequestCounter(self._changed, networks)

    def _changed(self, key):
        assert key == KEY
        self.news.set()

    async def next(self):
        """Wait for a reading that begins from now on, and return what is known then."""
        for _ in range(2):  # one may be under way
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), WAIT_SECONDS)
        return self.counter.result(KEY)


def pod(uid, port=0, **fields):
    return CountingServer(uid, f"v2-{uid}", "127.0.0.1" if port else "", port, **fields)


def target(canary, others=(), step="r/0", *, is_routed=True):
    return CanaryTarget(step, 0.01, is_routed, tuple(canary), tuple(others))


@asynccontextmanager
async def counting(networks=LOOPBACK):
    watched = Watched(networks)
    try:
        yield watched
    finally:
        await watched.counter.close()


async def test_only_what_comes_after_the_first_reading_counts():
    mine, other = Server(), Server()
    mine.good, other.good = 100, 500
    async with listening(mine) as port, listening(other) as port2, counting() as watched:
        watched.counter.follow(KEY, target([pod("a", port)], [pod("b", port2)]))
        first = await watched.next()
        assert (first.canary, first.others) == (Figures(), Figures())
        mine.failed, other.good = 3, 540
        found = await watched.next()
        assert (found.canary, found.others) == (Figures(requests=3, errors=3), Figures(requests=40))
        assert found.seconds > first.seconds >= 0


async def test_a_server_that_was_restarted_loses_nothing_that_was_counted():
    server = Server()
    async with listening(server) as port, counting() as watched:
        watched.counter.follow(KEY, target([pod("a")], [pod("b", port)]))
        await watched.next()
        server.good = 30
        await watched.next()
        server.good = 4
        watched.counter.follow(KEY, target([pod("a")], [pod("b", port, restarts=1)]))
        assert (await watched.next()).others == Figures(requests=34)


async def test_counters_that_fall_without_a_restart_are_not_known_and_count_nothing():
    server = Server()
    async with listening(server) as port, counting() as watched:
        watched.counter.follow(KEY, target([pod("a", port)], [pod("b", port)]))
        await watched.next()
        server.good, server.failed = 40, 30
        assert (await watched.next()).canary == Figures(requests=70, errors=30)
        server.good = 39
        found = await watched.next()
        assert (found.canary, found.others) == (Figures(), Figures())
        assert "Pod v2-a: its counters fall" in found.unknown
        assert "Pod v2-b: its counters fall" in found.unknown_others
        server.good = 99
        assert "Pod v2-a: its counters fall" in (await watched.next()).unknown


async def test_what_pods_have_counted_that_are_gone_stays():
    server = Server()
    async with listening(server) as port, counting() as watched:
        watched.counter.follow(KEY, target([pod("a", port)]))
        await watched.next()
        server.good = 30
        await watched.next()
        watched.counter.follow(KEY, target([pod("b", port)]))
        await watched.next()
        server.good = 32
        assert (await watched.next()).canary == Figures(requests=32)


async def test_another_step_begins_with_nothing():
    server = Server()
    async with listening(server) as port, counting() as watched:
        watched.counter.follow(KEY, target([pod("a", port)]))
        await watched.next()
        server.failed = 30
        assert (await watched.next()).canary.errors == 30
        watched.counter.follow(KEY, target([pod("a", port)], step="r/1"))
        assert watched.counter.result(KEY).canary is None
        found = await watched.next()
        assert (found.step, found.canary) == ("r/1", Figures())


async def test_time_passes_only_while_the_canary_has_its_share():
    server = Server()
    async with listening(server) as port, counting() as watched:
        watched.counter.follow(KEY, target([pod("a", port)], is_routed=False))
        assert (await watched.next()).seconds == 0
        watched.counter.follow(KEY, target([pod("a", port)]))
        await watched.next()
        assert (await watched.next()).seconds > 0
        watched.counter.follow(KEY, target([pod("a")], is_routed=False))
        assert (await watched.next()).seconds == 0


async def test_a_pod_that_was_ready_and_restarts_has_crashed():
    server = Server()
    async with listening(server) as port, counting() as watched:
        watched.counter.follow(KEY, target([pod("a", restarts=4), pod("b", port, restarts=2)]))
        watched.counter.follow(KEY, target([pod("a", restarts=5), pod("b", port, restarts=2)]))
        assert watched.counter.result(KEY).crashed == ""  # a has not been ready yet
        watched.counter.follow(KEY, target([pod("a", restarts=5), pod("b", restarts=3)]))
        assert watched.news.is_set()
        assert "Pod v2-b has crashed" in watched.counter.result(KEY).crashed
        assert "Pod v2-b has crashed" in (await watched.next()).crashed


@pytest.mark.parametrize(
    ("status", "networks", "words"), [(503, LOOPBACK, "answers with 503"), (200, (), "loopback address")], ids=["503", "loopback"]
)
async def test_why_nothing_is_known(status, networks, words):
    server = Server()
    server.status = status
    async with listening(server) as port, counting(networks) as watched:
        watched.counter.follow(KEY, target([pod("a", port)]))
        found = await watched.next()
        assert words in found.unknown
        assert "Pod v2-a" in found.unknown
        assert (server.asked > 0) is bool(networks)


async def test_a_server_that_does_not_listen():
    async with listening(Server()) as port:
        pass
    async with counting() as watched:
        watched.counter.follow(KEY, target([pod("a", port)], [pod("b", port)]))
        found = await watched.next()
        assert "does not answer" in found.unknown
        assert "does not answer" in found.unknown_others


async def test_nothing_is_sent_for_those_that_are_not_followed_any_more():
    server = Server()
    async with listening(server) as port, counting() as watched:
        watched.counter.follow(KEY, target([pod("a", port)]))
        await watched.next()
        watched.counter.follow(KEY, None)
        assert watched.counter.result(KEY) is None
        asked = server.asked
        await asyncio.sleep(0.05)  # as long as several readings
        assert server.asked == asked


async def test_an_ipv6_address_is_put_in_brackets():
    async with counting() as watched:
        watched.counter.follow(KEY, target([replace(pod("a", 1), address="2001:db8::1")]))
        assert "http://[2001:db8::1]:1/metrics" in (await watched.next()).unknown
