"""Clients that nobody has authenticated: slow, many, or hostile ones take no thread, no memory to speak of, and nobody else's turn."""

import asyncio
import logging
import threading
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from e2e.cluster.settings import free_port
from e2e.waiting import WAIT_SECONDS
from workspace_ctrl.kube.errors import RetryableError
from workspace_ctrl.process.bounded_server import BoundedServer, PortError, serving
from workspace_ctrl.process.health import Readiness, serve_health
from workspace_ctrl.process.metrics_server import ACCESS_REVIEW, TOKEN_REVIEW, Authorizer, MetricsPage, _answering, _anyone

MOST = 4


async def ok(_request):
    return web.Response(text="ok\n")


@asynccontextmanager
async def served(handler=ok, **limits):
    """A server on a free port of this machine."""
    server = BoundedServer(handler, **limits)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await server.shutdown(1)


async def get(port, path="/", **headers):
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as response:
        return response.status, await response.text()


async def opened(stack, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    return reader, writer


async def is_closed(reader):
    """Whether the server closes the connection."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            return await reader.read(1) == b""
    except ConnectionError:
        return True


async def test_slow_clients_lose_their_connection_to_a_new_one():
    async with AsyncExitStack() as stack, served(most=MOST, seconds=2 * WAIT_SECONDS) as port:
        slow = []
        for _ in range(3 * MOST):
            reader, writer = await opened(stack, port)
            writer.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            await writer.drain()
            slow.append(reader)
            assert await get(port) == (200, "ok\n")
        assert all([await is_closed(reader) for reader in slow[:MOST]])


async def test_a_connection_ends_after_its_time_whatever_is_sent():
    async with AsyncExitStack() as stack, served(seconds=0.05) as port:
        silent, _ = await opened(stack, port)
        slow, writer = await opened(stack, port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        assert await is_closed(silent)
        while not await is_closed(slow):
            pass


async def test_a_client_that_does_not_read_ends_as_well():
    async def much(_request):
        return web.Response(body=b"x" * (64 << 20))

    async with AsyncExitStack() as stack, served(much, seconds=0.2) as port:
        reader, writer = await opened(stack, port)
        reader._transport.pause_reading()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(WAIT_SECONDS):
            while not writer.is_closing():  # who does not read learns from writing that the connection is gone
                await asyncio.sleep(0.01)
                writer.write(b"\r\n")


async def test_each_connection_has_one_request():
    async with AsyncExitStack() as stack, served() as port:
        reader, writer = await opened(stack, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        text = await reader.read()
        assert text.count(b"HTTP/1.1 200") == 1


async def test_no_connection_takes_a_thread():
    before = threading.active_count()
    async with AsyncExitStack() as stack, served() as port:
        for _ in range(50):
            await opened(stack, port)
        assert await get(port) == (200, "ok\n")
        assert threading.active_count() == before


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    parts=st.lists(
        st.sampled_from(
            [b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"Content-Length: 9\r\n", b"\x00", b"X: y", b"a" * 9000, b"\n"]
        ),
        max_size=9,
    )
)
def test_no_bytes_of_a_client_are_an_error_of_ours(parts, caplog):
    async def send():
        async with AsyncExitStack() as stack, served(seconds=1) as port:
            _, writer = await opened(stack, port)
            writer.write(b"".join(parts))
            writer.write_eof()
            assert await get(port) == (200, "ok\n")

    caplog.clear()
    asyncio.run(send())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_taken_port_is_said_in_a_sentence():
    async with served() as port:
        with pytest.raises(PortError, match=f"--x-port {port}: .*; use another port, or 0 to disable"):
            async with serving(ok, port, "--x-port"):
                pass


async def test_health_says_what_is_asked():
    port = free_port()
    running = asyncio.create_task(asyncio.Event().wait())
    async with serve_health(port, running, lambda: Readiness(ready=False, text="starting")):
        assert await get(port, "/healthz") == (200, "ok\n")
        assert await get(port, "/readyz") == (503, "starting\n")
        assert (await get(port, "/other"))[0] == 404
        running.cancel()
        await asyncio.wait([running])
        assert await get(port, "/healthz") == (503, "the controller has stopped\n")


class Counted(CollectorRegistry):
    """Counts how often it is collected."""

    times = 0

    def collect(self):
        self.times += 1
        return super().collect()


async def test_scrapes_at_the_same_time_share_a_page():
    registry = Counted()
    Counter("requests", "Requests.", registry=registry).inc()
    page = MetricsPage(registry)
    texts = await asyncio.gather(*(page.read() for _ in range(50)))
    assert set(texts) == {texts[0]}
    assert b"requests_total 1.0" in texts[0]
    assert registry.times < 50


async def test_metrics_are_at_their_path_for_anyone():
    registry = CollectorRegistry()
    Counter("requests", "Requests.", registry=registry)
    async with served(_answering(MetricsPage(registry), _anyone)) as port:
        status, text = await get(port, "/metrics")
        assert status == 200
        assert "requests_total 0.0" in text
        assert (await get(port, "/other"))[0] == 404


class Reviews:
    """An API server that knows one token, whose owner may read the metrics or not."""

    def __init__(self, *, allowed=True, fails=False):
        self.asked = []
        self._allowed, self._fails = allowed, fails

    async def create(self, resource, document):
        self.asked.append((resource, document["spec"]))
        if self._fails:
            raise RetryableError("connection refused")
        if resource is TOKEN_REVIEW:
            known = document["spec"]["token"] == "good"
            return {"status": {"authenticated": True, "user": {"username": "p", "groups": ["g"]}} if known else {"error": "no"}}
        return {"status": {"allowed": self._allowed}}


@pytest.mark.parametrize(
    ("reviews", "header", "status", "asked"),
    [
        pytest.param(Reviews(), "", 401, 0, id="no token"),
        pytest.param(Reviews(), "Basic good", 401, 0, id="another scheme"),
        pytest.param(Reviews(), "Bearer ", 401, 0, id="an empty token"),
        pytest.param(Reviews(), "Bearer bad", 401, 1, id="a token that the API server does not know"),
        pytest.param(Reviews(allowed=False), "Bearer good", 403, 2, id="a user without the right"),
        pytest.param(Reviews(), "Bearer good", 200, 2, id="a user with the right"),
        pytest.param(Reviews(fails=True), "Bearer good", 503, 1, id="no API server"),
    ],
)
async def test_who_may_read_secured_metrics(reviews, header, status, asked):
    async with served(_answering(MetricsPage(CollectorRegistry()), Authorizer(reviews))) as port:
        assert (await get(port, "/metrics", Authorization=header))[0] == status
        assert len(reviews.asked) == asked
        again = (await get(port, "/metrics", Authorization=header))[0]
        assert again == status
        assert len(reviews.asked) == (asked if status != 503 else 2 * asked)  # an answer is kept, an error is not


async def test_the_review_names_the_user_and_the_path():
    reviews = Reviews()
    async with served(_answering(MetricsPage(CollectorRegistry()), Authorizer(reviews))) as port:
        await get(port, "/metrics", Authorization="Bearer good")
    assert reviews.asked[1] == (
        ACCESS_REVIEW,
        {"user": "p", "uid": "", "groups": ["g"], "extra": {}, "nonResourceAttributes": {"path": "/metrics", "verb": "get"}},
    )
