"""One pass over one Workspace, as a pipeline of values: resolve, observe, plan, execute, evaluate, publish.

Nothing in a pass waits for an object to become ready: the watch event of that object brings the Workspace back.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.cache.route_conflicts import (
    RouteClaimIndex,
    claims_of_other_shard,
    claims_of_other_shards,
    claims_of_routes,
)
from workspace_ctrl.controller.executor import Executor
from workspace_ctrl.controller.gateway_reconciler import GatewayReconciler, NoGatewayReconciler
from workspace_ctrl.controller.snapshots import take_snapshot
from workspace_ctrl.controller.stage_timer import FluxActivity
from workspace_ctrl.controller.state import WorkspaceState
from workspace_ctrl.controller.states import States
from workspace_ctrl.controller.throttle import Intervals, StatusThrottle, Throttle
from workspace_ctrl.helm.verifier import ChartVerifier, NoChartVerifier
from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.decisions import Decisions
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.desired import Desired, desire
from workspace_ctrl.planning.plan import Pending, Plan, make_plan
from workspace_ctrl.planning.resolve import ResolvedWorkspace, resolve
from workspace_ctrl.planning.steps import Query
from workspace_ctrl.planning.workload.planned_server import PlannedServer
from workspace_ctrl.probe.prober import NoProber, Prober
from workspace_ctrl.readiness.chain import Report, evaluate
from workspace_ctrl.readiness.probe import earlier_probe
from workspace_ctrl.readiness.status import removal_status, status
from workspace_ctrl.readiness.write_policy import is_held_up, write_decision
from workspace_ctrl.records.workspaces import WorkspaceRecord
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.observer import StatusChange, status_change

logger = logging.getLogger(__name__)

_NOT_YET: Final = "~"
"""Sorts after every time."""
_MOST_KEPT: Final = 256
"""Resolved Workspaces with their manifests, some 40 KiB each; passes over one Workspace come close together while it is being made."""
_LARGEST_KEPT: Final = 32 << 10
"""Largest spec of a Workspace that is kept resolved, in bytes of JSON; resolved, a spec of 256 KiB and its manifests can take megabytes."""


@dataclass(slots=True)
class _Pass:
    """One pass under way: the values that it has made so far."""

    workspace: WorkspaceRecord
    resolved: ResolvedWorkspace
    state: WorkspaceState
    snapshot: Snapshot
    known: PlannedServer | None = None
    """The model server of an earlier pass."""

    @property
    def key(self) -> Key:
        return self.workspace.key


class Reconciler:
    """Brings Workspaces to their desired state, one pass at a time."""

    def __init__(  # noqa: PLR0917 - the parts that a pass works with
        self,
        cache: Cache,
        watches: DynamicWatches,
        dependents: DependencyIndex,
        states: States,
        executor: Executor,
        settings: Settings,
        *,
        missing_kinds: Callable[[], frozenset[str]],
        status_written: Callable[[StatusChange], None],
        claims_changed: Callable[[Key], None],
        prober: Prober | NoProber,
        charts: ChartVerifier | NoChartVerifier,
        gateways: GatewayReconciler | NoGatewayReconciler,
    ) -> None:
        """Make a reconciler.

        `status_written` is called with each written status, `claims_changed` with each Workspace for which another one has taken or given
        up route matches.
        """
        self._cache = cache
        self._watches = watches
        self._dependents = dependents
        self._states = states
        self._executor = executor
        self._settings = settings
        self._missing_kinds = missing_kinds
        self._status_written = status_written
        self._prober = prober
        self._charts = charts
        self._gateways = gateways
        self._unseen: set[Key] = set()
        """Workspaces without a pass since the start, or since the served kinds changed."""
        self._claims = RouteClaimIndex(claims_changed)
        self._activity = FluxActivity()
        self._resolved: BoundedCache[Key, tuple[WorkspaceRecord, ResolvedWorkspace, PlannedServer | None]] = BoundedCache(
            _MOST_KEPT
        )
        """The costly part of the newest passes, of Workspaces that are not ready."""
        self._intervals = Intervals(settings.first_status_interval, settings.settle_interval, settings.progress_interval)

    def prime(self) -> None:
        """Take in what routes of earlier processes claim, so that the first pass over a Workspace knows of older ones."""
        for workspace, claims in claims_of_routes(self._cache):
            self._claims.set(workspace.key, self._claims_since(workspace), claims)
        for key, created, claims in claims_of_other_shards(self._cache) if self._settings.scope.selector else ():
            self._claims.set(key, created, claims)
        self.expect_all()

    def expect_all(self) -> None:
        """Take what is known of claims for incomplete until there was a pass over each Workspace."""
        self._unseen.update(self._cache.workspaces.keys())
        self._note_claims()

    async def reconcile(self, key: Key) -> float | None:
        """Make one pass over the Workspace `key`; return the seconds after which another is due without any event, or None.

        Raises:
            ApiError: a passing error; the pass is to be repeated.
        """
        workspace = self._cache.workspaces.get(key)
        if workspace is None:
            self._forget(key)
            return None
        under_way = self._begin(workspace)
        if under_way is None:
            return None
        try:
            planned = await self._plan(under_way)
            due_in = await self._execute(under_way, planned) if planned is not None else None
        except ApiError:
            self._states.set(key, under_way.state)
            raise
        self._states.set(key, under_way.state.after_pass(_now(), workspace))
        return due_in

    def _begin(self, workspace: WorkspaceRecord) -> _Pass | None:
        """Return the beginning of a pass; None while what the spec depends on has not been listed: its first list brings the key back."""
        key, now = workspace.key, _now()
        state = self._states.get(key) or WorkspaceState(writes=StatusThrottle(first_seen=Throttle(now)))
        kept = self._resolved.get(key)
        is_known = kept is not None and _wants_the_same(kept[0], workspace)
        resolved = kept[1] if kept is not None and is_known else resolve(workspace, self._settings.plan)
        state = self._follow(key, resolved.dependencies.keeping(state.dependencies), state)
        if not self._watches.is_synced(key):
            self._states.set(key, state.after_pass(now, workspace))
            return None
        snapshot = self._observe(key, state.dependencies)
        state, self._activity = state.observe(snapshot, now, self._activity)
        return _Pass(workspace, resolved, state, state.on(snapshot), kept[2] if kept is not None and is_known else None)

    def _follow(self, key: Key, dependencies: Dependencies, state: WorkspaceState) -> WorkspaceState:
        """Watch what `dependencies` of the Workspace `key` names, and nothing else."""
        if dependencies == state.dependencies:
            return state
        kept = self._dependents.set(key, dependencies)
        self._watches.follow(key, kept)
        return replace(state, dependencies=kept)

    def _observe(self, key: Key, dependencies: Dependencies) -> Snapshot:
        """Return the one snapshot of a pass."""
        snapshot = take_snapshot(self._cache, key, dependencies, self._watches.of(key), self._missing_kinds())
        return replace(
            snapshot,
            chart_verdicts=self._charts.verdicts,
            body_routers=self._gateways.states,
            probing=self._prober.is_enabled,
            probe=self._prober.result(key),
        )

    async def _plan(self, under_way: _Pass) -> Plan | None:
        """Return the plan; None while what it depends on has not been listed.

        The API server is asked at most twice: for what the model server depends on, and whether it accepts the workload.
        """
        desired = self._desire(under_way)
        if desired.queries:
            await self._ask(desired.queries, under_way)
            desired = self._desire(under_way)
        before = under_way.state.dependencies
        under_way.state = self._follow(under_way.key, desired.dependencies, under_way.state)
        if not self._watches.is_synced(under_way.key):
            return None
        if under_way.state.dependencies is not before:
            under_way.snapshot = self._watches.of(under_way.key).on(under_way.snapshot)
        if desired.claims is not None:
            self._claim(under_way.workspace, desired)
        under_way.snapshot = replace(under_way.snapshot, taken=self._claims.taken(under_way.key))
        outcome = make_plan(desired, under_way.snapshot)
        if isinstance(outcome, Pending):
            await self._ask((outcome.dry_run,), under_way)
            outcome = make_plan(desired, under_way.snapshot)
        return outcome if isinstance(outcome, Plan) else None

    def _desire(self, under_way: _Pass) -> Desired:
        workspace, resolved = under_way.workspace, under_way.resolved
        desired = desire(resolved, workspace, under_way.snapshot, self._settings.plan, under_way.known)
        under_way.known = desired.planned
        if workspace.spec_size <= _LARGEST_KEPT:
            self._resolved.keep(under_way.key, (workspace, resolved, desired.planned))
        else:
            self._resolved.drop(under_way.key)  # of an earlier, smaller spec
        return desired

    async def _ask(self, queries: tuple[Query, ...], under_way: _Pass) -> None:
        under_way.state = await self._executor.ask(queries, under_way.workspace, under_way.state)
        under_way.snapshot = under_way.state.on(under_way.snapshot)

    async def _execute(self, under_way: _Pass, planned: Plan) -> float | None:
        """Carry out a plan and publish what came of it; return the seconds after which another pass is due, or None."""
        outcome = await self._executor.run(planned.steps, under_way.workspace, under_way.state)
        under_way.state = outcome.state
        if outcome.error is not None:
            raise outcome.error
        under_way.snapshot = outcome.state.on(under_way.snapshot.with_records(outcome.records))
        self._unseen.discard(under_way.key)
        self._note_claims()
        problems = (*planned.decisions.problems, *outcome.problems)
        written_in = await self._publish(under_way, replace(planned.decisions, problems=problems))
        due_at = under_way.state.due_at
        delays = [delay for delay in (written_in, due_at - _now() if due_at is not None else None) if delay is not None]
        return max(min(delays), 0.0) if delays else None

    async def _publish(self, under_way: _Pass, decisions: Decisions) -> float | None:
        """Write the status where it says something new; return in how many seconds a write that is held back is due, or None."""
        workspace = self._current(under_way.workspace)
        if workspace is None or (workspace.meta.deleting and not workspace.has_finalizer):
            return None
        moment, now, state = datetime.now(UTC), _now(), under_way.state
        wanted = self._status(workspace, under_way.snapshot, decisions, moment)
        self._note_progress(under_way.key, wanted)
        writes, delay = state.writes.hold(write_decision(workspace.status, wanted), now, self._states.load.factor, self._intervals)
        under_way.state = replace(state, writes=writes)
        if delay is None or delay > 0:
            return delay
        answer = await self._executor.write_status(workspace, wanted)
        if answer is not None:
            _log_transition(workspace, wanted)
            self._status_written(status_change(workspace, wanted, answer, moment))
        under_way.state = replace(state, writes=writes.after_write(now, self._states.load.factor))
        # Former charts go once the status says so, and our own write makes no event.
        return 0.0 if under_way.snapshot.former else None

    def _current(self, workspace: WorkspaceRecord) -> WorkspaceRecord | None:
        """Return the Workspace of a pass as it is after the steps; None where it is gone.

        Its generation stays that which the pass has planned for: a newer one has a pass of its own.
        """
        current = self._cache.workspaces.get(workspace.key)
        if current is None or current.meta.uid != workspace.meta.uid:
            return None
        return replace(current, meta=replace(current.meta, generation=workspace.meta.generation))

    def _status(self, workspace: WorkspaceRecord, snapshot: Snapshot, decisions: Decisions, moment: datetime) -> WorkspaceStatus:
        """Return the wanted status, with what is known of requests through the Gateway where all else is well."""
        if workspace.meta.deleting:
            self._prober.follow(workspace.key, (), None)
            return removal_status(workspace, snapshot, moment)
        report = evaluate(snapshot, decisions)
        return status(workspace, self._probed(workspace, snapshot, report), decisions, report, moment)

    def _probed(self, workspace: WorkspaceRecord, snapshot: Snapshot, report: Report) -> Snapshot:
        """Have requests sent to the targets of `report`; return the snapshot with what is known of them."""
        self._prober.follow(workspace.key, report.probe_targets, earlier_probe(workspace.status))
        return replace(snapshot, probe=self._prober.result(workspace.key))

    def _forget(self, key: Key) -> None:
        """Drop all that is known of the Workspace `key`, which is gone."""
        self._states.forget(key)
        self._resolved.drop(key)
        self._watches.forget(key)
        self._dependents.forget(key)
        self._claims.set(key, *(claims_of_other_shard(self._cache, key) if self._settings.scope.selector else ("", frozenset())))
        self._unseen.discard(key)
        self._note_claims()
        self._prober.gone(key)

    def _claim(self, workspace: WorkspaceRecord, desired: Desired) -> None:
        if self._claims.set(workspace.key, self._claims_since(workspace), desired.claims or frozenset()):
            self._note_claims()

    def _note_claims(self) -> None:
        self._gateways.note(self._claims.gateways_by_header, all_told=not self._unseen)

    def _claims_since(self, workspace: WorkspaceRecord) -> str:
        """Return the age by which a Workspace's claims go before those of others, as text that sorts by time.

        Processes for shards see of each other's Workspaces only the routes; so that all of them decide alike, theirs count from when the
        route was made, which is also what Gateways go by. Without shards a Workspace counts from its own creation.
        """
        return (self._cache.route_created(workspace) or _NOT_YET) if self._settings.scope.selector else workspace.created

    def _note_progress(self, key: Key, wanted: WorkspaceStatus) -> None:
        ready = _is_ready(wanted)
        if ready:
            self._resolved.drop(key)  # its next event may be days away
        self._states.load.set(key, in_progress=not ready and not is_held_up(wanted))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _wants_the_same(before: WorkspaceRecord, after: WorkspaceRecord) -> bool:
    """Whether two records of a Workspace are resolved alike."""
    return (before.meta.uid, before.meta.unreadable, before.meta.deleting, before.spec, before.annotations) == (
        after.meta.uid,
        after.meta.unreadable,
        after.meta.deleting,
        after.spec,
        after.annotations,
    )


def _log_transition(workspace: WorkspaceRecord, wanted: WorkspaceStatus) -> None:
    old = find(workspace.status.conditions, ConditionType.READY)
    new = find(wanted.conditions, ConditionType.READY)
    if new is not None and (old is None or (old.status, old.reason) != (new.status, new.reason)):
        logger.info("%s: Ready=%s %s: %s", workspace.meta.ref, new.status, new.reason, new.message)


def _is_ready(status: WorkspaceStatus) -> bool:
    ready = find(status.conditions, ConditionType.READY)
    return ready is not None and ready.is_true
