"""`workspace-ctrl status`: what it watches through, what ends it, and lists of any length."""

import asyncio
import json
import signal
from functools import partial

import pytest

from e2e.waiting import WAIT_SECONDS
from tests.integration.cli.api_server import ended, ready
from tests.integration.cli.program import Program
from workspace_ctrl.cli import connection_options
from workspace_ctrl.kube.client import Client

URL = {"gateway": {"url": "http://gateway/ns/phi"}}
MANY = 1200


@pytest.fixture
def watch(run):
    """Watch the Workspace ns/phi."""
    return lambda *options: run("status", "ns/phi", "--watch", *(options or ("--timeout", str(WAIT_SECONDS))))


async def next_watch(server):
    return await asyncio.wait_for(server.watches.get(), WAIT_SECONDS)


async def test_it_follows_a_workspace_until_it_is_ready(server, watch):
    task = watch()
    await next_watch(server)
    server.put("phi")
    server.put("other", ready())
    server.put("phi", ready("False"))
    server.put("phi", ready() | URL)
    result = await ended(task)
    assert result.exit_code == 0
    assert "✔ InferenceReady so it is" in result.output
    assert "URL http://gateway/ns/phi" in result.output


async def test_bookmarks_are_asked_for(server, watch):
    server.put("phi", ready())
    assert (await ended(watch())).exit_code == 0
    assert (await next_watch(server))["allowWatchBookmarks"] == "true"


async def test_silence_does_not_end_it(server, watch, monkeypatch):
    monkeypatch.setattr(connection_options, "Client", partial(Client, silence_seconds=0.1))
    server.put("phi")
    task = watch()
    for _ in range(3):
        await next_watch(server)
    server.put("phi", ready())
    assert (await ended(task)).exit_code == 0


async def test_a_broken_watch_does_not_end_it(server, watch):
    server.put("phi")
    task = watch()
    await next_watch(server)
    server.break_watches()
    await next_watch(server)
    server.put("phi", ready())
    assert (await ended(task)).exit_code == 0


async def test_a_server_that_is_overloaded_for_a_while_does_not_end_it(server, watch):
    server.put("phi")
    server.rule = lambda query: 503 if query.get("watch") else 0
    task = watch()
    for _ in range(2):
        await next_watch(server)
    server.rule = lambda _query: 0
    server.put("phi", ready())
    assert (await ended(task)).exit_code == 0


async def test_after_an_expired_version_it_lists_anew(server, watch):
    server.put("phi")
    task = watch()
    await next_watch(server)
    server.expire()
    assert (await next_watch(server))["sendInitialEvents"] == "true"
    server.put("phi", ready())
    assert (await ended(task)).exit_code == 0


async def test_a_deletion_ends_it(server, watch):
    server.put("phi", ready("False"))
    task = watch()
    await next_watch(server)
    server.end_watches()
    await next_watch(server)  # so the first one has been shown
    server.delete("phi")
    result = await ended(task)
    assert (result.exit_code, "Error: ns/phi was deleted" in result.output) == (1, True)


async def test_ready_of_the_former_generation_is_not_ready(server, watch, run):
    server.put("phi", ready(generation=1), generation=2)
    once = await ended(run("status", "ns/phi"))
    assert (once.exit_code, "the status is for an older generation" in once.output) == (1, True)
    task = watch()
    await next_watch(server)
    server.put("phi", ready("False", generation=2), generation=2)
    server.put("phi", ready(generation=2), generation=2)
    result = await ended(task)
    assert (result.exit_code, "older generation" in result.output) == (0, False)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        pytest.param(lambda _query: 404, "Error: the cluster does not know Workspaces; install the CRDs with:", id="no CRD"),
        pytest.param(lambda _query: 403, "Error: refused with 403", id="no rights"),
        pytest.param(lambda query: 403 if query.get("watch") else 0, "grant the verb watch on workspaces.kaito.sh", id="list only"),
    ],
)
async def test_what_waiting_would_not_mend_ends_it(server, watch, rule, words):
    server.put("phi")
    server.rule = rule
    result = await ended(watch())
    assert (result.exit_code, words in result.output) == (1, True)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(404, "Error: the cluster does not know Workspaces; install the CRDs with:", id="the CRD"),
        pytest.param(403, "Error: refused with 403", id="the rights"),
    ],
)
async def test_what_goes_while_it_watches_is_not_taken_for_a_deletion(server, watch, code, words):
    server.put("phi")
    task = watch()
    await next_watch(server)
    server.rule = lambda _query: code
    server.break_watches()
    result = await ended(task)
    assert (result.exit_code, words in result.output) == (1, True)


@pytest.mark.parametrize(("exists", "words"), [(True, "not ready after 1 s"), (False, "no Workspace ns/phi after 1 s")])
async def test_the_timeout_ends_it(server, watch, exists, words):
    if exists:
        server.put("phi", ready("False"))
    result = await ended(watch("--timeout", "1"))
    assert (result.exit_code, words in result.output) == (1, True)


async def test_an_interrupt_ends_it_without_a_trace(server, served):
    server.put("phi")
    program = Program("status", "ns/phi", "--watch", "--kubeconfig", str(served[1]))
    await next_watch(server)
    program.process.send_signal(signal.SIGINT)
    code = await asyncio.wait_for(program.code(), WAIT_SECONDS)
    assert (code, await program.errors()) == (130, "")
    assert "Workspace" in program.stdout.read()
    program.close()


async def test_long_lists_are_read_in_pages(server, run):
    for number in range(MANY):
        server.put(f"phi-{number}")
    listed = await ended(run("status", "-n", "ns", "-o", "json"))
    assert len({item["metadata"]["name"] for item in json.loads(listed.stdout)["items"]}) == MANY
    assert [query["limit"] for query in server.lists] == ["500"] * 3


async def test_a_list_whose_version_expires_between_pages_is_read_at_once(server, run):
    for number in range(MANY):
        server.put(f"phi-{number}")
    server.rule = lambda query: 410 if query.get("continue") else 0
    listed = await ended(run("status", "-n", "ns", "-o", "json"))
    assert len(json.loads(listed.stdout)["items"]) == MANY
    assert [query.get("limit") for query in server.lists] == ["500", "500", None]


async def test_explain_follows_the_changes_until_the_workspace_is_gone(server, run):
    server.put("phi", ready("False"))
    task = run("explain", "ns/phi", "-w")
    await next_watch(server)
    server.put("phi", ready("True"))
    server.end_watches()
    await next_watch(server)
    server.delete("phi")
    result = await ended(task)
    assert result.exit_code == 1
    assert result.stdout.count("Workspace ns/phi is not ready: InvalidSpec") >= 1
    assert result.stdout.startswith("--- ")
    assert "Error: ns/phi was deleted" in result.stderr


async def test_explain_ends_where_watching_is_not_allowed(server, run):
    server.put("phi", ready("False"))
    server.rule = lambda query: 403 if query.get("watch") else 0
    result = await ended(run("explain", "ns/phi", "-w"))
    assert (result.exit_code, "grant the verb watch on workspaces.kaito.sh" in result.stderr) == (1, True)


async def test_a_kind_that_is_not_served_is_named_and_nobody_is_sent_to_replace_the_crds_of_kaito(server, run):
    result = await ended(run("status", "is/phi", "-n", "ns"))
    assert (result.exit_code, "Error: the cluster does not know InferenceSets; install the CRDs with:" in result.output) == (
        1,
        True,
    )
    assert "beside KAITO, its chart has them, that of InferenceSets with the feature gate" in result.output
