"""The page's server: who may read it, and what it answers."""

import asyncio
from importlib.resources import files

import aiohttp
import pytest

from e2e.waiting import WAIT_SECONDS
from tests.integration.cli.page.running_page import running
from tests.unit.cli.page.objects import BROKEN, conditions
from workspace_ctrl.cli.page import user_page
from workspace_ctrl.cli.page.followed_kinds import PageScope
from workspace_ctrl.cli.page.page_server import is_own_host
from workspace_ctrl.cli.page.responses import FILES, HEADERS

ID = "Workspace/ns/phi"
STATUS = {"observedGeneration": 1, "conditions": conditions()}
FAILED = {"observedGeneration": 1, "conditions": conditions(*BROKEN)}


def test_every_file_of_the_page_is_served():
    folder = files("workspace_ctrl.cli.page") / "static"
    assert {path.name for path in folder.iterdir()} == {file for file, _ in FILES.values()}


@pytest.mark.parametrize("path", [*FILES, "no-such-file", f"details?id={ID}", f"history?id={ID}"])
async def test_every_response_has_the_headers(page, path):
    async with page.get(path) as response:
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert response.status == (200 if path in FILES else 404)
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_stream_has_the_headers(page):
    async with page.get("events") as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_the_policy_allows_nothing_but_the_page_itself():
    policy = dict(part.strip().partition(" ")[::2] for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors", "trusted-types")} == {"'none'"}
    assert policy["require-trusted-types-for"] == "'script'"


@pytest.mark.parametrize("token", ["", "x", "x" * 32, "é", "%00", "..", "open"])
async def test_without_the_token_there_is_nothing(page, token):
    origin = page.server.url.rsplit("/", 2)[0]
    for path in ("", "/", "/page.js", "/events", f"/details?id={ID}"):
        async with page.session.get(f"{origin}/{token}{path}", allow_redirects=False) as response:
            assert response.status == 404
            assert page.server.url.rsplit("/", 2)[1] not in await response.text()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_the_page_is_read_only(page, method):
    for path in ("", "events", f"details?id={ID}"):
        async with page.session.request(method, page.server.url + path) as response:
            assert (response.status, response.headers["X-Frame-Options"]) == (405, "DENY")


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:80", "localhost.attacker.example", "10.0.0.1", "", "[", "0"]
)
async def test_a_page_of_another_site_is_refused_by_its_host(page, host):
    async with page.get("", headers={"Host": host}) as response:
        assert response.status in {400, 403}  # the former where the header is not valid
        assert "script" not in await response.text()


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:80"])
async def test_this_machine_may_be_named_as_one_likes(page, host):
    async with page.get("", headers={"Host": host}) as response:
        assert response.status == 200


def test_other_addresses_are_for_servers_that_listen_on_them():
    assert is_own_host("10.0.0.1:80", "0.0.0.0")
    assert not is_own_host("10.0.0.1:80", "127.0.0.1")
    assert not is_own_host("attacker.example", "0.0.0.0")


async def test_an_invitation_opens_the_page_once(page):
    invitation = page.server.invite()
    async with page.session.get(invitation) as response:
        assert str(response.url) == page.server.url
    async with page.session.get(invitation) as response:
        assert (response.status, "was used already" in await response.text()) == (404, True)


async def test_a_wrong_invitation_ends_the_right_one(page):
    invitation = page.server.invite()
    for url in (f"{invitation}x", invitation):
        async with page.session.get(url) as response:
            assert response.status == 404


async def test_each_page_has_a_token_of_its_own(page, served):
    async with running(served[1], PageScope()) as other:
        assert other.server.url.rsplit("/", 2)[1] != page.server.url.rsplit("/", 2)[1]


async def test_a_fault_is_on_the_page_within_two_seconds_of_its_status(page, server):
    server.put("phi", STATUS)
    await page.until(lambda rows, _: ID in rows)
    waiting = asyncio.create_task(page.until(lambda rows, _: rows.get(ID, {}).get("state") == "failed"))
    begin = asyncio.get_running_loop().time()
    server.put("phi", FAILED)
    rows, _ = await waiting
    assert asyncio.get_running_loop().time() - begin < 2
    assert rows[ID]["reason"] == "EndpointPickerScaledToZero"
    _, history = await page.json(f"history?id={ID}")
    assert "EndpointPickerScaledToZero" in {entry["reason"] for entry in history["entries"]}
    assert "without Events" in history["note"]  # which this API server does not have


async def test_what_is_deleted_leaves_the_page(page, server):
    server.put("phi", STATUS)
    await page.until(lambda rows, _: ID in rows)
    server.delete("phi")
    await page.until(lambda rows, _: ID not in rows)
    status, answer = await page.json(f"details?id={ID}")
    assert (status, answer["error"]) == (404, "the object does not exist any more")


async def test_the_chain_of_an_object(page, server):
    server.put("phi", FAILED)
    await page.until(lambda rows, _: ID in rows)
    status, answer = await page.json(f"details?id={ID}")
    assert (status, answer["id"]) == (200, ID)
    assert answer["links"]
    assert answer["commands"][0]["command"] == "workspace-ctrl explain phi -n ns"


async def test_an_object_that_cannot_be_read_is_said_with_the_error(page, server):
    server.put("phi", STATUS)
    await page.until(lambda rows, _: ID in rows)
    server.rule = lambda query: 403 if "fieldSelector" in query else 0
    status, answer = await page.json(f"details?id={ID}")
    assert (status, answer["error"]) == (502, "Workspace ns/phi cannot be read: refused with 403")


def forbidden_except(namespace):
    return lambda query: 403 if query and query["namespace"] != namespace else 0


async def test_where_not_all_namespaces_may_be_listed_that_of_the_context_is_shown(served, server):
    server.put("phi", STATUS)
    server.put("other", STATUS, namespace="theirs")
    server.rule = forbidden_except("ns")
    async with running(served[1], PageScope("", fallback="ns")) as page:
        rows, notices = await page.until(lambda rows, notices: rows and len(notices) == 3)
    assert [*rows] == [ID]
    assert notices[0]["message"] == "you may not list workspaces of all namespaces; shown are those of namespace ns"
    assert "workspace-ctrl ui -n NAMESPACE" in notices[0]["wayOut"]


async def test_where_nothing_may_be_listed_the_page_says_so_and_goes_on_once_it_may(served, server):
    server.put("phi", STATUS)
    server.rule = forbidden_except("")
    async with running(served[1], PageScope("ns")) as page:
        _, notices = await page.until(lambda _, notices: len(notices) == 3)
        assert "you may not list Workspaces: refused with 403" in {notice["message"] for notice in notices}
        assert any("kubectl auth can-i watch workspaces.kaito.sh -n ns" in notice["wayOut"] for notice in notices)
        server.rule = lambda _query: 0
        await page.until(lambda rows, _: ID in rows)


async def test_kinds_that_are_not_served_are_named_with_the_way_out(page):
    _, notices = await page.until(lambda _, notices: len(notices) == 2)
    assert {notice["message"] for notice in notices} == {
        "the cluster does not know InferenceSets",
        "the cluster does not know Gateways",
    }


async def test_an_api_server_that_fails_is_said_and_taken_back(page, server):
    server.put("phi", STATUS)
    await page.until(lambda rows, _: ID in rows)
    server.rule = lambda _query: 500
    server.break_watches()
    rows, _ = await page.until(lambda _, notices: any("so this page is outdated" in notice["message"] for notice in notices))
    assert ID in rows
    server.rule = lambda _query: 0
    await page.until(lambda _, notices: not any("outdated" in notice["message"] for notice in notices))


async def test_a_quiet_stream_shows_that_it_is_alive(page, monkeypatch):
    monkeypatch.setattr(user_page, "_PING_SECONDS", 0.05)
    async with page.get("events") as response, asyncio.timeout(WAIT_SECONDS):
        while await response.content.readline() != b"event: ping\n":
            pass


async def test_more_browsers_than_it_serves_are_refused(page):
    async with asyncio.timeout(WAIT_SECONDS):
        responses = [await page.get("events") for _ in range(17)]
    assert [response.status for response in responses] == [200] * 16 + [503]
    for response in responses:
        response.close()


async def test_a_stream_ends_when_the_page_ends(served):
    async with running(served[1], PageScope()) as page:
        response = await page.get("events")
        await page.server.close()
        with pytest.raises(aiohttp.ClientError):
            await response.read()
