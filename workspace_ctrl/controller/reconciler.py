"""One pass over one Workspace: snapshot, plan, steps, status. Nothing in a pass waits for an object to become ready."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.controller.body_routers import BodyRouters
from workspace_ctrl.controller.cache import Cache
from workspace_ctrl.controller.chart_looks import ChartLooks
from workspace_ctrl.controller.claims import ClaimIndex
from workspace_ctrl.controller.crowd import Crowd
from workspace_ctrl.controller.interests import InterestIndex
from workspace_ctrl.controller.memory import Memory
from workspace_ctrl.controller.probe import Prober
from workspace_ctrl.controller.references import References
from workspace_ctrl.controller.reports import StatusChange, status_change
from workspace_ctrl.controller.settings import Settings
from workspace_ctrl.controller.steps import StepRunner
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.recent import Recent
from workspace_ctrl.kube.store import Key
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.prepared import Plan, Prepared
from workspace_ctrl.readiness.news import News, Urgency, is_held_up, news
from workspace_ctrl.readiness.probe import PROBE_FAILED
from workspace_ctrl.readiness.status import removal_status, status, wanted_probes
from workspace_ctrl.records.decisions import Decisions, Problem
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.probes import ProbeOutcome, ProbeResult
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)

_MOST_QUESTIONS = 10
"""A plan can learn of claims, of a reference, of its pods, of a scale selector, of a ConfigMap, of a dry-run, of a companion and of
objectives, one after the other."""
_NOT_YET = "~"
"""Sorts after every time."""
_MOST_PREPARED = 256
"""Each holds its manifests, some 40 KiB; passes over one Workspace come close together while it is being made."""


class Reconciler:
    """Brings Workspaces to what they ask for, one pass at a time."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        references: References,
        settings: Settings,
        *,
        missing_kinds: Callable[[], set[str]],
        status_written: Callable[[StatusChange], None],
        claims_changed: Callable[[Key], None],
        prober: Prober | None = None,
        charts: ChartLooks | None = None,
        body_routers: BodyRouters | None = None,
    ) -> None:
        self._cache = cache
        self._references = references
        self._settings = settings
        self._missing_kinds = missing_kinds
        self._status_written = status_written
        self._steps = StepRunner(client, cache, references, settings, charts)
        self._charts = charts
        self._prober = prober
        self._body_routers = body_routers
        self._unseen: set[Key] = set()
        """Workspaces that have not been looked at since the start, or since a kind came or went."""
        self._interests = InterestIndex()
        self._claims = ClaimIndex(claims_changed)
        self._crowd = Crowd()
        self._memories: dict[Key, Memory] = {}
        self._prepared: Recent[Key, Prepared] = Recent(_MOST_PREPARED)
        """The costly part of the newest plans, of Workspaces that are not ready."""

    def interested_in(self, ref: ObjectRef) -> tuple[Key, ...]:
        """Return the Workspaces whose plan depends on `ref`, a ConfigMap or a node."""
        return self._interests.interested_in(ref)

    def prime(self) -> None:
        """Take in what routes of earlier processes claim, so that the first pass over a Workspace knows of older ones."""
        for workspace, claims in self._cache.claims():
            self._claims.set(workspace.key, self._claims_since(workspace), claims)
        for key, created, claims in self._cache.claims_of_others() if self._settings.scope.selector else ():
            self._claims.set(key, created, claims)
        self.expect_all()

    def expect_all(self) -> None:
        """Take what is known of claims for incomplete until each Workspace has been looked at."""
        if self._body_routers is not None:
            self._unseen.update(self._cache.workspace_keys())
            self._note_claims()

    async def reconcile(self, key: Key) -> float | None:
        """Make one pass over the Workspace `key`; return the seconds after which another is due without any event, or None.

        Raises:
            ApiError: a passing fault; the pass is to be repeated.
        """
        workspace = self._cache.workspace(key)
        if workspace is None:
            self._memories.pop(key, None)
            self._prepared.drop(key)
            self._crowd.leave(key)
            self._references.forget(key)
            self._interests.forget(key)
            self._claims.set(key, *(self._cache.claims_of_other(key) if self._settings.scope.selector else ("", frozenset())))
            self._unseen.discard(key)
            self._note_claims()
            if self._prober is not None:
                self._prober.gone(key)
            return None
        now = asyncio.get_running_loop().time()
        memory = self._memories.setdefault(key, Memory(began_at=now))
        memory.forget_expired(now)
        carried = await self._carry_out(workspace, memory)
        memory.pass_ended(asyncio.get_running_loop().time(), workspace)
        if carried is None:
            return None
        if key in self._unseen:
            self._unseen.discard(key)
            self._note_claims()
        decisions, seen = carried
        written_in = await self._write_status(key, decisions, seen or self._snapshot(key, memory), memory)
        retry_at = memory.next_retry()
        delays = [delay for delay in (written_in, retry_at - now if retry_at is not None else None) if delay is not None]
        return max(min(delays), 0.0) if delays else None

    def has_seen(self, key: Key) -> bool:
        """Whether a pass has looked at what the user of the Workspace `key` wants now."""
        workspace, memory = self._cache.workspace(key), self._memories.get(key)
        return workspace is not None and memory is not None and memory.has_seen(workspace)

    def rest(self, key: Key) -> float:
        """Return for how many seconds the next pass over `key`, which was seen, may wait for further events."""
        memory = self._memories.get(key)
        if memory is None:
            return 0.0
        interval = self._settings.pass_interval * self._crowd.share
        return max(memory.passed_at + interval - asyncio.get_running_loop().time(), 0.0)

    def _note_claims(self) -> None:
        if self._body_routers is not None:
            self._body_routers.note(self._claims.gateways_by_header, all_told=not self._unseen)

    def _claims_since(self, workspace: WorkspaceRecord) -> str:
        """Return the age by which a Workspace's claims go before those of others, as text that sorts by time.

        Processes for shards see of each other's Workspaces only the routes; so that all of them decide alike, theirs count from when the
        route was made, which is also what Gateways go by. Without shards a Workspace counts from its own creation.
        """
        return (self._cache.route_created(workspace) or _NOT_YET) if self._settings.scope.selector else workspace.created

    def _note_progress(self, key: Key, wanted: WorkspaceStatus) -> None:
        ready = _is_ready(wanted)
        if ready:
            self._prepared.drop(key)  # its next event may be days away
        if ready or is_held_up(wanted):
            self._crowd.leave(key)
        else:
            self._crowd.join(key)

    async def _carry_out(self, workspace: WorkspaceRecord, memory: Memory) -> tuple[Decisions, Snapshot | None] | None:
        """Plan and carry out; where the plan first needs an answer of the API server, plan again with it.

        Return what was decided, and the snapshot that it rests on unless steps have made that old. Return None where the plan depends on
        objects that are not watched yet: their first list brings the Workspace back.
        """
        outcome, snapshot = self._plan(workspace, memory)
        for _ in range(_MOST_QUESTIONS):
            if outcome.claims is not None and self._claims.set(workspace.key, self._claims_since(workspace), outcome.claims):
                self._note_claims()  # and plan again: what an older one has is known now
            elif outcome.interests != memory.interests:
                memory.interests = self._interests.set(workspace.key, outcome.interests)
                self._references.follow(workspace.key, outcome.interests)
            elif outcome.asks:
                await self._run(outcome, workspace, memory)
            else:
                break
            if not self._references.is_synced(workspace.key):
                return None
            outcome, snapshot = self._plan(workspace, memory)
        if not outcome.steps:
            return outcome.decisions, snapshot
        problems = await self._run(outcome, workspace, memory)
        return replace(outcome.decisions, problems=(*outcome.decisions.problems, *problems)), None

    def _plan(self, workspace: WorkspaceRecord, memory: Memory) -> tuple[Plan, Snapshot]:
        snapshot = self._snapshot(workspace.key, memory)
        outcome = plan(workspace, snapshot, self._settings.plan, self._prepared.get(workspace.key))
        if outcome.prepared is not None:
            self._prepared.keep(workspace.key, outcome.prepared)
        return outcome, snapshot

    async def _run(self, outcome: Plan, workspace: WorkspaceRecord, memory: Memory) -> list[Problem]:
        problems = [await self._steps.run(step, workspace, memory) for step in outcome.steps]
        return [problem for problem in problems if problem is not None]

    def _snapshot(self, key: Key, memory: Memory) -> Snapshot:
        now = asyncio.get_running_loop().time()
        referenced, taken = self._references.of(key), self._claims.taken(key)
        snapshot = self._cache.snapshot(key, memory, referenced, self._missing_kinds(), now, taken)
        if self._charts is not None:
            snapshot = replace(snapshot, chart_findings=self._charts.findings)
        if self._body_routers is not None:
            snapshot = replace(snapshot, body_routers=self._body_routers.states)
        return snapshot if self._prober is None else replace(snapshot, probing=True, probe=self._prober.result(key))

    def _probed(self, workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions) -> Snapshot:
        """Have requests tried where all else is well; return the snapshot with what is known of them."""
        if self._prober is None:
            return snapshot
        targets = () if workspace.meta.deleting else wanted_probes(snapshot, decisions)
        self._prober.follow(workspace.key, targets, _earlier_probe(workspace))
        return replace(snapshot, probe=self._prober.result(workspace.key))

    async def _write_status(self, key: Key, decisions: Decisions, seen: Snapshot, memory: Memory) -> float | None:
        """Write the status where it tells something new; return in how many seconds a held-back one is due, or None."""
        workspace = self._cache.workspace(key)
        if workspace is None or (workspace.meta.deleting and not workspace.has_finalizer):
            return None
        snapshot = self._probed(workspace, seen, decisions)
        moment = datetime.now(UTC)
        deleting = workspace.meta.deleting
        wanted = removal_status(workspace, snapshot, moment) if deleting else status(workspace, snapshot, decisions, moment)
        self._note_progress(key, wanted)
        clock = asyncio.get_running_loop().time()
        delay = self._delay(news(workspace.status, wanted), memory, clock)
        if delay is None or delay > 0:
            return delay
        answer = await self._steps.write_status(workspace, wanted)
        if answer is not None:
            _log_transition(workspace, wanted)
            self._status_written(status_change(workspace, wanted, answer, moment))
        memory.status_written_at, memory.crowd_factor = clock, self._crowd.factor
        # Former charts go once the status says so, and our own write makes no event.
        return 0.0 if snapshot.former else None

    def _delay(self, tidings: News, memory: Memory, clock: float) -> float | None:
        """Return in how many seconds a status that brings `tidings` is to be written; None for never."""
        if tidings.settling != memory.settling:
            memory.settling, memory.settling_since = tidings.settling, clock
        match tidings.urgency:
            case Urgency.NEVER:
                return None
            case Urgency.NOW:
                return 0.0
            case Urgency.FIRST:
                due = memory.began_at + self._settings.first_status_interval * (self._crowd.factor - 1)
            case Urgency.SETTLED:
                due = memory.settling_since + self._settings.settle_interval
            case Urgency.LATER:
                # When a crowd shrinks, those who are left are near their end, and what lies between need not be told.
                memory.crowd_factor = max(memory.crowd_factor, self._crowd.factor)
                due = memory.status_written_at + self._settings.progress_interval * memory.crowd_factor
        return max(due - clock, 0.0)


def _log_transition(workspace: WorkspaceRecord, wanted: WorkspaceStatus) -> None:
    old = find(workspace.status.conditions, ConditionType.READY)
    new = find(wanted.conditions, ConditionType.READY)
    if new is not None and (old is None or (old.status, old.reason) != (new.status, new.reason)):
        logger.info("%s: Ready=%s %s: %s", workspace.meta.ref, new.status, new.reason, new.message)


def _earlier_probe(workspace: WorkspaceRecord) -> ProbeResult | None:
    """Return what was believed of requests through the Gateway when GatewayReady was written, as far as that rests on them."""
    status = workspace.status
    ready = find(status.conditions, ConditionType.GATEWAY_READY)
    told = status.gateway.last_probe if status.gateway is not None else None
    if ready is not None and ready.is_true and told is None:  # by a process that did not probe
        return ProbeResult(ProbeOutcome.NOT_POSSIBLE, message="no request was tried yet")
    if ready is None or told is None or told.outcome not in set(ProbeOutcome):
        return None
    if not ready.is_true and ready.reason != PROBE_FAILED:
        return None
    return ProbeResult(ProbeOutcome(told.outcome), told.url or "", told.code, told.message or "")


def _is_ready(status: WorkspaceStatus) -> bool:
    ready = find(status.conditions, ConditionType.READY)
    return ready is not None and ready.is_true
