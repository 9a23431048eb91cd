"""The credentials of requests to the API server."""

import asyncio

import aiohttp
from aiohttp import web

from e2e.waiting import WAIT_SECONDS
from tests.integration.busy_threads import busy_threads
from tests.integration.http_server import listening
from workspace_ctrl.kube.access.access import Access, Tls
from workspace_ctrl.kube.connection import open_connection


class TokenAccess(Access):
    """Access with a token."""

    def __init__(self, server):
        self.server, self.tls, self.headers, self.proxy = server, Tls(), (), ""

    def authorization(self):
        return "Bearer t"

    def authorization_anew(self):
        return "Bearer t"

    def namespace(self):
        return "ns"


async def test_the_token_waits_for_no_other_work_in_threads():
    async def answer(request):
        return web.json_response({"token": request.headers["Authorization"]})

    async with listening(answer) as port, busy_threads():
        connection = open_connection(TokenAccess(f"http://127.0.0.1:{port}"))
        try:
            async with asyncio.timeout(WAIT_SECONDS), connection.session.get(f"{connection.server}/version") as response:
                assert isinstance(response, aiohttp.ClientResponse)
                assert await response.json() == {"token": "Bearer t"}
        finally:
            await connection.close()
