"""Waiting for the first of several coroutines, none of which outlives the wait."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def first_completed(*functions: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run all at once until one is done, then cancel the others and wait for their end.

    Raises:
        Exception: the first error, in the order of `functions`, of any of them, however it was ended.
    """
    tasks = [asyncio.create_task(function()) for function in functions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
