"""Threads of the event loop that have no time for anybody, as while they parse or look up what others have sent."""

import asyncio
import threading
from contextlib import asynccontextmanager

_MORE_THAN_ANY_POOL = 64


@asynccontextmanager
async def busy_threads():
    """Keep all threads of the default executor busy, and as many tasks again waiting for them."""
    loop, end = asyncio.get_running_loop(), threading.Event()
    waiting = [loop.run_in_executor(None, end.wait) for _ in range(_MORE_THAN_ANY_POOL)]
    try:
        yield
    finally:
        end.set()
        await asyncio.gather(*waiting)
