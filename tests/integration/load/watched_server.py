"""An API server with one kind of objects, which a test sends to those who watch them."""

import asyncio
import itertools
import json

from aiohttp import web

from tests.integration.http_server import not_served


class WatchedServer:
    """Lists `items` once it may, and sends events; with another `status` than 200 it answers nothing else."""

    def __init__(self, *items, status=200):
        self.items, self.status = items, status
        self.events, self.versions = asyncio.Queue(), itertools.count(1)
        self.asked = set()
        """Path and both selectors, that of labels first, of each request."""
        self.listable = asyncio.Event()
        self.listable.set()

    def send(self, type_, item):
        """Send an event, with a version of its own."""
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(next(self.versions))}}
        self.events.put_nowait({"type": type_, "object": item})

    async def answer(self, request):
        self.asked.add((request.path, request.query.get("labelSelector"), request.query.get("fieldSelector")))
        if self.status == 404:
            return await not_served(request)
        if self.status != 200:
            return web.json_response({"kind": "Status", "message": "no"}, status=self.status)
        if not request.query.get("watch"):
            await self.listable.wait()
            return web.json_response({"metadata": {"resourceVersion": str(next(self.versions))}, "items": list(self.items)})
        if "sendInitialEvents" in request.query:
            return web.json_response({"kind": "Status", "message": "not supported"}, status=400)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(json.dumps(await self.events.get()).encode() + b"\n")
