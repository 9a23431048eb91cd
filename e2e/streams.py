"""`streams.py URL MODEL CLIENTS WORDS`, run where the Gateway can be reached: streamed answers without a pause, until standard input ends.

Lines of JSON on standard output: one for each answer that begins, with its HTTP status, and one for each that ends: its status (0 for
none), whether it came to its end, and how many seconds it took.
"""

import asyncio
import json
import sys
import time

import aiohttp

_END = b"data: [DONE]"
_PATIENCE = aiohttp.ClientTimeout(total=None, sock_read=60)


async def stream(url: str, model: str, clients: int, words: int) -> None:
    """Have `clients` ask for answers of `words` words, one after the other, until standard input ends; then await those that have begun."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    reader = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    reader.add_done_callback(lambda _: loop.call_soon(ending.set))
    text = " ".join(f"word{number}" for number in range(words))
    body = {"model": model, "stream": True, "max_tokens": 4 * words, "messages": [{"role": "user", "content": text}]}
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session, asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_client(session, f"{url}/v1/chat/completions", body, ending))


async def _client(session: aiohttp.ClientSession, url: str, body: dict[str, object], ending: asyncio.Event) -> None:
    while not ending.is_set():
        status, whole, begin = 0, False, time.monotonic()
        try:
            async with session.post(url, json=body) as answer:
                status = answer.status
                _print(begun=status)
                whole = _END in await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            whole = False  # that it was cut is the finding
        _print(status=status, whole=whole, seconds=round(time.monotonic() - begin, 1))
        if not whole:
            await asyncio.sleep(0.2)


def _print(**found: object) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(stream(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
