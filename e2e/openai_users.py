"""Users of OpenAI's Python client as it comes, with retries: `openai_users.py BASE_URL MODEL USERS`.

Run where the Gateway can be reached, until standard input ends. Each user asks again when answered, after a pause. Standard output is JSON:
how many questions were answered, how many retries that took, and which errors users got.
"""

import asyncio
import json
import sys
from collections import Counter
from typing import Any

from openai import APIError, AsyncOpenAI, DefaultAsyncHttpxClient

_PAUSE_SECONDS = 0.1


async def ask(base_url: str, model: str, users: int) -> dict[str, Any]:
    """Have so many users ask until standard input ends; return what came of it."""
    ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    found, errors = Counter(answered=0, retries=0), Counter[str]()
    async with DefaultAsyncHttpxClient(trust_env=False) as http, asyncio.TaskGroup() as group:
        client = AsyncOpenAI(base_url=base_url, api_key="unused", http_client=http)
        for _ in range(users):
            group.create_task(_use(client, model, ending, found, errors))
    return {**found, "errors": dict(errors)}


async def _use(client: AsyncOpenAI, model: str, ending: asyncio.Task[str], found: Counter[str], errors: Counter[str]) -> None:
    while not ending.done():
        try:
            answer = await client.chat.completions.with_raw_response.create(
                model=model, max_tokens=4, messages=[{"role": "user", "content": "who are you?"}]
            )
            found["answered"] += 1
            found["retries"] += answer.retries_taken
        except APIError as error:
            errors[str(error)] += 1  # that there was one is the finding
        await asyncio.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
