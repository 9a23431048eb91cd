"""How the API server is reached: what a kubeconfig says is done, and credentials that change are read again."""

import asyncio
import base64
import json
import ssl

import pytest
import yaml
from aiohttp import web

from e2e.waiting import WAIT_SECONDS
from tests.faults import proxy as faults
from workspace_ctrl.cache.watches import SERVICE
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import RetryableError


@pytest.fixture
def kubeconfig(plane, tmp_path):
    """Writes the plane's kubeconfig with changes to its cluster and its user, and returns the file."""
    document = yaml.safe_load(plane.kubeconfig.read_text())

    def write(cluster=None, user=None):
        document["clusters"][0]["cluster"] |= cluster or {}
        document["users"][0]["user"] = user or document["users"][0]["user"]
        path = tmp_path / "kubeconfig.yaml"
        path.write_text(json.dumps(document))
        return path

    write.document = document
    return write


def token_of(plane, actor):
    return yaml.safe_load(plane.kubeconfig_for(actor).read_text())["users"][0]["user"]["token"]


async def listing(path):
    connection = open_connection(load_access(path, None))
    try:
        return await Client(connection, "tester").list_page(SERVICE, {"limit": "1"})
    finally:
        await connection.close()


async def test_a_token_file_that_is_replaced_is_read_again(plane, kubeconfig, tmp_path):
    token = tmp_path / "token"
    token.write_text("refused-from-the-start\n")
    connection = open_connection(load_access(kubeconfig(user={"tokenFile": str(token)}), None))
    statuses = []
    client = Client(connection, "tester", lambda _verb, _plural, status: statuses.append(status))
    token.write_text(token_of(plane, "user") + "\n")
    assert (await client.list_page(SERVICE, {"limit": "1"}))["kind"] == "ServiceList"
    assert statuses == [401, 200]
    await connection.close()


async def test_credentials_that_stay_wrong_are_read_anew_once_in_a_while_only(plane, kubeconfig, tmp_path, monkeypatch):
    access = load_access(kubeconfig(user={"token": "wrong"}), None)
    connection = open_connection(access)
    reads = []
    anew = access.authorization_anew
    monkeypatch.setattr(access, "authorization_anew", lambda: reads.append(1) or anew())
    with pytest.raises(RetryableError, match="Unauthorized"):
        await Client(connection, "tester").list_page(SERVICE, {})
    assert reads == [1]
    await connection.close()


async def test_a_kubeconfig_that_is_unreadable_for_a_moment_leaves_the_last_credentials(plane, kubeconfig):
    path = kubeconfig()
    access = load_access(path, None)
    path.unlink()
    assert access.authorization_anew() == f"Bearer {token_of(plane, 'admin')}"
    with pytest.raises(ConnectionConfigError, match="set KUBECONFIG"):
        load_access(path, None)


async def test_the_certificate_is_checked_for_the_name_that_the_kubeconfig_gives(kubeconfig):
    assert await listing(kubeconfig({"tls-server-name": "kubernetes.default.svc"}))
    with pytest.raises(RetryableError, match="Hostname mismatch"):
        await listing(kubeconfig({"tls-server-name": "another.example"}))


async def test_only_the_authority_of_the_kubeconfig_is_trusted(kubeconfig):
    del kubeconfig.document["clusters"][0]["cluster"]["certificate-authority-data"]
    with pytest.raises(RetryableError, match="certificate verify failed"):
        await listing(kubeconfig())


async def test_requests_go_through_the_proxy_of_the_kubeconfig(plane, kubeconfig):
    asked = []

    async def tunnel(reader, writer):
        asked.append((await reader.readline()).decode().split()[:2])
        while (await reader.readline()).strip():
            pass
        host, port = asked[-1][1].split(":")
        upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pipe(reader, upstream_writer), pipe(upstream_reader, writer))

    async def pipe(source, target):
        while data := await source.read(65536):
            target.write(data)
        target.close()

    server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await listing(kubeconfig({"proxy-url": f"http://127.0.0.1:{port}"}))
    address = kubeconfig.document["clusters"][0]["cluster"]["server"].removeprefix("https://")
    assert asked == [["CONNECT", address]]


async def test_patience_that_the_server_asks_for_is_had(plane, tmp_path):
    async with faults.serving(plane.kubeconfig) as proxy:
        connection = open_connection(load_access(faults.kubeconfig_through(proxy, plane.kubeconfig, tmp_path), None))
        client = Client(connection, "tester")
        proxy.rule = lambda call: faults.Answer(429, {"Retry-After": "1"}) if call.number == 0 else None
        begin = asyncio.get_running_loop().time()
        await client.list_page(SERVICE, {"limit": "1"})
        assert asyncio.get_running_loop().time() - begin >= 1
        assert len(proxy.calls) == 2
        proxy.rule = lambda _call: faults.Answer(429, {"Retry-After": "60"})
        with pytest.raises(RetryableError) as raised:
            await client.list_page(SERVICE, {"limit": "1"})
        assert raised.value.retry_after == 60
        assert len(proxy.calls) == 3, "a long wait belongs to the work queue"
        await connection.close()


async def test_requests_are_bounded_and_watches_have_room_beside_them(plane, tmp_path):
    """A server that answers no list holds 32 of them and no more; watches come through all the same."""
    arrived: asyncio.Queue[str] = asyncio.Queue()
    end = asyncio.Event()

    async def answer(request):
        verb = "watch" if "watch" in request.query else "list"
        arrived.put_nowait(verb)
        if verb == "list":
            await end.wait()
            return web.json_response({"items": [], "metadata": {}})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps({"type": "BOOKMARK", "object": {}}).encode() + b"\n")
        return response

    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    path = tmp_path / "kubeconfig.yaml"
    document = yaml.safe_load(plane.kubeconfig.read_text())
    document["clusters"][0]["cluster"] = {"server": "http://127.0.0.1:{1}".format(*runner.addresses[0])}
    path.write_text(json.dumps(document))
    connection = open_connection(load_access(path, None))
    client = Client(connection, "tester")
    lists = [asyncio.create_task(client.list_page(SERVICE, {})) for _ in range(100)]
    assert [await arrived.get() for _ in range(32)] == ["list"] * 32

    async def first_event():
        return (await anext(client.watch(SERVICE, {})))["type"]

    assert await asyncio.wait_for(asyncio.gather(*(first_event() for _ in range(80))), WAIT_SECONDS) == ["BOOKMARK"] * 80
    assert [arrived.get_nowait() for _ in range(80)] == ["watch"] * 80
    assert arrived.empty()
    end.set()
    assert len(await asyncio.gather(*lists)) == 100
    await connection.close()
    await runner.cleanup()


def test_the_certificate_authority_may_be_a_file(kubeconfig, tmp_path):
    data = kubeconfig.document["clusters"][0]["cluster"].pop("certificate-authority-data")
    authority = tmp_path / "ca.crt"
    authority.write_bytes(base64.b64decode(data))
    assert ssl.create_default_context(cafile=authority)
    assert asyncio.run(listing(kubeconfig({"certificate-authority": str(authority)})))["kind"] == "ServiceList"
