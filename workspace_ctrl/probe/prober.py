"""Requests through Gateways: the only proof that requests are answered.

Each followed Workspace has one timer and at most one request in flight: all together at most 32, those of one namespace at most 16, so that
the Workspaces of one namespace do not delay those of another. A Workspace is followed only while every other link holds, so a Workspace
that is not ready for another reason causes no requests.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from workspace_ctrl.kube.backoff import jittered
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.fair_slots import FairSlots
from workspace_ctrl.kube.store import Key
from workspace_ctrl.kube.tasks import log_failure
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult, ProbeTarget
from workspace_ctrl.probe.consecutive_results import Threshold, pace
from workspace_ctrl.probe.credentials import credentials_reader
from workspace_ctrl.probe.probe_client import ProbeClient
from workspace_ctrl.probe.trusted_targets import trust_of
from workspace_ctrl.settings.process import ProbeMode, Settings

logger = logging.getLogger(__name__)
_log_failure = partial(log_failure, logger)

_AT_ONCE = 32
_AT_ONCE_OF_NAMESPACE = 16


@dataclass
class _Probed:
    """The state of one followed Workspace."""

    targets: tuple[ProbeTarget, ...]
    agreement: Threshold = field(default_factory=Threshold)
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None
    is_out_of_order: bool = False
    """Whether the latest request failed with an internal error."""


class NoProber:
    """Stands for a prober where probes are off."""

    is_enabled = False

    def follow(self, key: Key, targets: tuple[ProbeTarget, ...], earlier: ProbeResult | None) -> None:
        """Send nothing."""

    def forget(self, key: Key) -> None:
        """Do nothing."""

    def gone(self, key: Key) -> None:
        """Do nothing."""

    def result(self, _key: Key) -> ProbeResult | None:
        """Return None: nothing is known."""
        return None

    async def close(self) -> None:
        """Do nothing."""


class Prober:
    """Probes all Workspaces that are otherwise ready, and reports each whose confirmed result has changed."""

    is_enabled = True

    def __init__(self, asker: ProbeClient, interval: float, changed: Callable[[Key], None]) -> None:
        self._asker = asker
        self._interval = interval
        self._changed = changed
        self._probed: dict[Key, _Probed] = {}
        self._slots: FairSlots[str] = FairSlots(_AT_ONCE, _AT_ONCE_OF_NAMESPACE)
        self._in_namespace: Counter[str] = Counter()
        """Namespace → number of followed Workspaces."""
        self._seen: set[Key] = set()
        """Workspaces that this process has followed: results of an earlier process do not apply to them any more."""
        self._reached: set[str] = set()
        """Gateways that have responded to this process: if one does not any more, that is a failure of the Gateway."""

    def follow(self, key: Key, targets: tuple[ProbeTarget, ...], earlier: ProbeResult | None) -> None:
        """Probe `targets` for the Workspace `key` from now on; without targets, stop.

        `earlier` is the confirmed result of an earlier process; it stays valid until probes of this process differ.
        """
        known = self._probed.get(key)
        if known is not None and known.targets == targets:
            return
        self.forget(key)
        is_first = key not in self._seen
        self._seen.add(key)
        if not targets:
            return
        holds = is_first and earlier is not None and any(earlier.url in {"", target.url} for target in targets)
        if earlier is not None and earlier.is_response:
            self._reached.update(target.gateway for target in targets)
        self._probed[key] = probed = _Probed(targets, Threshold(earlier if holds else None))
        self._in_namespace[key[0]] += 1
        self._schedule(key, probed)

    def forget(self, key: Key) -> None:
        """Stop probing for the Workspace `key`."""
        known = self._probed.pop(key, None)
        if known is None:
            return
        self._in_namespace[key[0]] -= 1
        if not self._in_namespace[key[0]]:
            del self._in_namespace[key[0]]
        if known.timer is not None:
            known.timer.cancel()
        if known.task is not None:
            known.task.cancel()

    def gone(self, key: Key) -> None:
        """Drop all state of the Workspace `key`, which was deleted."""
        self.forget(key)
        self._seen.discard(key)

    def result(self, key: Key) -> ProbeResult | None:
        """Return the confirmed result for the Workspace `key`; None if there is none yet."""
        known = self._probed.get(key)
        return known.agreement.believed if known is not None else None

    async def close(self) -> None:
        """Stop all requests."""
        tasks = [probed.task for probed in self._probed.values() if probed.task is not None]
        for key in list(self._probed):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._asker.close()

    def _schedule(self, key: Key, probed: _Probed, took: float = 0.0) -> None:
        # The jitter only shortens the delay: probes of one Gateway are spread, and none is late.
        shared = pace(self._interval, len(self._probed), self._in_namespace[key[0]], len(self._in_namespace))
        delay = jittered(probed.agreement.delay(shared, took), 0.8, 1.0)
        probed.timer = asyncio.get_running_loop().call_later(delay, self._start, key, probed)

    def _start(self, key: Key, probed: _Probed) -> None:
        probed.task = asyncio.create_task(self._probe(key, probed), name=f"probe {'/'.join(key)}")
        probed.task.add_done_callback(_log_failure)

    async def _probe(self, key: Key, probed: _Probed) -> None:
        clock = asyncio.get_running_loop().time
        async with self._slots.of(key[0]):
            began = clock()
            result = await self._result(key, probed)
            took = clock() - began
        before, probed.agreement = probed.agreement, probed.agreement.after(result)
        self._schedule(key, probed, took)  # before the callback, which might fail
        believed = probed.agreement.believed
        if believed != before.believed:
            if believed is not None and believed.outcome is ProbeOutcome.FAILED:
                logger.warning("%s/%s: %s", *key, believed.message)
            self._changed(key)

    async def _result(self, key: Key, probed: _Probed) -> ProbeResult:
        """Return the result of one request.

        Servers are untrusted: an unexpected error is logged, its result is "not possible", and the probes continue.
        """
        try:
            result = await self._worst(probed.targets, in_doubt=probed.agreement.is_in_doubt)
        except Exception as error:
            if not probed.is_out_of_order:
                logger.exception("probe of %s/%s failed with an internal error", *key)
            probed.is_out_of_order = True
            text = f"the request failed in the controller ({type(error).__name__}; see its log)"
            return ProbeResult(ProbeOutcome.NOT_POSSIBLE, probed.targets[0].url, message=text)
        probed.is_out_of_order = False
        return result

    async def _worst(self, targets: tuple[ProbeTarget, ...], *, in_doubt: bool) -> ProbeResult:
        """Return the result that decides: the first failure, after which no other target is probed; else one that was not possible."""
        results = []
        for target in targets:
            result = self._told(target, await self._asker.ask(target, in_doubt=in_doubt))
            if result.outcome is ProbeOutcome.FAILED:
                return result
            results.append(result)
        return next((result for result in results if result.outcome is ProbeOutcome.NOT_POSSIBLE), results[0])

    def _told(self, target: ProbeTarget, result: ProbeResult) -> ProbeResult:
        if result.is_response:
            self._reached.add(target.gateway)
        elif result.outcome is ProbeOutcome.NOT_POSSIBLE and target.gateway in self._reached:
            return ProbeResult(ProbeOutcome.FAILED, result.url, None, result.message)
        return result


def make_prober(client: Client, settings: Settings, changed: Callable[[Key], None]) -> Prober | NoProber:
    """Return the prober of a process; `changed` is called with each Workspace whose result became another."""
    probe = settings.probe
    if probe.mode is ProbeMode.OFF:
        return NoProber()
    probe_client = ProbeClient(probe.mode, credentials_reader(client, probe.secret), trust_of(settings, client.server))
    return Prober(probe_client, probe.interval, changed)
