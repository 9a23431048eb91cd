"""`bursts.py URL MODEL COUNT SECONDS WORDS`, run where the Gateway can be reached: COUNT requests at once, each on a connection of its own.

A line of JSON on standard output for each answer: its status (0 for none within SECONDS), how many seconds it took, and its beginning.
"""

import asyncio
import json
import sys
import time

import aiohttp

_SHOWN = 200


async def burst(url: str, model: str, count: int, seconds: float, words: int) -> None:
    """Send the requests, and print the answers in the order in which they come."""
    text = " ".join(f"word{number}" for number in range(words))
    body = {"model": model, "max_tokens": 4 * words, "messages": [{"role": "user", "content": text}]}
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(_ask(session, f"{url}/v1/chat/completions", body))


async def _ask(session: aiohttp.ClientSession, url: str, body: dict[str, object]) -> None:
    begin = time.monotonic()
    try:
        async with session.post(url, json=body) as answer:
            status, said = answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        status, said = 0, repr(error)
    print(json.dumps({"status": status, "seconds": round(time.monotonic() - begin, 2), "text": said[:_SHOWN]}), flush=True)


if __name__ == "__main__":
    asyncio.run(burst(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
