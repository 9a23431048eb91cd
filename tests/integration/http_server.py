"""A server of aiohttp on loopback, for tests of clients."""

from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def listening(handler, host="127.0.0.1", port=0, context=None, **options):
    """Serve all methods and paths with `handler`, on a free port unless one is given, and yield the port; `options` are of the runner."""

    async def answer(request):  # aiohttp takes an object that can be called for no coroutine function
        return await handler(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, **options)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def not_served(_request):
    """Answer as an API server where no handler has the path."""
    return web.Response(status=404, text="404 page not found\n")
