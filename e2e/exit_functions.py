"""What a forked process does at its end: what it has registered itself, and nothing of the process that it was forked from."""

import atexit
import weakref
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_exit_functions() -> Iterator[None]:
    """Run at the end what is registered from here on; to be entered first of all in a process that was forked.

    `multiprocessing` ends processes without them. What was registered before the fork would be done twice otherwise, and too early: the
    finalizer of a `TemporaryDirectory` of the other process removes its folder while that works in it.
    """
    atexit._clear()  # noqa: SLF001 - there is no other way
    weakref.finalize._registry.clear()  # type: ignore[attr-defined] # noqa: SLF001
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined] # noqa: SLF001 - as it is in a new process
    try:
        yield
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001
