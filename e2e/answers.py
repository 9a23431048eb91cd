"""`answers.py URL MODEL INTERVAL [COUNT]`, run where the Gateway can be reached: chat completions, and which pod has answered each.

One request every so many seconds, until so many are sent, or until standard input ends. A line of JSON on standard output is a finished
request: its number, the time at which it began (Unix), its HTTP status (0 for none), the name of the pod, as the stand-in for vLLM reports
it, and the beginning of what a failed one was answered with.
"""

import asyncio
import json
import sys
import time
from http import HTTPStatus
from itertools import count

import aiohttp

_PATIENCE = aiohttp.ClientTimeout(total=30)
_POD = "x-inference-pod"
_EXCERPT = 80


async def ask(url: str, model: str, interval: float, most: int | None) -> None:
    """Send requests, and print what came of each."""
    body = {"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "who are you?"}]}
    reader = asyncio.create_task(asyncio.to_thread(sys.stdin.read)) if most is None else None
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session, asyncio.TaskGroup() as requests:
        due = time.monotonic()
        for number in count():
            if number == most or (reader is not None and reader.done()):
                break
            requests.create_task(_ask(session, f"{url}/v1/chat/completions", body, number))
            due += interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _ask(session: aiohttp.ClientSession, url: str, body: dict[str, object], number: int) -> None:
    at, status, pod, words = time.time(), 0, "", ""
    try:
        async with session.post(url, json=body) as answer:
            text = (await answer.read()).decode(errors="replace")
            status, pod = answer.status, answer.headers.get(_POD, "")
            words = text[:_EXCERPT] if status != HTTPStatus.OK else ""
    except (aiohttp.ClientError, TimeoutError) as error:
        words = str(error)[:_EXCERPT]  # that there was no answer is the finding
    print(json.dumps({"number": number, "at": at, "status": status, "pod": pod, "words": words}), flush=True)


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None))  # noqa: PLR2004
