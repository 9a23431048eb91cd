"""Requests to servers in the same event loop: while it is idle, nothing can come but the next timer, so there it waits a tenth."""

import asyncio
import selectors

_FASTER = 10


class _Selector(selectors.DefaultSelector):
    """Waits a tenth of the time where only a timer can end the wait."""

    loop = None

    def select(self, timeout=None):
        if not timeout or timeout < 0 or self.loop.outside:
            return super().select(timeout)
        events = super().select(timeout / _FASTER)
        if not events:
            self.loop.skipped += timeout - timeout / _FASTER
        return events


class ShortIdleTime(asyncio.SelectorEventLoop):
    """An event loop on whose clock idle time passes ten times as fast.

    Time in which something runs or arrives passes as it does elsewhere, so a slow machine has as long for it as the code grants; so does
    time in which another thread works, such as one that resolves a name.
    """

    def __init__(self):
        self.skipped = 0.0
        self.outside = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self):
        return super().time() + self.skipped

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self.outside += 1
        future.add_done_callback(self._back)
        return future

    def _back(self, _future):
        self.outside -= 1


def pytest_asyncio_loop_factories():
    return {"short idle time": ShortIdleTime}
