"""Reconciles the body-based routers of Gateways: one task beside the workers, because routers belong to Gateways, not to Workspaces.

A Gateway needs a router if a Workspace claims a header on it. A router is deleted only after a pass over every Workspace, so that neither a
restart nor a CRD that is missing for a moment deletes one.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from workspace_ctrl.api.labels import BODY_ROUTER_LABEL
from workspace_ctrl.api.names import body_router_name
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.watches import DEPLOYMENT, GATEWAY, GATEWAY_CLASS, HELM_RELEASE, HTTP_ROUTE, OCI_REPOSITORY
from workspace_ctrl.catalog.gateway_classes import NO_PROVIDER, find_profile
from workspace_ctrl.controller.repair_backoff import REPAIRS
from workspace_ctrl.controller.stage_timer import NO_WAIT, FluxActivity, StageTimer
from workspace_ctrl.controller.workspace_state import Rejection
from workspace_ctrl.kube.backoff import Backoff
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import (
    ApiError,
    ForbiddenError,
    KindNotServedError,
    NamespaceTerminatingError,
    NotFoundError,
    RejectedError,
)
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.model.body_router import BodyRouter, BodyRouterState
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.planning.gateway.body_router import plan_router, removal_steps
from workspace_ctrl.planning.manifests import applied_hash, ref_of
from workspace_ctrl.planning.steps import Apply, Delete, Resume, Step
from workspace_ctrl.readiness.body_routers import router_state
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, parse_helm_release, parse_oci_repository
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.unreadable_objects import isolated, read_object
from workspace_ctrl.records.workloads import Workload, parse_workload
from workspace_ctrl.settings.process import Settings
from workspace_ctrl.settings.workspace_scope import Scope

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 2.0
_RESOURCES: Final = {resource.kind: resource for resource in (OCI_REPOSITORY, HELM_RELEASE, DEPLOYMENT)}
_DECISIVE: Final = frozenset({GATEWAY.kind, GATEWAY_CLASS.kind, HTTP_ROUTE.kind})
"""While one of these kinds is unavailable, Workspaces have no claims, although their routes still work; so no router is deleted."""
_PARSERS: Final[Mapping[str, Callable[[Json, str], Any]]] = {
    OCI_REPOSITORY.kind: parse_oci_repository,
    HELM_RELEASE.kind: parse_helm_release,
    DEPLOYMENT.kind: parse_workload,
}


@dataclass
class _RouterState:
    """What the process remembers of one router; it can be lost at any time."""

    stage_timer: StageTimer = NO_WAIT
    rejections: dict[ObjectRef, Rejection] = field(default_factory=dict)
    repairs: Backoff = field(default_factory=lambda: Backoff(REPAIRS))
    deleted: set[str] = field(default_factory=set)
    """Uids of deleted objects: other events can start the next reconciliation before the deletion event arrives."""


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
        self._client = client
        self._cache = cache
        self._settings = settings
        self._missing_kinds = missing_kinds
        self._changed = changed
        self._activity = FluxActivity()
        self._due = asyncio.Event()
        self._stores: dict[str, Store[Any]] = {kind: Store(lambda _record: None) for kind in _RESOURCES}
        self._used: frozenset[str] = frozenset()
        self._all_told = False
        self._router_states: dict[Key, _RouterState] = {}
        self._states: Mapping[str, BodyRouterState] = MappingProxyType({})
        self.informers: list[Informer[Any]] = [self._informer(client, resource) for resource in _RESOURCES.values()]

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
            state = self._router_states.setdefault(key, _RouterState())
            for step in steps:
                delays.append(await self._try(step, state))
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
            plan = plan_router(gateway.ref, provider, self._there(key), self._settings.plan.body_routing)
            steps[key] = plan.steps
            states[gateway.key] = self._state(gateway, key, connected=plan.connected)
        if self._all_told and not _DECISIVE & self._missing_kinds():
            steps |= {key: removal_steps(self._there(key)) for key in self._existing() - wanted.keys()}
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
                provider = find_profile(class_.controller if class_ is not None else None).chart_provider
                if provider != NO_PROVIDER:
                    wanted[namespace, body_router_name(name)] = (gateway, provider)
        return wanted

    def _there(self, key: Key) -> BodyRouter:
        source: OCIRepository | None = self._stores[OCI_REPOSITORY.kind].get(key)
        release: HelmRelease | None = self._stores[HELM_RELEASE.kind].get(key)
        workload: Workload | None = self._stores[DEPLOYMENT.kind].get(key)
        return BodyRouter(source, release, workload)

    def _existing(self) -> set[Key]:
        return {*self._stores[OCI_REPOSITORY.kind].keys(), *self._stores[HELM_RELEASE.kind].keys()}

    def _state(self, gateway: Gateway, key: Key, *, connected: bool) -> BodyRouterState:
        there, state = self._there(key), self._router_states.setdefault(key, _RouterState())
        now = asyncio.get_running_loop().time()
        state.stage_timer, self._activity = state.stage_timer.observe(there.source, there.release, now, self._activity)
        problems = [rejection.problem for rejection in state.rejections.values()]
        return router_state(gateway.key, there, problems, state.stage_timer.ages, connected=connected)

    async def _try(self, step: Step, state: _RouterState) -> float | None:
        """Execute a step if it is due; return the seconds until it has to be tried again, or None."""
        try:
            if isinstance(step, Apply):
                return await self._apply(step, state)
            if not isinstance(step, Delete):
                await self._run(step)
            elif step.uid not in state.deleted:
                await self._run(step)
                state.deleted.add(step.uid)
        except NamespaceTerminatingError as error:
            logger.debug("body-based routers: %s", error)  # the Gateway will be deleted, too
            return self._settings.refusal_interval
        except ApiError as error:
            logger.warning("body-based routers: %s; retrying", error)
            return max(_RETRY_SECONDS, error.retry_after)
        return None

    async def _apply(self, step: Apply, state: _RouterState) -> float | None:
        now, ref, wanted = asyncio.get_running_loop().time(), ref_of(step.manifest), applied_hash(step.manifest)
        rejected = state.rejections.get(ref)
        if rejected is not None and rejected.manifest_hash == wanted and now < rejected.retry_at:
            return rejected.retry_at - now
        if step.repairs:
            if not state.repairs.is_due(now):
                return state.repairs.due_at - now
            state.repairs = state.repairs.again(now)
        try:
            await self._run(step)
        except RejectedError as error:
            problem = Problem(step.link, "ApplyRefused", f"{ref}: {error.message}")
            state.rejections[ref] = Rejection(
                wanted, adopting=False, problem=problem, retry_at=now + self._settings.refusal_interval
            )
            self._due.set()  # so that the state is reported
        else:
            state.rejections.pop(ref, None)
        return None

    async def _run(self, step: Step) -> None:
        match step:
            case Apply(manifest):
                ref = ref_of(manifest)
                logger.info("applying %s of a body-based router", ref)
                answer = await self._client.apply(_RESOURCES[ref.kind], manifest, force=step.force)
                record = read_object(_PARSERS[ref.kind], answer, ref.kind)
                self._stores[ref.kind].write_through(_key(ref), record, int(answer["metadata"]["resourceVersion"]))
                self._due.set()
            case Delete(ref, uid):
                logger.info("deleting %s of a body-based router that no Workspace uses", ref)
                await self._client.delete(_RESOURCES[ref.kind], ref.namespace, ref.name, uid)
            case Resume(ref):
                with suppress(NotFoundError):
                    await self._client.merge_patch(HELM_RELEASE, ref.namespace, ref.name, {"spec": {"suspend": None}})

    def _informer(self, client: Client, resource: ApiResource) -> Informer[Any]:
        def changed(_record: object) -> None:
            self._due.set()

        source = Source(resource, isolated(_PARSERS[resource.kind]), BODY_ROUTER_LABEL)
        return Informer(client, source, self._stores[resource.kind], changed, self._due.set)


def _key(ref: ObjectRef) -> Key:
    return ref.namespace, ref.name


async def needs_body_routers(client: Client, settings: Settings) -> bool:
    """Return whether body-based routers have to be reconciled: the settings enable them, or earlier settings did and some still exist.

    Only a process that reconciles all Workspaces can know that a router is not used.

    Raises:
        ApiError: the request failed.
    """
    if settings.scope != Scope():
        return False
    if settings.plan.manages_body_routers:
        return True
    try:
        # The source is the first object of a router to be created, and the last to be deleted.
        page = await client.list_page(OCI_REPOSITORY, {"limit": "1", "labelSelector": BODY_ROUTER_LABEL}, metadata_only=True)
    except (KindNotServedError, ForbiddenError):
        return False
    return bool(page.get("items"))
