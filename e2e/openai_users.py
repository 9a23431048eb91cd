"""Users of OpenAI's Python client as it comes, with retries: `openai_users.py BASE_URL MODEL USERS`.

Run where the Gateway can be reached, until standard input ends. Each user asks again when answered, after a pause, and connections are
kept. Lines of JSON on standard output, one when each user was answered, and one at the end: how many questions were answered, how many
retries that took, and which errors users got.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field

from openai import APIError, AsyncOpenAI, DefaultAsyncHttpxClient

_PAUSE_SECONDS = 0.1


@dataclass
class Found:
    """What came of the questions so far."""

    answered: int = 0
    retries: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def print(self) -> None:
        """Print it as a line of JSON."""
        print(json.dumps({"answered": self.answered, "retries": self.retries, "errors": self.errors}), flush=True)


async def ask(base_url: str, model: str, users: int) -> None:
    """Have so many users ask until standard input ends, and print what came of it."""
    ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    found = Found()
    async with DefaultAsyncHttpxClient(trust_env=False) as http:
        client = AsyncOpenAI(base_url=base_url, api_key="unused", http_client=http)
        await asyncio.gather(*(_ask(client, model, found) for _ in range(users)))
        found.print()
        await asyncio.gather(*(_use(client, model, found, ending) for _ in range(users)))
    found.print()


async def _use(client: AsyncOpenAI, model: str, found: Found, ending: asyncio.Task[str]) -> None:
    while not ending.done():
        await asyncio.sleep(_PAUSE_SECONDS)
        await _ask(client, model, found)


async def _ask(client: AsyncOpenAI, model: str, found: Found) -> None:
    try:
        answer = await client.chat.completions.with_raw_response.create(
            model=model, max_tokens=4, messages=[{"role": "user", "content": "who are you?"}]
        )
    except APIError as error:
        found.errors[str(error)] += 1  # that there was one is the finding
    else:
        found.answered += 1
        found.retries += answer.retries_taken


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], sys.argv[2], int(sys.argv[3])))
