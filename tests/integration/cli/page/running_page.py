"""A running page of a cluster, and a client that reads it."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp

from e2e.waiting import WAIT_SECONDS
from workspace_ctrl.cli.page.followed_kinds import follow_kinds
from workspace_ctrl.cli.page.live_objects import LiveObjects
from workspace_ctrl.cli.page.page_server import PageOptions, PageServer
from workspace_ctrl.cli.page.user_page import PageTexts
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection


async def on_thread(call):
    """Return what a call returns that would hold up the event loop, on which the API server is."""
    return await asyncio.wait_for(asyncio.to_thread(call), WAIT_SECONDS)


class Page:
    """A running page, and a client that reads it."""

    def __init__(self, server, session):
        self.server = server
        self.session = session

    def get(self, path, **options):
        """Request a path below that with the token."""
        return self.session.get(self.server.url + path, **options)

    async def json(self, path):
        """Return the status and the document at a path."""
        async with self.get(path) as response:
            return response.status, await response.json()

    async def updates(self):
        """Yield the updates of a new stream."""
        async with self.get("events") as response:
            name = ""
            async for line in response.content:
                field, _, value = line.decode().strip().partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and name == "update":
                    yield json.loads(value)

    async def until(self, is_met):
        """Return the first state of all rows by id, and of the notices, that meets a condition."""
        rows, notices = {}, []
        async with asyncio.timeout(WAIT_SECONDS):  # on a busy machine, a Workspace becomes ready meanwhile
            async for update in self.updates():
                rows |= {row["id"]: row for row in update["rows"]}
                for id_ in update["gone"]:
                    del rows[id_]
                notices = update.get("notices", notices)
                if is_met(rows, notices):
                    return rows, notices
        raise AssertionError("the stream has ended")


@asynccontextmanager
async def running(kubeconfig, scope, **options):
    """Yield the page of a cluster."""
    connection = open_connection(load_access(kubeconfig, None))
    client, live = Client(connection, "tester"), LiveObjects()
    server = PageServer(client, live, PageOptions(texts=PageTexts(**options)))
    await server.start()
    following = asyncio.create_task(follow_kinds(client, scope, live, lambda: None))
    try:
        async with aiohttp.ClientSession() as session:
            yield Page(server, session)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await server.close()
        await connection.close()
