"""The running server of the pages of users with tokens, and a client that reads them."""

import asyncio
import json
from contextlib import asynccontextmanager
from functools import partial

import aiohttp

from e2e.waiting import WAIT_SECONDS
from workspace_ctrl.cli.page.token_server import TokenServer
from workspace_ctrl.cli.page.token_session import SessionLimits
from workspace_ctrl.cli.page.token_sessions import Room, TokenSessions
from workspace_ctrl.kube.access.token import TokenAccess

QUICK = SessionLimits(idle_seconds=0.2, check_seconds=0.1, again_seconds=0.05)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class TokenPages:
    """The running server."""

    def __init__(self, sessions, url, session):
        self.sessions = sessions
        self.url = url
        self.session = session

    def get(self, path, token="", **headers):
        """Request a path, with a token."""
        return self.session.get(self.url + path, headers={**(bearer(token) if token else {}), **headers}, allow_redirects=False)

    async def json(self, path, token=""):
        """Return the status and the document at a path."""
        async with self.get(path, token) as response:
            return response.status, await response.json()

    async def events(self, token, namespace=""):
        """Yield name and content of the events of a new stream."""
        async with self.get(f"events?namespace={namespace}", token) as response:
            assert response.status == 200, await response.text()
            name = ""
            async for line in response.content:
                field, _, value = line.decode().strip().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)

    async def until(self, token, is_met, namespace=""):
        """Return the first state of all rows by id, and of the notices, that meets a condition."""
        rows, notices = {}, []
        async with asyncio.timeout(WAIT_SECONDS):  # the API server may be busy
            async for name, update in self.events(token, namespace):
                if name != "update":
                    continue
                rows |= {row["id"]: row for row in update["rows"]}
                notices = update.get("notices", notices)
                if is_met(rows, notices, update["isComplete"]):
                    return rows, notices
        raise AssertionError("the stream has ended")


@asynccontextmanager
async def serving_tokens(api_server, authority=None, limits=None, room=None, title=""):
    """Yield the pages of the cluster whose API server has a URL."""
    sessions = TokenSessions(partial(TokenAccess, api_server, authority), title, limits or SessionLimits(), room or Room())
    server = TokenServer(sessions)
    port = await server.listen("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as session:
            yield TokenPages(sessions, f"http://127.0.0.1:{port}/", session)
    finally:
        await server.close()
