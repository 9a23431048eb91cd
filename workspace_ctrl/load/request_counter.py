"""Counts the requests to canaries and to the other members of their groups, as their model servers report them.

Each canary in progress has one timer; for others, nothing is sent. Model servers are untrusted (`metrics_client`), and readings of all
namespaces take turns.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from workspace_ctrl.connections.special_addresses import Network
from workspace_ctrl.kube.backoff import jittered
from workspace_ctrl.kube.fair_slots import FairSlots
from workspace_ctrl.kube.store import Key
from workspace_ctrl.kube.tasks import log_failure
from workspace_ctrl.load.counters import CountedPods, Counters
from workspace_ctrl.load.metrics_client import MetricsClient, NoMetricsError
from workspace_ctrl.load.server_figures import parse_counters
from workspace_ctrl.model.canary import CanaryCount, CanaryTarget, CountingServer

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

_MOST_BYTES: Final = 4 << 20
_AT_ONCE: Final = 16
_AT_ONCE_OF_NAMESPACE: Final = 8
_REMEDY: Final = "the controller needs to reach the port of the model servers by plain HTTP"


class FiguresUnknownError(Exception):
    """A model server does not answer with what it has counted; the message says why."""


@dataclass
class _Counted:
    """One canary in progress."""

    target: CanaryTarget
    restarts: dict[str, int] = field(default_factory=dict)
    """uid of a pod of the canary that was ready in this step → how often its containers had restarted."""
    canary: CountedPods = field(default_factory=CountedPods)
    others: CountedPods = field(default_factory=CountedPods)
    began: float | None = None
    """Since when it has its share of the requests without a break, by the event loop's clock."""
    count: CanaryCount = field(default_factory=lambda: CanaryCount(""))
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None


class RequestCounter:
    """Counts the requests to canaries."""

    def __init__(self, changed: Callable[[Key], None], networks: Sequence[Network] = ()) -> None:
        """Make it; `changed` is called with each Workspace of which something was counted.

        `networks` may be connected to although their addresses are special.
        """
        self._changed = changed
        self._client = MetricsClient("pod", _MOST_BYTES, networks)
        self._slots: FairSlots[str] = FairSlots(_AT_ONCE, _AT_ONCE_OF_NAMESPACE)
        self._counted: dict[Key, _Counted] = {}

    def follow(self, key: Key, target: CanaryTarget | None) -> None:
        """Count for the Workspace `key` from now on; with None, no more."""
        if target is None:
            self.forget(key)
            return
        known = self._counted.get(key)
        if known is None:
            self._counted[key] = known = _Counted(target, count=CanaryCount(target.step))
            self._schedule(key, known, 0.0)
        elif known.target.step != target.step:
            known.restarts, known.began = {}, None
            known.canary, known.others = known.canary.begun_again(), known.others.begun_again()
            known.count = CanaryCount(target.step)
        known.target = target
        crashed = _crashed(known)
        if crashed and not known.count.crashed:
            known.count = replace(known.count, crashed=crashed)
            self._changed(key)

    def forget(self, key: Key) -> None:
        """Count no more for the Workspace `key`."""
        known = self._counted.pop(key, None)
        if known is None:
            return
        if known.timer is not None:
            known.timer.cancel()
        if known.task is not None:
            known.task.cancel()

    def result(self, key: Key) -> CanaryCount | None:
        """Return what was counted for the Workspace `key`; None if nothing is counted for it."""
        known = self._counted.get(key)
        return known.count if known is not None else None

    async def close(self) -> None:
        """Stop all readings."""
        tasks = [known.task for known in self._counted.values() if known.task is not None]
        for key in list(self._counted):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _schedule(self, key: Key, known: _Counted, delay: float) -> None:
        known.timer = asyncio.get_running_loop().call_later(jittered(delay, 0.9, 1.0), self._start, key, known)

    def _start(self, key: Key, known: _Counted) -> None:
        known.task = asyncio.create_task(self._read(key, known), name=f"canary {'/'.join(key)}")
        known.task.add_done_callback(_log_failure)

    async def _read(self, key: Key, known: _Counted) -> None:
        target = known.target
        servers = [server for server in (*target.canary, *target.others) if server.address]
        read = await asyncio.gather(*(self._counters(key[0], server) for server in servers))
        self._schedule(key, known, target.period)  # before the callback, which might fail
        if known.target.step != target.step:
            return  # these figures are those of the step before
        found = {server.uid: counters for server, counters in zip(servers, read, strict=True)}
        now = asyncio.get_running_loop().time()
        known.began = (known.began if known.began is not None else now) if known.target.is_routed else None
        known.canary, known.others = known.canary.read(target.canary, found), known.others.read(target.others, found)
        known.count = CanaryCount(
            target.step,
            now - known.began if known.began is not None else 0.0,
            known.canary.total,
            known.others.total,
            known.canary.unknown(target.canary, found),
            known.others.unknown(target.others, found),
            known.count.crashed,
        )
        self._changed(key)

    async def _counters(self, namespace: str, server: CountingServer) -> Counters | str:
        """Return what a model server has counted, or why that is not known."""
        async with self._slots.of(namespace):
            try:
                return await self._fetch(server)
            except FiguresUnknownError as error:
                return f"Pod {server.name}: {error}"

    async def _fetch(self, server: CountingServer) -> Counters:
        """Return what a model server has counted.

        Raises:
            FiguresUnknownError: it does not answer, or not with that.
        """
        host = f"[{server.address}]" if ":" in server.address else server.address
        try:
            return await self._client.read(f"http://{host}:{server.port}", parse_counters)
        except NoMetricsError as error:
            raise FiguresUnknownError(f"{error}; {_REMEDY}") from error
        except ValueError as error:
            raise FiguresUnknownError(str(error)) from error


def _crashed(known: _Counted) -> str:
    """Return which pod of a canary has restarted in this step, after it was ready; empty if none has. Remember those that are ready."""
    found = ""
    for server in known.target.canary:
        before = known.restarts.get(server.uid)
        if before is not None and server.restarts > before:
            found = found or f"Pod {server.name} has crashed: its container was restarted"
        if server.address:
            known.restarts[server.uid] = server.restarts
    return found
