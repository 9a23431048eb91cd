"""The last stage of a pass: evaluate the chain once, and write the status where it says something new."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.status import WorkspaceStatus, rejected_parts
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.controller.pass_throttle import Load
from workspace_ctrl.controller.status_write_interval import Intervals
from workspace_ctrl.controller.status_writes.status_writer import StatusWriter
from workspace_ctrl.controller.step_executor import Executor
from workspace_ctrl.controller.workspace_state import RejectedStatus, WorkspaceState
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.plan_decisions import Decisions
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.steps import SetFinalizer
from workspace_ctrl.probe.prober import NoProber, Prober
from workspace_ctrl.readiness.chain import Report, evaluate
from workspace_ctrl.readiness.probe import earlier_probe
from workspace_ctrl.readiness.status import name_taken_status, removal_status, status
from workspace_ctrl.readiness.status_urgency import is_held_up, write_decision
from workspace_ctrl.records.workspaces import WorkspaceRecord
from workspace_ctrl.telemetry.observer_interface import StatusChange, status_change

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing."""

    state: WorkspaceState
    due_in: float | None = None
    """Seconds after which another pass is due, for a write that is held back or for what follows from it; None for none."""
    is_ready: bool = False


class Publisher:
    """Writes the statuses of Workspaces."""

    def __init__(  # noqa: PLR0917 - the parts that it works with
        self,
        cache: Cache,
        executor: Executor,
        writer: StatusWriter,
        prober: Prober | NoProber,
        load: Load,
        intervals: Intervals,
        written: Callable[[StatusChange], None],
    ) -> None:
        """Make a publisher; `written` is called with each written status."""
        self._cache = cache
        self._executor = executor
        self._writer = writer
        self._prober = prober
        self._load = load
        self._intervals = intervals
        self._written = written

    async def publish(
        self, workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions, state: WorkspaceState
    ) -> Published:
        """Write the status of `workspace`, unless that is held back, or says nothing new.

        Raises:
            ApiError: a passing error.
        """
        current = self._current(workspace)
        if current is None or (current.meta.deleting and not current.has_finalizer):
            return Published(state)
        moment, now = datetime.now(UTC), asyncio.get_running_loop().time()
        state = state.with_expired_status(now)
        wanted, awaited = self._status(current, snapshot, decisions, moment)
        state = state.with_silence(now, awaited)
        if state.rejected_status is not None:
            wanted = wanted.without(state.rejected_status.parts, state.rejected_status.words)
        wanted = state.restored.timed(self._writer.reported(wanted))
        is_ready = _is_ready(wanted)
        self._load.set(workspace.key, in_progress=not is_ready and not is_held_up(wanted))
        writes, delay = state.writes.hold(write_decision(current.status, wanted), now, self._load.factor, self._intervals)
        if delay is not None:
            delay = max(delay, state.restored.delay(current.status, now))
        if delay is None or delay > 0:
            return Published(replace(state, writes=writes), delay, is_ready)
        rejected = await self._write(current, wanted, moment)
        state = replace(
            state,
            writes=writes.after_write(now, self._load.factor),
            restored=state.restored.after_write(current.status, wanted, now),
            rejected_status=rejected or state.rejected_status,
        )
        # Former charts are removed, and the share of a canary follows, once the status says so, and our own write makes no event.
        follows = snapshot.former or current.status.canary_share != wanted.canary_share
        return Published(state, 0.0 if follows else None, is_ready)

    async def publish_conflict(self, rival: WorkspaceRecord, holder: WorkspaceRecord, *, gateway_wanted: bool) -> None:
        """Write the status of `rival`, which has the name of the older `holder`, unless it says so already; nothing is made for it.

        Raises:
            ApiError: a passing error, or the API server rejects the status.
        """
        moment = datetime.now(UTC)
        wanted = self._writer.reported(name_taken_status(rival, holder.meta.ref, moment, gateway_wanted=gateway_wanted))
        if rival.meta.deleting and rival.has_finalizer:
            await self._executor.run((SetFinalizer(present=False),), rival, WorkspaceState())
        elif not rival.meta.deleting and wanted != rival.status:
            await self._write_whole(rival, wanted, moment)

    def forget(self, key: Key) -> None:
        """Stop the requests for the Workspace `key`, which is gone."""
        self._prober.gone(key)

    async def _write(self, workspace: WorkspaceRecord, wanted: WorkspaceStatus, moment: datetime) -> RejectedStatus | None:
        """Write a status, in part where the API server rejects it; return what it has rejected.

        Raises:
            ApiError: a passing error, or the API server rejects the conditions as well.
        """
        try:
            await self._write_whole(workspace, wanted, moment)
        except RejectedError as error:
            logger.warning("%s: the API server rejects the status: %s", workspace.meta.ref, error)
            rejection = error
        else:
            return None
        words = rejection.message
        for parts in rejected_parts(words):
            try:
                await self._write_whole(workspace, wanted.without(parts, words), moment)
            except RejectedError as error:
                rejection = error
            else:
                return RejectedStatus(parts, words, asyncio.get_running_loop().time() + self._intervals.rejected)
        raise rejection

    async def _write_whole(self, workspace: WorkspaceRecord, wanted: WorkspaceStatus, moment: datetime) -> None:
        answer = await self._writer.write(workspace, wanted)
        if answer is not None:
            _log_transition(workspace, wanted)
            self._written(status_change(workspace, wanted, answer, moment))

    def _current(self, workspace: WorkspaceRecord) -> WorkspaceRecord | None:
        """Return the Workspace of a pass as it is after the steps; None if it is gone.

        Its generation stays that which the pass has planned for: a newer one has a pass of its own.
        """
        current = self._cache.holder(workspace.key)
        if current is None or current.meta.uid != workspace.meta.uid:
            return None
        if current.meta.generation == workspace.meta.generation:
            return current
        return replace(current, meta=replace(current.meta, generation=workspace.meta.generation))

    def _status(
        self, workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions, moment: datetime
    ) -> tuple[WorkspaceStatus, str]:
        """Return the wanted status, with the result of requests through the Gateway if all other links are True.

        And what a Gateway's controller has to report of pool or route.
        """
        if workspace.meta.deleting:
            self._prober.follow(workspace.key, (), None)
            return removal_status(workspace, snapshot, moment), ""
        report = evaluate(snapshot, decisions)
        wanted = status(workspace, self._probed(workspace, snapshot, report), decisions, report, moment)
        return wanted, report.awaited

    def _probed(self, workspace: WorkspaceRecord, snapshot: Snapshot, report: Report) -> Snapshot:
        """Have requests sent to the targets of `report`; return the snapshot with their newest result."""
        self._prober.follow(workspace.key, report.probe_targets, earlier_probe(workspace.status))
        result = self._prober.result(workspace.key)
        return snapshot if result is snapshot.probe else replace(snapshot, probe=result)


def _log_transition(workspace: WorkspaceRecord, wanted: WorkspaceStatus) -> None:
    old = find(workspace.status.conditions, ConditionType.READY)
    new = find(wanted.conditions, ConditionType.READY)
    if new is not None and (old is None or (old.status, old.reason) != (new.status, new.reason)):
        logger.info("%s: Ready=%s %s: %s", workspace.meta.ref, new.status, new.reason, new.message)


def _is_ready(status: WorkspaceStatus) -> bool:
    ready = find(status.conditions, ConditionType.READY)
    return ready is not None and ready.is_true
