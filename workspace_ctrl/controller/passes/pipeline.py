"""Puts the stages of a pass together: reconciler, executor, publisher, and what other tasks of the process find out for them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.controller.body_router_reconciler import BodyRouterReconciler, NoBodyRouterReconciler
from workspace_ctrl.controller.passes.background_tasks import BackgroundTasks
from workspace_ctrl.controller.passes.group_records import GroupObserver
from workspace_ctrl.controller.passes.pass_snapshots import PassSnapshots
from workspace_ctrl.controller.reconciler import Reconciler
from workspace_ctrl.controller.route_claims import RouteClaims
from workspace_ctrl.controller.status_publisher import Publisher
from workspace_ctrl.controller.status_write_interval import intervals_of
from workspace_ctrl.controller.status_writes.status_writer import CompanionWriter, SubresourceWriter
from workspace_ctrl.controller.step_executor import Executor
from workspace_ctrl.controller.take_snapshot import Background
from workspace_ctrl.controller.workspace_state_store import States
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.store import Key
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.telemetry.observer_interface import StatusChange


@dataclass(frozen=True, slots=True)
class PassInputs:
    """What passes read besides the API server's answers to their own requests."""

    cache: Cache
    watches: DynamicWatches
    dependents: DependencyIndex
    states: States
    claims: RouteClaims
    missing_kinds: Callable[[], frozenset[str]]
    tasks: BackgroundTasks
    gateways: BodyRouterReconciler | NoBodyRouterReconciler
    written: Callable[[Iterable[object], Key], None]

    def background(self, key: Key) -> Background:
        """Return what other tasks have found out for the Workspace `key`."""
        return replace(self.tasks.results(key), body_routers=self.gateways.states)


def make_reconciler(client: Client, settings: Settings, inputs: PassInputs, written: Callable[[StatusChange], None]) -> Reconciler:
    """Return the reconciler of all Workspaces; `written` is called with each status that it has written."""
    executor, load = Executor(client, inputs.cache, inputs.watches, settings, inputs.tasks), inputs.states.load
    writer = CompanionWriter(client, inputs.cache) if settings.plan.is_companion else SubresourceWriter(executor)
    publisher = Publisher(inputs.cache, executor, writer, inputs.tasks.prober, load, intervals_of(settings), written)
    groups = GroupObserver(inputs.cache, inputs.watches, inputs.states.has_pass, is_shard=settings.scope.selector != "")
    return Reconciler(
        inputs.cache,
        inputs.watches,
        inputs.dependents,
        inputs.states,
        inputs.claims,
        executor,
        publisher,
        settings.plan,
        PassSnapshots(inputs.cache, inputs.watches, groups, inputs.missing_kinds, inputs.background),
        written=inputs.written,
    )
