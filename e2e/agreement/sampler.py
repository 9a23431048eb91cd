"""`sampler.py MODEL [INTERVAL PATIENCE]`, run where the Gateway can be reached: one chat completion every 100 ms, or so many seconds.

Lines on standard input are URLs, each in use until the next; after an empty one, no request is sent. A line of JSON on standard output is a
finished request. Every request has a connection of its own, so none profits from what an earlier one was given, and a request that hangs
holds up no other.
"""

import asyncio
import json
import sys
import time

import aiohttp

INTERVAL_SECONDS = 0.1
PATIENCE_SECONDS = 2.0
"""After which a request counts as not answered; the stand-in for vLLM needs milliseconds."""


async def sample(model: str, interval: float = INTERVAL_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
    """Send requests until standard input ends."""
    urls: asyncio.Queue[str] = asyncio.Queue()
    reader = asyncio.create_task(asyncio.to_thread(_read, urls, asyncio.get_running_loop()))
    timeout = aiohttp.ClientTimeout(total=patience)
    # Names are looked up anew each time, as by a client that has just started; certificates are the cluster's own.
    connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=False, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as requests:
        url = await urls.get()
        due = time.monotonic()
        while not reader.done():
            while not urls.empty():
                url = urls.get_nowait()
            if url:
                requests.create_task(_ask(session, url, model))
            due += interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def _read(urls: asyncio.Queue[str], loop: asyncio.AbstractEventLoop) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(urls.put_nowait, line.strip())


async def _ask(session: aiohttp.ClientSession, url: str, model: str) -> None:
    body = {"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": "are you there?"}]}
    at, status = time.monotonic(), 0
    try:
        async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
            await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError):
        status = 0  # that there was no answer is the finding
    print(json.dumps({"at": at, "status": status}), flush=True)


if __name__ == "__main__":
    asyncio.run(sample(sys.argv[1], *map(float, sys.argv[2:])))
