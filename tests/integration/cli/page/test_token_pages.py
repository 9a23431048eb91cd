"""The page in a cluster: each user sees what his token may read, and nobody else's."""

import asyncio
import logging
from contextlib import aclosing

import pytest
import pytest_asyncio
import yaml

from e2e.waiting import WAIT_SECONDS
from tests.integration.cli.page.running_token_pages import QUICK, bearer, serving_tokens
from tests.integration.waiting import until
from tests.unit.cli.page.objects import BROKEN, conditions
from workspace_ctrl.cli.page.responses import FILES, HEADERS
from workspace_ctrl.cli.page.token_sessions import RateLimit, Room

STATUS = {"observedGeneration": 1, "conditions": conditions()}
FAILED = {"observedGeneration": 1, "conditions": conditions(*BROKEN)}
ID, OTHER = "Workspace/a/phi", "Workspace/b/llama"


@pytest.fixture
def users(server):
    """Jane may read all, and Jim one namespace."""
    server.users = {"jane-token": ("jane", {""}), "jim-token": ("jim", {"b"}), "jims-other-token": ("jim", {"b"})}
    server.put("phi", STATUS, namespace="a")
    server.put("llama", STATUS, namespace="b")
    return server


@pytest.fixture
def url(served):
    return yaml.safe_load(served[1].read_text())["clusters"][0]["cluster"]["server"]


@pytest_asyncio.fixture(loop_scope="session")
async def pages(users, url):
    async with serving_tokens(url, title="production") as found:
        yield found


def whole(rows, _notices, is_complete):
    return is_complete


async def test_two_users_see_what_each_of_them_may_read(pages, users):
    rows, _ = await pages.until("jane-token", whole)
    assert {*rows} == {ID, OTHER}
    rows, notices = await pages.until("jim-token", lambda _rows, notices, _complete: len(notices) == 3)
    assert not rows
    assert "you may not list Workspaces: refused with 403" in {notice["message"] for notice in notices}
    assert any("write its name into the field Namespace" in notice["wayOut"] for notice in notices)
    rows, _ = await pages.until("jim-token", whole, "b")
    assert {*rows} == {OTHER}
    assert {token for _, token in users.asked} == {"jane-token", "jim-token"}


async def test_what_one_user_has_read_is_not_there_for_another(pages):
    await pages.until("jane-token", whole)
    assert (await pages.json(f"details?id={ID}", "jane-token"))[0] == 200
    status, answer = await pages.json(f"details?id={ID}", "jim-token")
    assert (status, answer) == (404, {"error": "the object does not exist any more"})
    status, answer = await pages.json(f"history?id={ID}&namespace=b", "jim-token")
    assert (status, answer) == (404, {"error": "the object does not exist any more"})


async def test_the_page_says_whose_it_is(pages):
    async with aclosing(pages.events("jim-token", "b")) as events:
        assert await anext(events) == ("hello", {"title": "production, namespace b, as jim", "hasToken": True})


async def test_a_fault_is_on_the_page_soon(pages, users):
    async with aclosing(pages.events("jane-token")) as events:
        async for name, update in events:
            if name == "update" and update["isComplete"]:
                break
        users.put("phi", FAILED, namespace="a")
        async with asyncio.timeout(2):
            _, update = await anext(events)
        assert [row["reason"] for row in update["rows"]] == ["EndpointPickerScaledToZero"]


@pytest.mark.parametrize("path", ["events", f"details?id={ID}", f"history?id={ID}"])
async def test_without_a_token_there_is_only_the_way_to_one(pages, users, path):
    async with pages.get(path) as response:
        answer = await response.json()
        assert (response.status, response.headers["WWW-Authenticate"], answer["needsToken"]) == (401, "Bearer", True)
        assert "kubectl create token" in answer["error"]
    assert users.asked == []


@pytest.mark.parametrize(
    "header", ["", "Basic amFuZQ==", "Bearer", "Bearer ", "Bearer a b", "Bearer é", f"Bearer {'x' * 7000}é", "jane-token"]
)
async def test_what_is_no_token_is_not_sent_on(pages, users, header):
    async with pages.session.get(pages.url + "events", headers={"Authorization": header}) as response:
        assert response.status == 401
    assert users.asked == []


async def test_two_tokens_are_none(pages, users):
    headers = [("Authorization", "Bearer jane-token"), ("Authorization", "Bearer jim-token")]
    async with pages.session.get(pages.url + "events", headers=headers) as response:
        assert response.status == 401
    assert users.asked == []


async def test_a_wrong_token_is_refused_by_the_api_server_at_once(pages, users):
    status, answer = await pages.json("events", "wrong-token")
    assert (status, answer["needsToken"]) == (401, True)
    assert "the API server does not accept the token" in answer["error"]
    assert len(users.asked) == 1  # a check, and nothing else
    assert len(pages.sessions) == 0


async def test_a_token_is_not_in_a_url(pages):
    for path in ("events?token=jane-token", "events?access_token=jane-token", "jane-token/events"):
        async with pages.get(path) as response:
            assert response.status in {401, 404}


async def test_a_token_that_is_revoked_ends_the_page_and_its_data(users, url):
    async with serving_tokens(url, limits=QUICK) as pages, aclosing(pages.events("jane-token")) as events:
        seen = []
        async with asyncio.timeout(WAIT_SECONDS):
            async for name, content in events:
                seen.append(name)
                if name == "update" and content["isComplete"]:
                    users.users.pop("jane-token", None)
                if name == "ended":
                    assert "was revoked" in content["error"]
        assert seen[-1] == "ended"
        await until(lambda: not len(pages.sessions))
        assert (await pages.json(f"details?id={ID}", "jane-token"))[0] == 401


async def test_a_token_that_is_refused_once_by_mistake_does_not_end_the_page(users, url):
    reviews = []

    def rule(query):
        if "review" in query:
            reviews.append(query)
        return 401 if "review" in query and len(reviews) == 2 else 500 if "review" in query and len(reviews) == 4 else 0

    users.rule = rule
    async with serving_tokens(url, limits=QUICK) as pages, aclosing(pages.events("jane-token")) as events:
        async with asyncio.timeout(WAIT_SECONDS):
            async for name, _ in events:
                assert name != "ended"
                if len(reviews) >= 6:
                    break
                users.put("phi", FAILED if len(reviews) % 2 else STATUS, namespace="a")


async def test_a_page_ends_when_nobody_looks_at_it(users, url):
    async with serving_tokens(url, limits=QUICK) as pages:
        await pages.until("jane-token", whole)
        await until(lambda: not len(pages.sessions))
        rows, _ = await pages.until("jane-token", whole)
        assert {*rows} == {ID, OTHER}


async def test_who_may_not_ask_who_he_is_sees_what_he_may_read(pages, users):
    users.rule = lambda query: 403 if "review" in query else 0
    rows, _ = await pages.until("jane-token", whole)
    assert {*rows} == {ID, OTHER}


async def test_an_api_server_that_fails_is_no_refusal(pages, users):
    users.rule = lambda query: 500 if "review" in query else 0
    status, answer = await pages.json("events", "jane-token")
    assert (status, answer["error"]) == (502, "the API server cannot be reached: refused with 500")


async def test_no_user_takes_the_room_of_others(users, url):
    async with serving_tokens(url, room=Room(most=3, most_of_user=1)) as pages:
        async with pages.get("events", "jim-token") as followed:
            await followed.content.readline()
            status, answer = await pages.json("events", "jims-other-token")
            assert (status, answer["error"]) == (503, "jim has 1 pages open already; close one")
            await pages.until("jane-token", whole)
        async with asyncio.timeout(WAIT_SECONDS):  # it is noticed that the browser has gone
            while (await pages.json(f"details?id={OTHER}&namespace=b", "jims-other-token"))[0] == 503:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
        await pages.until("jims-other-token", whole, "b")  # instead of the one that nobody follows any more
        assert len(pages.sessions) == 2


async def test_there_is_room_for_some_and_the_page_that_was_left_first_ends(users, url):
    users.users |= {f"token-{number}": (f"user-{number}", {""}) for number in range(3)}
    async with serving_tokens(url, room=Room(most=2)) as pages:
        for number in range(3):
            await pages.json(f"details?id={ID}", f"token-{number}")
            assert len(pages.sessions) <= 2
        async with pages.get("events", "token-1") as one, pages.get("events", "token-2") as two:
            assert (one.status, two.status) == (200, 200)
            status, answer = await pages.json("events", "jane-token")
            assert (status, answer["error"]) == (503, "2 pages are open already; try it again later")


async def test_new_tokens_are_checked_at_a_limited_rate(users, url):
    async with serving_tokens(url, room=Room(new=RateLimit(per_second=0.001, at_once=3, left=3))) as pages:
        answers = [await pages.json("events", f"guess-{number}") for number in range(5)]
        assert [status for status, _ in answers] == [401, 401, 401, 503, 503]
        assert len(users.asked) == 3


def test_a_rate_comes_back_with_time_and_up_to_its_limit():
    limit = RateLimit(per_second=2, at_once=2, left=2)
    once = limit.take(10.0)
    twice = once.take(10.0)
    assert twice.take(10.0) is None
    assert twice.take(10.4) is None
    assert twice.take(10.5) is not None
    rested = twice.take(1000.0)
    assert rested.take(1000.0).take(1000.0) is None


async def test_one_request_of_many_at_once_opens_the_page(pages, users):
    answers = await asyncio.gather(*(pages.json(f"details?id={ID}", "jane-token") for _ in range(8)))
    assert {status for status, _ in answers} <= {200, 404}  # 404 until the first list has come
    assert len(pages.sessions) == 1


@pytest.mark.parametrize("path", [*FILES, "healthz"])
async def test_files_are_for_everyone_because_nothing_is_in_them(pages, users, path):
    async with pages.get(path) as response:
        assert response.status == 200
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert "Set-Cookie" not in response.headers
        assert "Access-Control-Allow-Origin" not in response.headers
    assert users.asked == []


async def test_all_answers_have_the_headers(pages):
    for path, token in (("events", ""), ("events", "jane-token"), ("nothing", ""), (f"details?id={ID}", "jim-token")):
        async with pages.get(path, token) as response:
            assert {name: response.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_the_page_is_read_only(pages, users, method):
    async with pages.session.request(method, pages.url + "events", headers=bearer("jane-token")) as response:
        assert response.status == 405
    assert users.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
    ],
)
async def test_another_site_gets_nothing_even_if_a_proxy_adds_the_token(pages, users, headers):
    for path in ("events", f"details?id={ID}"):
        async with pages.get(path, "jane-token", **headers) as response:
            assert response.status == 403
    assert users.asked == []


async def test_a_link_from_another_site_leads_to_the_page(pages):
    async with pages.get("", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}) as response:
        assert response.status == 200
    own = pages.url.removesuffix("/")
    async with pages.get("events", "jane-token", **{"Origin": own, "Sec-Fetch-Site": "same-origin"}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "place", ["namespaces/x/services/http:ui:80/proxy/", "namespaces/x/pods/ui/proxy", "proxy/namespaces/x/services/ui/"]
)
async def test_the_proxy_of_the_api_server_is_refused_before_anybody_pastes_a_token(pages, place):
    async with pages.get("", **{"X-Forwarded-Uri": f"/api/v1/{place}"}) as response:
        assert (response.status, "kubectl port-forward" in await response.text()) == (403, True)
    async with pages.get("", **{"X-Forwarded-Uri": "/page/"}) as response:
        assert response.status == 200


@pytest.mark.parametrize("namespace", ["..", "a/b", "A", "a" * 64, "a%00"])
async def test_what_cannot_be_a_namespace_is_refused(pages, users, namespace):
    assert (await pages.json(f"events?namespace={namespace}", "jane-token"))[0] == 400
    assert users.asked == []


async def test_no_token_is_in_the_log(pages, users, caplog):
    caplog.set_level(logging.DEBUG)
    await pages.until("jane-token", whole)
    await pages.json("events", "wrong-token")
    users.rule = lambda _query: 500
    await pages.json(f"details?id={ID}", "jane-token")
    users.break_watches()
    await pages.json("events", "jim-token")
    assert caplog.text
    assert "-token" not in caplog.text
