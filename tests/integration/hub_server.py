"""A model hub on loopback: serves the files of a few repositories, or whatever a test has it answer."""

import asyncio
import json
from contextlib import asynccontextmanager
from ipaddress import ip_network

from aiohttp import web

from tests.integration.http_server import listening
from tests.model_hub import CONFIG, SIZE
from workspace_ctrl.settings.process import HubSettings

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))


def index(size=SIZE):
    return {"metadata": {"total_size": size}, "weight_map": {"model.norm.weight": "model-00001-of-00004.safetensors"}}


class Hub:
    """The files of repositories, and what was requested of them."""

    def __init__(self):
        self.files = {}
        """Path → text, or a function that answers the request."""
        self.requests = []
        self.at_once = self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self):
        return HubSettings(self.url, LOOPBACK)

    def add(self, model, config=CONFIG, total=SIZE):
        """Publish a model with these files."""
        self.files[f"/{model}/resolve/main/config.json"] = json.dumps(config)
        self.files[f"/{model}/resolve/main/model.safetensors.index.json"] = json.dumps(index(total))

    def put(self, model, file, answer):
        self.files[f"/{model}/resolve/main/{file}"] = answer

    async def answer(self, request):
        self.requests.append((request.method, request.path, dict(request.headers)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
            found = self.files.get(request.path)
            if found is None:
                return web.Response(status=404, text="Entry not found")
            return await found(request) if callable(found) else web.Response(text=found)
        finally:
            self.at_once -= 1

    @asynccontextmanager
    async def served(self, **options):
        async with listening(self.answer, **options) as self.port:
            yield self
