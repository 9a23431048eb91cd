"""`workspace-ctrl ui-server` against a real API server: users with different rights, wrong tokens, and one that is revoked."""

import asyncio
import base64
import re
import sys
from asyncio.subprocess import PIPE
from contextlib import aclosing, asynccontextmanager

import aiohttp
import pytest
import yaml

from e2e import workspaces
from e2e.controller import ACTOR
from e2e.waiting import WAIT_SECONDS
from tests.integration.cli.page.running_page import on_thread
from tests.integration.cli.page.running_token_pages import TokenPages
from tests.plane.accounts import role

READ = [{"apiGroups": ["kaito.sh"], "resources": ["workspaces", "inferencesets"], "verbs": ["list", "watch"]}]


@asynccontextmanager
async def served(cluster, folder):
    """The command itself, as the chart runs it; yield the pages, and what it has printed."""
    config = yaml.safe_load(cluster.kubeconfig_for(ACTOR).read_text())["clusters"][0]["cluster"]
    authority = folder / "ca.crt"
    authority.write_bytes(base64.b64decode(config["certificate-authority-data"]))
    options = ["--port=0", f"--api-server={config['server']}", f"--certificate-authority={authority}", "--address=127.0.0.1"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workspace_ctrl", "ui-server", *options, stdout=PIPE, stderr=PIPE
    )
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), WAIT_SECONDS)).decode()
        async with aiohttp.ClientSession() as session:
            yield TokenPages(None, f"http://127.0.0.1:{re.search('port ([0-9]+)', line)[1]}/", session)
        process.terminate()
        said = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
        assert process.returncode == 0
        assert b"Traceback" not in said[1]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def users(installed, plane_namespace):
    """The tokens of two ServiceAccounts: one may read the test's namespace, one may read nothing."""
    namespace = plane_namespace
    for name in ("jane", "jim"):
        workspaces.apply(installed, namespace, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    binding = role("Role", "reader", READ, namespace)
    binding[1]["subjects"][0]["name"] = "jane"
    workspaces.apply(installed, namespace, workspaces.workspace("phi"), *binding)
    return {name: installed.kubectl("create", "token", name, "-n", namespace).strip() for name in ("jane", "jim")}


async def test_each_user_sees_what_the_api_server_lets_him_see_until_his_token_is_revoked(
    installed, plane_namespace, users, tmp_path
):
    namespace, ident = plane_namespace, f"Workspace/{plane_namespace}/phi"
    async with served(installed, tmp_path) as pages:
        assert (await pages.json("events"))[0] == 401
        status, answer = await pages.json("events", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA")
        assert (status, "does not accept the token" in answer["error"]) == (401, True)

        rows, _ = await pages.until(users["jane"], lambda _rows, _notices, is_complete: is_complete, namespace)
        assert [*rows] == [ident]
        assert (await pages.json(f"details?id={ident}&namespace={namespace}", users["jane"]))[0] == 200
        rows, notices = await pages.until(users["jim"], lambda _rows, notices, _complete: len(notices) == 3, namespace)
        assert not rows
        assert any("you may not list Workspaces: workspaces.kaito.sh is forbidden" in notice["message"] for notice in notices)
        assert f'"system:serviceaccount:{namespace}:jim" cannot list' in str(notices)
        assert (await pages.json(f"details?id={ident}&namespace={namespace}", users["jim"]))[0] == 404

        async with aclosing(pages.events(users["jane"], namespace)) as events, asyncio.timeout(WAIT_SECONDS):
            assert (await anext(events))[1]["title"].endswith(f"as system:serviceaccount:{namespace}:jane")
            await on_thread(lambda: installed.kubectl("delete", "serviceaccount", "jane", "-n", namespace))
            names = [name async for name, _ in events]
        assert names[-1] == "ended"
        assert (await pages.json(f"details?id={ident}&namespace={namespace}", users["jane"]))[0] == 401
