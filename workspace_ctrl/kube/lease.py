"""One holder at a time, by a Lease: who may work, and until when.

No clock of another machine is trusted. A holder counts its time from before it asked for the renewal, everybody else from when they saw
the Lease change, which is later; so a holder that cannot renew has stopped before anybody may take the Lease, whatever wall clocks say.
The times that are written into the Lease are for people. Every write names the resource version that it builds on, so of two that are
quick one wins, and whoever has missed something is refused instead of believed.
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

_FORBIDDEN_SECONDS = 10.0
_ATTEMPT_SECONDS = 2.5
"""How long one attempt to write the Lease may take; a connection that is dead is tried anew."""


class LeaseLostError(ApiError):
    """This process does not hold the Lease (any more), so it may not write."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long a Lease is good for; all in seconds."""

    duration: int = 10
    """After its last renewal others leave the Lease alone for this long."""
    deadline: float = 7.0
    """A holder works no longer than this after it last asked for a renewal that succeeded; the rest is for requests on their way."""
    interval: float = 2.5
    """Between two renewals, give or take a tenth."""
    retry: float = 1.0
    """Until a failed attempt is made again."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as the API server keeps it."""

    version: int
    """Resource version; later ones are larger."""
    holder: str
    """Empty where it was given back."""
    duration: float
    transitions: int
    acquired: str
    """When the holder became holder, for people."""


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
    """What was last seen of a Lease, and when by our own clock."""

    lease: Lease | None = None
    """None where there never was one."""
    at: float = 0.0
    exists: bool = False

    def see(self, lease: Lease | None, now: float) -> "Sighting":
        """Return the sighting after a look at `now`; what is older than what we know tells nothing.

        A Lease that was deleted still protects its holder for its time.
        """
        if lease is None:
            return replace(self, exists=False)
        if self.lease is not None and lease.version < self.lease.version:
            return self
        if self.lease is not None and lease.version == self.lease.version:
            return replace(self, exists=True)
        return Sighting(lease, now, exists=True)

    def free_at(self, identity: str) -> float:
        """Return from when on `identity` may take the Lease: at once one that nobody holds, or itself."""
        if self.lease is None or self.lease.holder in {"", identity}:
            return float("-inf")
        return self.at + self.lease.duration


def elapsed() -> float:
    """Return the seconds of a clock that nobody sets, and that goes on while the machine sleeps where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LeaseLock:
    """The Lease `namespace`/`name`, and our hold on it."""

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
        """Who we are in the Lease."""
        return self._identity

    @property
    def holder(self) -> str:
        """Who held the Lease when we last looked; empty for nobody."""
        return self._sighting.lease.holder if self._sighting.lease is not None else ""

    @property
    def is_held(self) -> bool:
        """Whether we hold the Lease, by our own clock."""
        return self._clock() < self._held_until

    def check(self) -> None:
        """Return where the Lease is held.

        Raises:
            LeaseLostError: it is not.
        """
        if not self.is_held:
            raise LeaseLostError(f"{self.title} is not held by this process; write rejected")

    async def acquire(self) -> None:
        """Wait until the Lease is ours; that costs one watch of one object, and a write where the Lease can be had."""
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
        """Renew the Lease; return when it is lost."""
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
        """Give the Lease back where we hold it, so that others need not wait; a failure costs them the wait and nothing else."""
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
        """Try to take the Lease; return whether it is ours."""
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
        """Renew once; where somebody else has written to the Lease, look whether we still hold it.

        Raises:
            LeaseLostError: another one holds it.
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
        """Write the Lease over the state that was last seen."""
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
