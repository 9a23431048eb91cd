"""Leader election by a Lease: who may work, and until when.

Clocks of other machines are not trusted. The holder measures from before it sends a renewal, the others from when they observe the change
of the Lease, which is later. So a holder that cannot renew has stopped before another process may take the Lease, whatever the wall clocks
say. The times in the Lease are informational. Every write has the resource version that it is based on, so of two concurrent writes one is
rejected, and so is a write by a process with outdated information.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from workspace_ctrl.kube.backoff import jittered
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, ConflictError, ForbiddenError, NotFoundError
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.kube.store import Store

logger = logging.getLogger(__name__)

LEASE: Final = ApiResource("coordination.k8s.io", "v1", "leases", "Lease")

_FORBIDDEN_SECONDS: Final = 10.0
"""Pause after a request that RBAC forbids: fixed, because only an administrator can end that, at any time."""
_ATTEMPT_SECONDS = 2.5
"""Timeout of one write of the Lease, in seconds; after it, the write is retried over a new connection."""


class LeaseLostError(ApiError):
    """This process does not hold the Lease, so it may not write."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Durations of leader election, in seconds."""

    duration: int = 10
    """Time after the last renewal before others may take the Lease."""
    deadline: float = 7.0
    """Time after it sent the last successful renewal when the holder stops; the rest is for requests in flight."""
    interval: float = 2.5
    """Interval of renewals, with a jitter of a tenth."""
    retry: float = 1.0
    """Delay after a failed attempt."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as stored by the API server."""

    version: int
    """Resource version; later ones are larger."""
    holder: str
    """Identity of the holder; empty if the Lease was released."""
    duration: float
    transitions: int
    acquired: str
    """Time when the holder acquired it; informational."""


def parse_lease(raw: Json, _kind: str) -> Lease:
    """Return the record of a Lease object."""
    spec: Mapping[str, Any] = raw.get("spec") or {}
    return Lease(
        version=int(raw["metadata"]["resourceVersion"]),
        holder=spec.get("holderIdentity") or "",
        duration=float(spec.get("leaseDurationSeconds") or 0),
        transitions=spec.get("leaseTransitions") or 0,
        acquired=spec.get("acquireTime") or "",
    )


@dataclass(frozen=True, slots=True)
class Sighting:
    """The latest observation of a Lease, with its time by the local clock."""

    lease: Lease | None = None
    """None if no Lease was ever observed."""
    at: float = 0.0
    exists: bool = False

    def see(self, lease: Lease | None, now: float) -> "Sighting":
        """Return the observation after `lease` was read at `now`; an older state than the known one is ignored.

        A deleted Lease still protects its holder for its duration.
        """
        if lease is None:
            return replace(self, exists=False)
        if self.lease is not None and lease.version < self.lease.version:
            return self
        if self.lease is not None and lease.version == self.lease.version:
            return replace(self, exists=True)
        return Sighting(lease, now, exists=True)

    def free_at(self, identity: str) -> float:
        """Return the time from which `identity` may take the Lease: at once if it has no holder, or if that is `identity`."""
        if self.lease is None or self.lease.holder in {"", identity}:
            return float("-inf")
        return self.at + self.lease.duration


def elapsed() -> float:
    """Return the seconds of a clock that cannot be set; where the system has such a clock, it includes suspension."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LeaseLock:
    """The Lease `namespace`/`name`, and whether this process holds it."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes | None = None,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._clock = clock
        self._held_until = float("-inf")
        self._sighting = Sighting()

    @property
    def title(self) -> str:
        """Kind, namespace and name, for messages."""
        return f"Lease {self._namespace}/{self._name}"

    @property
    def identity(self) -> str:
        """Identity of this process in the Lease."""
        return self._identity

    @property
    def holder(self) -> str:
        """Holder at the latest observation; empty if there is none."""
        return self._sighting.lease.holder if self._sighting.lease is not None else ""

    @property
    def is_held(self) -> bool:
        """Whether this process holds the Lease, by its own clock."""
        return self._clock() < self._held_until

    def check(self) -> None:
        """Check that this process holds the Lease.

        Raises:
            LeaseLostError: it does not.
        """
        if not self.is_held:
            raise LeaseLostError(f"{self.title} is not held by this process; write rejected")

    async def acquire(self) -> None:
        """Wait until this process holds the Lease: one watch of one object, and a write when the Lease is free."""
        store: Store[Lease] = Store(lambda _lease: None)
        news = asyncio.Event()
        selector = f"metadata.name={self._name}"
        source = Source(LEASE, parse_lease, field_selector=selector, namespace=self._namespace)
        informer = Informer(self._client, source, store, lambda _lease: news.set(), news.set)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(informer.run(), name=f"watch {self.title}")
            await informer.wait_synced()
            news.set()
            told = ""
            while True:
                if news.is_set():
                    news.clear()
                    self._sighting = self._sighting.see(store.get((self._namespace, self._name)), self._clock())
                wait = self._sighting.free_at(self._identity) - self._clock()
                if wait <= 0:
                    if await self._attempt():
                        break
                    wait = await self._look_again()
                if self.holder not in {"", told}:
                    told = self.holder
                    logger.info("standby: watching %s of %s", self.title, told)
                await _wait(news, wait)
            watching.cancel()

    async def hold(self) -> None:
        """Renew the Lease until it is lost."""
        pause = self._times.interval
        while True:
            await asyncio.sleep(min(jittered(pause, 0.9, 1.1), max(self._held_until - self._clock(), 0.0)))
            left = self._held_until - self._clock()
            if left <= 0:
                logger.warning("%s was not renewed in time", self.title)
                return
            try:
                async with asyncio.timeout(min(left, _ATTEMPT_SECONDS)):
                    await self._renew()
            except LeaseLostError as error:
                self._held_until = float("-inf")
                logger.warning("%s", error)
                return
            except (ApiError, TimeoutError) as error:
                logger.warning("cannot renew %s: %s; retrying", self.title, error or "no response in time")
                pause = self._times.retry
            else:
                pause = self._times.interval

    async def release(self) -> None:
        """Release the Lease if this process holds it, so that others need not wait; if that fails, they wait until it expires."""
        if not self.is_held:
            return
        self._held_until = float("-inf")
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                await self._write(holder="")
        except (ApiError, TimeoutError) as error:
            reason = error or "no response in time"
            logger.warning("cannot release %s: %s; it expires in %d s", self.title, reason, self._times.duration)
        else:
            logger.info("released %s", self.title)

    async def _attempt(self) -> bool:
        """Try to take the Lease; return whether this process holds it."""
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                await self._write(self._identity)
        except (ConflictError, NotFoundError):
            return False
        except ForbiddenError as error:
            logger.warning("%s; grant get, list, watch, create and update on leases in namespace %s", error, self._namespace)
            await asyncio.sleep(_FORBIDDEN_SECONDS)
            return False
        except (ApiError, TimeoutError) as error:
            logger.warning("cannot acquire %s: %s; retrying", self.title, error or "no response in time")
            return False
        return True

    async def _look_again(self) -> float:
        """Read the Lease after an attempt that failed; return how long to wait before the next one."""
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                await self._read()
        except (ApiError, TimeoutError):
            return self._times.retry
        wait = self._sighting.free_at(self._identity) - self._clock()
        return max(wait, jittered(self._times.retry, 0.5, 1.0))

    async def _read(self) -> None:
        try:
            raw = await self._client.get(LEASE, self._namespace, self._name)
        except NotFoundError:
            self._sighting = self._sighting.see(None, self._clock())
        else:
            self._sighting = self._sighting.see(parse_lease(raw, LEASE.kind), self._clock())

    async def _renew(self) -> None:
        """Renew once; if another process has changed the Lease, check whether this one still holds it.

        Raises:
            LeaseLostError: another process holds it.
        """
        try:
            await self._write(self._identity)
        except (ConflictError, NotFoundError):
            await self._read()
            if self._sighting.exists and self.holder != self._identity:
                words = f"is held by {self.holder}" if self.holder else "was released by another client"
                raise LeaseLostError(f"{self.title} {words}") from None
            await self._write(self._identity)

    async def _write(self, holder: str) -> None:
        """Write the Lease, based on the state that was observed last."""
        asked = self._clock()
        document = self._document(holder)
        write = self._client.replace if self._sighting.exists else self._client.create
        self._sighting = self._sighting.see(parse_lease(await write(LEASE, document), LEASE.kind), self._clock())
        if holder:
            self._held_until = asked + self._times.deadline

    def _document(self, holder: str) -> dict[str, Any]:
        old = self._sighting.lease
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        stays = old is not None and holder in {"", old.holder}
        metadata: dict[str, Any] = {"namespace": self._namespace, "name": self._name}
        if old is not None and self._sighting.exists:
            metadata["resourceVersion"] = str(old.version)
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": self._times.duration if holder else 1,
                "acquireTime": old.acquired if old is not None and stays and old.acquired else now,
                "renewTime": now,
                "leaseTransitions": 0 if old is None else old.transitions + (not stays),
            },
        }


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for `event`, but no longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
