"""One pass over one Workspace, as a pipeline of values: resolve, observe, plan, execute, evaluate, publish.

Nothing in a pass waits for an object to become ready: the watch event of that object brings the Workspace back.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.controller.passes.pass_snapshots import PassSnapshots
from workspace_ctrl.controller.passes.resolved_workspace_cache import Resolved, ResolvedWorkspaces
from workspace_ctrl.controller.route_claims import RouteClaims
from workspace_ctrl.controller.status_publisher import Publisher
from workspace_ctrl.controller.step_executor import Executor
from workspace_ctrl.controller.workspace_state import WorkspaceState
from workspace_ctrl.controller.workspace_state_store import States
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.desired_state import Desired, desire
from workspace_ctrl.planning.plan import Pending, Plan, make_plan
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.resolved_workspace import resolve
from workspace_ctrl.planning.steps import Query
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pass:
    """One pass under way: the values that it has made so far."""

    resolved: Resolved
    """With the model server of an earlier pass, and then with that of this one."""
    state: WorkspaceState
    snapshot: Snapshot

    @property
    def workspace(self) -> WorkspaceRecord:
        return self.resolved.workspace

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
        claims: RouteClaims,
        executor: Executor,
        publisher: Publisher,
        settings: PlanSettings,
        snapshots: PassSnapshots,
        *,
        written: Callable[[Iterable[object], Key], None],
    ) -> None:
        """Make a reconciler; `written` is called with the records of the objects that a pass has written, and with its Workspace."""
        self._cache = cache
        self._watches = watches
        self._dependents = dependents
        self._states = states
        self._claims = claims
        self._executor = executor
        self._publisher = publisher
        self._settings = settings
        self._snapshots = snapshots
        self._written = written
        self._resolved = ResolvedWorkspaces()

    async def reconcile(self, key: Key) -> float | None:
        """Make one pass over the Workspace or InferenceSet `key`; return the seconds after which another is due without any event, or None.

        Raises:
            ApiError: a passing error; the pass is to be repeated.
        """
        workspace = self._cache.holder(key)
        if workspace is None:
            self._forget(key)
            return None
        due_in = await self._pass(key, workspace)
        rival = self._cache.rival(key)
        if rival is not None:
            gateway_wanted = resolve(rival, self._settings).gateway_wanted
            await self._publisher.publish_conflict(rival, workspace, gateway_wanted=gateway_wanted)
        return due_in

    async def _pass(self, key: Key, workspace: WorkspaceRecord) -> float | None:
        """Make one pass over `workspace`.

        Raises:
            ApiError: a passing error; the pass is to be repeated.
        """
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
        state = self._states.get(key) or self._first_state(workspace)
        kept = self._resolved.find(workspace)
        resolved = kept.resolved if kept is not None else resolve(workspace, self._settings)
        planned = kept.planned if kept is not None else None
        state = self._follow(key, resolved.dependencies.keeping(state.dependencies), state)
        if not self._states.has_pass(key):
            self._states.set(key, state)  # also if this pass ends with an error: other members of its group need not wait for it
        if not self._watches.is_synced(key):
            self._states.set(key, state.after_pass(now, workspace))
            return None
        snapshot = self._snapshots.take(workspace, state.dependencies)
        state, self._states.activity = state.observe(workspace, snapshot, now, self._states.activity)
        return _Pass(Resolved(workspace, resolved, planned), state, state.on(snapshot))

    def _first_state(self, workspace: WorkspaceRecord) -> WorkspaceState:
        """Return the state before the first pass of this process; a Workspace without a status counts as in progress from now on."""
        if workspace.status.observed_generation is None:
            self._states.load.set(workspace.key, in_progress=True)
        return WorkspaceState()

    def _follow(self, key: Key, dependencies: Dependencies, state: WorkspaceState) -> WorkspaceState:
        """Watch what `dependencies` of the Workspace `key` names, and nothing else."""
        if dependencies == state.dependencies:
            return state
        kept = self._dependents.set(key, dependencies)
        self._watches.follow(key, kept)
        return replace(state, dependencies=kept)

    async def _plan(self, under_way: _Pass) -> Plan | None:
        """Return the plan; None while what it depends on has not been listed.

        The API server is asked at most twice: for what the model server depends on, and whether it accepts the workload.
        """
        desired = self._desire(under_way)
        if desired.queries:
            await self._ask(desired.queries, under_way)
            desired = self._desire(under_way)
        before = under_way.state.dependencies
        wanted = desired.dependencies
        if desired.serving is None and not under_way.workspace.meta.deleting:  # what it had is watched until a plan removes it
            wanted = wanted.keeping(before)
        under_way.state = self._follow(under_way.key, wanted, under_way.state)
        if not self._watches.is_synced(under_way.key):
            return None
        if under_way.state.dependencies is not before:
            under_way.snapshot = self._watches.of(under_way.key).on(under_way.snapshot)
        taken = self._claims.claim(under_way.workspace, desired.claims, desired.groups)
        if taken:
            under_way.snapshot = replace(under_way.snapshot, taken=taken)
        outcome = make_plan(desired, under_way.snapshot)
        if isinstance(outcome, Pending):
            await self._ask((outcome.dry_run,), under_way)
            outcome = make_plan(desired, under_way.snapshot)
        return outcome if isinstance(outcome, Plan) else None

    def _desire(self, under_way: _Pass) -> Desired:
        known = under_way.resolved
        desired = desire(known.resolved, known.workspace, under_way.snapshot, self._settings, known.planned)
        under_way.resolved = replace(known, planned=desired.planned)
        self._resolved.keep(under_way.resolved)
        return desired

    async def _ask(self, queries: tuple[Query, ...], under_way: _Pass) -> None:
        under_way.state = await self._executor.ask(queries, under_way.workspace, under_way.state)
        under_way.snapshot = under_way.state.on(under_way.snapshot)

    async def _execute(self, under_way: _Pass, planned: Plan) -> float | None:
        """Carry out a plan and publish what came of it; return the seconds after which another pass is due, or None."""
        outcome = await self._executor.run(planned.steps, under_way.workspace, under_way.state)
        is_changed, under_way.state = outcome.state is not under_way.state, outcome.state
        before = under_way.snapshot
        if outcome.error is not None:
            raise outcome.error
        if is_changed or outcome.records:
            written = under_way.snapshot.with_records(outcome.records)
            under_way.state, self._states.activity = under_way.state.timed(written, _now(), self._states.activity)
            under_way.snapshot = under_way.state.on(written)
        self._written(outcome.records, under_way.key)
        self._claims.seen(under_way.key)
        decisions = planned.decisions
        if outcome.problems:
            decisions = replace(decisions, problems=(*decisions.problems, *outcome.problems))
        published = await self._publisher.publish(under_way.workspace, under_way.snapshot, decisions, under_way.state)
        under_way.state = published.state
        if published.is_ready:
            self._resolved.has_become_ready(under_way.key)
        due_at = 0.0 if under_way.snapshot.has_settled_source(before) else under_way.state.due_at
        delays = [delay for delay in (published.due_in, due_at - _now() if due_at is not None else None) if delay is not None]
        return max(min(delays), 0.0) if delays else None

    def _forget(self, key: Key) -> None:
        """Drop all that is known of the Workspace `key`, which is gone."""
        self._states.forget(key)
        self._resolved.drop(key)
        self._watches.forget(key)
        self._dependents.forget(key)
        self._claims.forget(key)
        self._publisher.forget(key)
        self._executor.forget(*key)


def _now() -> float:
    return asyncio.get_running_loop().time()
