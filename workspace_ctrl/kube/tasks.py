"""Tasks of the event loop: waiting for the first of several, and what is logged of one that failed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any


async def first_completed(*functions: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run all concurrently until one is done, then cancel the others and wait until they have ended.

    Raises:
        Exception: the first error of any of them, in the order of `functions`.
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


def log_failure(logger: logging.Logger, task: asyncio.Task[None]) -> None:
    """Log the error with which a background task ended; a cancelled one ended as it should."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("%s ended", task.get_name(), exc_info=task.exception())
