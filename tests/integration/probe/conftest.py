"""An event loop for requests to servers in it: while it is idle, only the next timer can come, so it waits a tenth. And fixtures."""

import asyncio
import selectors
import ssl

import pytest

from tests.certificates import make_certificate
from tests.integration.probe.gateways import LOCAL, Server, Told
from workspace_ctrl.probe.probe_client import ProbeClient
from workspace_ctrl.settings.process import ProbeMode

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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for m.example.com that signs itself: (server's context, PEM)."""
    folder = tmp_path_factory.mktemp("certificate")
    made = make_certificate(folder, "test", "DNS:m.example.com")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made, folder / "tls.key")
    return context, made.read_text()


@pytest.fixture
async def server():
    async with Server().served() as running:
        yield running


@pytest.fixture
async def asker():
    asking = ProbeClient(ProbeMode.MODELS, trust=LOCAL)
    yield asking
    await asking.close()


@pytest.fixture
async def told():
    return Told()
