"""Reconciles the body-based routers of Gateways: one task beside the workers, because routers belong to Gateways, not to Workspaces.

A Gateway needs a router if a Workspace claims a header on it. A router is deleted only after a pass over every Workspace, so that neither a
restart nor a CRD that is missing for a moment deletes one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from workspace_ctrl.api.names import body_router_name
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.watches import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE
from workspace_ctrl.catalog.gateway_classes import NO_PROVIDER
from workspace_ctrl.controller.body_routers.router_executor import RouterExecutor, RouterState
from workspace_ctrl.controller.body_routers.router_objects import RouterObjects
from workspace_ctrl.controller.flux_stage_timer import FluxActivity
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer
from workspace_ctrl.kube.store import Key
from workspace_ctrl.model.body_router import BodyRouterState
from workspace_ctrl.planning.gateway.body_router import RouterPlan, plan_router, removal_steps
from workspace_ctrl.planning.steps import Step
from workspace_ctrl.readiness.body_routers import router_state
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.settings.process import Settings

_DECISIVE: Final = frozenset({GATEWAY.kind, GATEWAY_CLASS.kind, HTTP_ROUTE.kind})
"""While one of these kinds is unavailable, Workspaces have no claims, although their routes still work; so no router is deleted."""


class NoBodyRouterReconciler:
    """Stands for the reconciler of routers where none are managed and none are left."""

    states: Mapping[str, BodyRouterState] | None = None
    informers: Sequence[Informer[Any]] = ()

    def __init__(self, *_arguments: object) -> None:
        """Make it, whatever the arguments."""

    def note(self, used: frozenset[str], *, all_told: bool) -> None:
        """Do nothing."""

    def enqueue(self) -> None:
        """Do nothing."""

    def assess(self) -> None:
        """Do nothing."""

    async def run(self) -> None:
        """Return at once."""


class BodyRouterReconciler:
    """Reconciles the routers of all Gateways with the settings and the claims of Workspaces."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        settings: Settings,
        missing_kinds: Callable[[], frozenset[str]],
        changed: Callable[[], None],
    ) -> None:
        """Create it; `missing_kinds` returns the kinds that are unavailable, `changed` is called when the state of a router changes."""
        self._cache = cache
        self._settings = settings
        self._missing_kinds = missing_kinds
        self._changed = changed
        self._activity = FluxActivity()
        self._due = asyncio.Event()
        self._objects = RouterObjects(client, self._due.set)
        self._executor = RouterExecutor(client, self._objects, settings.refusal_interval, self._due.set)
        self._used: frozenset[str] = frozenset()
        self._all_told = False
        self._router_states: dict[Key, RouterState] = {}
        self._states: Mapping[str, BodyRouterState] = MappingProxyType({})
        self.informers: Sequence[Informer[Any]] = self._objects.informers

    @property
    def states(self) -> Mapping[str, BodyRouterState] | None:
        """The states of the routers by Gateway, as namespace/name; None if the settings do not enable them."""
        return self._states if self._settings.plan.manages_body_routers else None

    def note(self, used: frozenset[str], *, all_told: bool) -> None:
        """Set the Gateways, as namespace/name, on which Workspaces claim headers, and whether there was a pass over every Workspace."""
        if (used, all_told) != (self._used, self._all_told):
            self._used, self._all_told = used, all_told
            self._due.set()

    def enqueue(self) -> None:
        """Reconcile all routers soon."""
        self._due.set()

    def assess(self) -> None:
        """Update the states of all routers without executing steps."""
        self._assess()

    async def run(self) -> None:
        """Reconcile until cancelled; errors of the API server are retried."""
        while True:
            self._due.clear()
            delay = await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._due.wait()

    async def _look(self) -> float | None:
        """Reconcile all routers once; return the seconds until the next time without an event, or None."""
        delays: list[float | None] = []
        for key, steps in self._assess().items():
            state = self._router_states.setdefault(key, RouterState())
            for step in steps:
                delays.append(await self._executor.execute(step, state))
                if delays[-1] is not None:
                    break
        now = asyncio.get_running_loop().time()
        moments = [state.stage_timer.due_at for state in self._router_states.values()]
        delays += [max(moment - now, 0.0) for moment in moments if moment is not None]
        return min((delay for delay in delays if delay is not None), default=None)

    def _assess(self) -> dict[Key, tuple[Step, ...]]:
        """Return the steps for each router, and report changed states."""
        wanted = self._wanted() if self._settings.plan.manages_body_routers else {}
        steps, states = dict[Key, tuple[Step, ...]](), dict[str, BodyRouterState]()
        for key, (gateway, provider) in wanted.items():
            plan = plan_router(gateway.ref, provider, self._objects.of(key), self._settings.plan.body_routing)
            steps[key] = plan.steps
            states[gateway.key] = self._state(gateway, key, plan)
        if self._all_told and not _DECISIVE & self._missing_kinds():
            steps |= {key: removal_steps(self._objects.of(key)) for key in self._objects.keys() - wanted.keys()}
        self._router_states = {key: state for key, state in self._router_states.items() if key in steps}
        if states != self._states:
            self._states = MappingProxyType(states)
            self._changed()
        return steps

    def _wanted(self) -> dict[Key, tuple[Gateway, str]]:
        """Return the wanted routers, each with its Gateway and the value of the chart's `provider` that attaches it."""
        wanted = {}
        for used in self._used:
            namespace, _, name = used.partition("/")
            gateway = self._cache.gateways.get((namespace, name))
            if gateway is not None:
                class_ = self._cache.gateway_classes.get(("", gateway.class_name))
                provider = self._settings.plan.profile_of(class_.controller if class_ is not None else None).chart_provider
                if provider != NO_PROVIDER:
                    wanted[namespace, body_router_name(name)] = (gateway, provider)
        return wanted

    def _state(self, gateway: Gateway, key: Key, plan: RouterPlan) -> BodyRouterState:
        there, state = self._objects.of(key), self._router_states.setdefault(key, RouterState())
        state.keep_rejections(plan.steps)
        now = asyncio.get_running_loop().time()
        state.stage_timer, self._activity = state.stage_timer.observe(there.source, there.release, now, self._activity)
        problems = [rejection.problem for rejection in state.rejections.values()]
        return router_state(gateway.key, there, problems, state.stage_timer.ages, connected=plan.connected)
