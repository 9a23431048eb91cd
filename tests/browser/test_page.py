"""The page of `workspace-ctrl ui` as people see it, in a real Chromium."""

import time
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from tests.browser.chromium import PageError, chromium, renderer_mebibytes
from tests.integration.cli.api_server import serving
from tests.integration.cli.page.running_page import running
from tests.integration.cli.page.running_token_pages import QUICK, serving_tokens
from tests.unit.cli.page.objects import BROKEN, STARTING, conditions, said
from workspace_ctrl.cli.page.followed_kinds import PageScope

pytestmark = pytest.mark.optional_addons

ALL = "document.querySelector('#states .count')?.textContent"
IS_LOADED = "document.getElementById('list').getAttribute('aria-busy') === 'false'"
TEXT = "document.body.innerText"
MANY = 1000


def status(*changed):
    gateway = {"url": "http://gateway.example/ns/phi", "modelNames": ["phi-4"], "gateways": ["ns/gw"]}
    return {"observedGeneration": 1, "conditions": conditions(*changed), "gateway": gateway}


def one_in(place):
    return status(*(BROKEN if place % 50 == 0 else STARTING if place % 20 == 0 else ()))


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def browser(tmp_path_factory):
    async with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def cluster(tmp_path):
    async with serving(tmp_path) as (server, kubeconfig):
        yield server, kubeconfig


@pytest.fixture
def server(cluster):
    return cluster[0]


@pytest_asyncio.fixture(loop_scope="session")
async def page(cluster):
    async with running(cluster[1], PageScope()) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser):
    found = await browser[1]()
    await found.resize(1280, 800)
    yield found
    assert found.complaints() == []
    await found.call("Page.close")


async def open_page(tab, page, fragment=""):
    await tab.open(page.server.url + fragment)
    await tab.until(IS_LOADED)


async def test_a_thousand_workspaces_load_within_a_second_and_need_little_memory(browser, server, page, tab):
    for place in range(MANY):
        server.put(f"phi-{place}", one_in(place))
    await page.until(lambda rows, _: len(rows) == MANY)
    await tab.open(page.server.url)
    loaded = await tab.until(f"{IS_LOADED} && {ALL} === '{MANY}'")
    print(f"loaded after {loaded:.0f} ms")
    assert loaded < 1000
    await tab.until(f"document.querySelectorAll('#list li').length === {MANY} || (document.getElementById('more').click(), false)")
    begin = time.monotonic()
    server.put("phi-1", status(*BROKEN))
    await tab.until("document.querySelector('[data-id=\"Workspace/ns/phi-1\"].is-failed')")
    seconds, mebibytes = time.monotonic() - begin, renderer_mebibytes(browser[0])
    print(f"a fault is shown after {seconds:.2f} s; the page has {mebibytes:.0f} MiB with all lines drawn")
    assert seconds < 2
    assert mebibytes <= 150


async def test_many_changes_are_followed(server, page, tab):
    for place in range(MANY):
        server.put(f"phi-{place}", status())
    await page.until(lambda rows, _: len(rows) == MANY)
    await open_page(tab, page)
    begin = time.monotonic()
    for place in range(MANY):
        server.put(f"phi-{place}", status(*BROKEN))
    await tab.until(f"document.title === '({MANY} not ready) workspace-ctrl'")
    assert time.monotonic() - begin < 5


async def test_an_object_is_opened_with_the_keyboard_and_the_focus_comes_back(server, page, tab):
    for name in ("phi", "llama"):
        server.put(name, status())
    await open_page(tab, page)
    await tab.press("/", "/")
    assert await tab.evaluate("document.activeElement.id") == "filter"
    for letter in "llama":
        await tab.press(letter, letter)
    await tab.until("document.querySelectorAll('#list li').length === 1")
    await tab.press("ArrowDown")
    await tab.press("Enter")
    await tab.until("document.activeElement.tagName === 'H2'")
    assert "llama" in await tab.evaluate("document.activeElement.innerText")
    await tab.until("document.querySelector('svg.chain')")
    await tab.press("Escape")
    await tab.until("document.activeElement.dataset.id === 'Workspace/ns/llama'")
    assert await tab.evaluate("document.getElementById('details').hidden")


async def test_a_fault_of_the_open_object_is_shown_told_and_in_its_history(server, page, tab):
    server.put("phi", status())
    await open_page(tab, page, "#/Workspace/ns/phi")
    await tab.until("document.querySelector('svg.chain')")
    server.put("phi", status(*BROKEN))
    await tab.until(f"{TEXT}.includes('Not ready EndpointPickerScaledToZero: 0 replicas')")
    await tab.until(
        "document.getElementById('news').textContent.includes('Workspace phi in ns: Not ready, EndpointPickerScaledToZero')"
    )
    await tab.until("document.querySelector('.history table')?.innerText.includes('EndpointPickerScaledToZero')")
    server.delete("phi")
    await tab.until(f"{TEXT}.includes('this object does not exist, or not any more')")


MEMBERS = [
    {"kind": "Workspace", "name": "phi", "weight": 90, "current": 100, "ready": True},
    {"kind": "Workspace", "name": "new", "weight": 10, "current": 0, "ready": False},
]


async def test_a_group_is_found_by_its_name_and_leads_to_its_members(server, page, tab):
    for name in ("phi", "new"):
        server.put(
            name, status() | {"gateway": {"group": {"name": "chat", "url": "http://gateway.example/ns/chat", "members": MEMBERS}}}
        )
    server.put("other", status())
    await open_page(tab, page, "#/Workspace/ns/phi")
    await tab.press("/", "/")
    for letter in "chat":
        await tab.press(letter, letter)
    await tab.until("document.querySelectorAll('#list li').length === 2")
    await tab.until("document.querySelector('.group')?.innerText.includes('weight 10, now 0')")
    await tab.evaluate("document.querySelectorAll('.group a')[1].click()")
    await tab.until("document.activeElement.tagName === 'H2' && document.activeElement.innerText.includes('new')")


HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>javascript:alert(1)"


async def test_texts_of_the_cluster_are_only_texts(server, page, tab):
    server.put("phi", status(said("Ready", "False", "DryRunFailed", HOSTILE), said("WorkloadAccepted", "False", HOSTILE, HOSTILE)))
    await open_page(tab, page, "#/Workspace/ns/phi")
    await tab.until(f"{TEXT}.split('<img src=x').length > 2")
    assert await tab.evaluate("document.querySelectorAll('main img, main script, [onerror]').length") == 0


async def test_the_policy_holds_against_a_script_in_the_page(server, page, browser):
    other = await browser[1]()
    await open_page(other, page)
    for attack in ("document.body.innerHTML = '<p>x'", "document.createElement('script').src = 'page.js'"):
        with pytest.raises(PageError, match="Trusted"):
            await other.evaluate(attack)
    blocked = await other.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'blocked')")
    assert blocked == "blocked"
    assert any("Content Security Policy" in str(entry) for entry in other.complaints())
    await other.call("Page.close")


async def test_everything_comes_from_the_page_itself(server, page, tab):
    server.put("phi", status())
    await open_page(tab, page, "#/Workspace/ns/phi")
    await tab.until("document.querySelector('svg.chain')")
    assert [url for url in tab.requested() if not url.startswith((page.server.url, "about:"))] == []


async def test_a_lost_connection_is_said_and_what_was_shown_stays(cluster, server, tab):
    server.put("phi", status())
    async with running(cluster[1], PageScope()) as page:
        await open_page(tab, page)
        await tab.until("document.getElementById('connection').textContent === 'Live'")
    await tab.until("document.getElementById('connection').dataset.state === 'lost'")
    assert await tab.evaluate("document.querySelectorAll('#list li').length") == 1
    tab.events.clear()  # requests that fail are what was expected


@pytest.mark.parametrize("width", [320, 360, 768])
async def test_a_narrow_page_is_not_wider_than_its_screen(server, page, tab, width):
    long = said("Ready", "False", "DryRunFailed", "a-very-long-word-" * 20)
    server.put("phi-with-a-name-of-sixty-three-characters-as-it-is-allowed-to-be", status(long))
    await tab.resize(width, 700)
    await open_page(tab, page)
    await tab.until("document.querySelector('.row')")
    assert await tab.evaluate("document.documentElement.scrollWidth") <= width
    await tab.evaluate("document.querySelector('.row').click()")
    await tab.until(
        "document.querySelector('svg.chain') && getComputedStyle(document.querySelector('.overview')).display === 'none'"
    )
    assert await tab.evaluate("document.documentElement.scrollWidth") <= width
    await tab.evaluate("document.querySelector('.back').click()")
    await tab.until("document.activeElement.matches('.row')")


POOR_CONTRASTS = (Path(__file__).parent / "poor_contrasts.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_texts_have_enough_contrast(server, page, tab, scheme):
    for name, changed in (("a", BROKEN), ("b", STARTING), ("c", ())):
        server.put(name, status(*changed))
    await tab.resize(1280, 800, scheme=scheme)
    await open_page(tab, page, "#/Workspace/ns/a")
    await tab.until("document.querySelector('svg.chain') && document.querySelector('.history table')")
    assert await tab.evaluate(POOR_CONTRASTS) == []


async def test_a_chosen_theme_comes_before_that_of_the_system(page, tab):
    await tab.resize(1280, 800, scheme="light")
    await open_page(tab, page)
    before = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
    choose = "const theme = document.getElementById('theme'); theme.value = 'dark'; theme.dispatchEvent(new Event('change'))"
    await tab.evaluate(f"(() => {{ {choose} }})()")
    await tab.until(f"getComputedStyle(document.body).backgroundColor !== '{before}'")
    await tab.evaluate("localStorage.clear()")


async def test_a_screen_reader_gets_names_and_roles(server, page, tab):
    server.put("phi", status(*BROKEN))
    await open_page(tab, page, "#/Workspace/ns/phi")
    await tab.until("document.querySelector('svg.chain') && document.querySelector('.commands button')")
    await tab.call("Accessibility.enable")
    nodes = [node for node in (await tab.call("Accessibility.getFullAXTree"))["nodes"] if not node.get("ignored")]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    needing_names = {"button", "link", "searchbox", "combobox", "image", "checkbox", "MenuListPopup"} - {"MenuListPopup"}
    assert [role for role, name in named if role in needing_names and not name.strip()] == []
    assert any(role == "image" and name.startswith("Chain of ") and "hold" in name for role, name in named)
    assert any(role == "link" and name.startswith("Not ready: phi") for role, name in named)
    roles = {role for role, _ in named}
    assert {"banner", "main", "contentinfo", "list", "listitem", "heading", "status", "table"} <= roles


async def test_a_command_is_copied(server, page, tab):
    server.put("phi", status())
    await open_page(tab, page, "#/Workspace/ns/phi")
    await tab.until("document.querySelector('.commands .copy')")
    origin = page.server.url.rsplit("/", 2)[0]
    await tab.call("Browser.grantPermissions", origin=origin, permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    await tab.call("Page.bringToFront")
    await tab.evaluate("document.querySelector('.commands .copy').click()")
    await tab.until("document.querySelector('.commands .copy').textContent === 'Copied'")
    assert await tab.evaluate("navigator.clipboard.readText()") == "workspace-ctrl explain phi -n ns"


@pytest_asyncio.fixture(loop_scope="session")
async def token_pages(cluster):
    server, kubeconfig = cluster
    server.users = {"jane-token": ("jane", {""}), "jim-token": ("jim", {"b"})}
    server.put("phi", status(), namespace="a")
    server.put("llama", status(*BROKEN), namespace="b")
    url = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    async with serving_tokens(url, limits=QUICK, title="production") as found:
        yield found


async def sign_in(tab, token):
    await tab.until("!document.getElementById('signin').hidden && document.activeElement.id === 'token'")
    await tab.call("Input.insertText", text=token)
    await tab.press("Enter")


IDS = "[...document.querySelectorAll('#list a')].map((link) => link.dataset.id)"


async def test_in_a_cluster_each_user_signs_in_with_a_token_that_stays_in_the_memory_of_the_page(server, token_pages, tab):
    await tab.open(token_pages.url)
    await tab.until(f"{TEXT}.includes('No token came with the request')")
    await sign_in(tab, "wrong-token")
    await tab.until(f"{TEXT}.includes('The API server does not accept the token')")
    await sign_in(tab, "jane-token")
    await tab.until(f"{IS_LOADED} && {IDS}.length === 2 && {TEXT}.includes('production, as jane')")
    kept = "[location.href, document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.body.innerHTML]"
    assert "jane-token" not in str(await tab.evaluate(f"{kept}.join()"))
    assert not any("token" in url for url in tab.requested())
    del server.users["jane-token"]
    await tab.until(f"!document.getElementById('signin').hidden && {IDS}.length === 0 && !{TEXT}.includes('jane')")
    await sign_in(tab, "jim-token")
    await tab.until(f"{TEXT}.includes('You may not list Workspaces')")
    assert await tab.evaluate(f"{IDS}.length") == 0
    await tab.evaluate("document.getElementById('namespace').focus()")
    await tab.call("Input.insertText", text="b")
    await tab.press("Enter")
    await tab.until(f"{IS_LOADED} && {IDS}.join() === 'Workspace/b/llama' && location.search === '?namespace=b'")
    await tab.evaluate("document.querySelector('#list a').click()")
    await tab.until("document.querySelector('svg.chain')")
    await tab.evaluate("document.getElementById('signout').click()")
    await tab.until(f"!document.getElementById('signin').hidden && {IDS}.length === 0 && document.getElementById('details').hidden")
    tab.events[:] = [event for event in tab.events if "401" not in str(event)]  # answers that were expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_form_that_asks_for_a_token_can_be_read_and_is_not_wider_than_the_screen(token_pages, tab, scheme):
    await tab.resize(320, 700, scheme=scheme)
    await tab.open(token_pages.url)
    await tab.until("!document.getElementById('signin').hidden")
    assert await tab.evaluate("document.documentElement.scrollWidth") <= 320
    assert await tab.evaluate(POOR_CONTRASTS) == []
    tab.events.clear()  # an answer with 401
