"""How tests wait for what has no event of its own, such as what is at the other end of a connection."""

import asyncio

from e2e.waiting import WAIT_SECONDS


async def until(holds, seconds=WAIT_SECONDS):
    """Return once `holds` is true; raise TimeoutError if it is not within so many seconds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.005)
