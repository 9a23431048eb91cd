"""Runs a coroutine in an event loop of its own, which Ctrl-C may end at any time."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def run_in_loop(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine until its end, as `asyncio.run` does, and return its result.

    Ctrl-C while the loop is made waits until it is complete: of half a loop, Python prints a traceback.
    """
    try:
        with ExitStack() as stack:
            with interrupts_put_off():
                runner = stack.enter_context(asyncio.Runner())
            return runner.run(coroutine)
    finally:
        coroutine.close()  # else Python warns of one that did not run


@contextmanager
def interrupts_put_off() -> Iterator[None]:
    """Put off Ctrl-C until the end of the block, where Python's handler raises KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():  # no other one is interrupted
        yield
        return
    interrupted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        signal.raise_signal(signal.SIGINT)
