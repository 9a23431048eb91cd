"""How the cache is filled at the start, beside an API server that does not list one of the kinds."""

import asyncio

import aiohttp
from aiohttp import web

from tests.integration.http_server import listening
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.controller.passes import cache_informers
from workspace_ctrl.controller.passes.cache_informers import CacheInformers
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection


async def test_kinds_that_are_not_listed_are_named_as_long_as_it_takes(monkeypatch, caplog):
    monkeypatch.setattr(cache_informers, "_SYNC_LOG_SECONDS", 0.05)
    caplog.set_level("INFO")
    listing, told = asyncio.Event(), asyncio.Event()
    caplog.handler.addFilter(lambda _: told.set() or True)

    async def answer(request):
        if "watch" in request.query:
            return web.json_response({"message": "no streams"}, status=422)
        if request.path.endswith(("/pods", "/services")):
            await listing.wait()
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    async with listening(answer, shutdown_timeout=0.01) as port, aiohttp.ClientSession() as session:
        client = Client(Connection(f"http://127.0.0.1:{port}", session), "tester")
        nothing = {"changed": lambda *_: None, "changed_for_gateways": lambda: None, "served": lambda: None}
        informers = CacheInformers(client, Cache(), "", **nothing, restarted=lambda *_: None)
        kinds = list(informers.prepare(frozenset(), ()))
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(informers.start(group, asyncio.Event()))
            while "waiting for cache sync: pods, services\n" not in caplog.text:
                told.clear()
                await told.wait()
            assert not starting.done()
            listing.set()
            watching = await starting
            assert all(informer.is_synced for informer in kinds)
            for task in watching:
                task.cancel()


async def test_nothing_is_logged_when_nothing_is_waited_for(monkeypatch, caplog):
    monkeypatch.setattr(cache_informers, "_SYNC_LOG_SECONDS", 0.0)
    caplog.set_level("INFO")
    logging = asyncio.create_task(cache_informers._log_unsynced([]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not logging.done()
    logging.cancel()
    assert caplog.text == ""
