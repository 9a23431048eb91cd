"""Executes the steps of body-based routers: a rejected write is kept until it may be retried, and repairs have a backoff."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from workspace_ctrl.cache.watches import HELM_RELEASE
from workspace_ctrl.controller.body_routers.router_objects import ROUTER_RESOURCES, RouterObjects
from workspace_ctrl.controller.flux_stage_timer import NO_WAIT, StageTimer
from workspace_ctrl.controller.repair_backoff import REPAIRS
from workspace_ctrl.controller.workspace_state import Rejection
from workspace_ctrl.kube.backoff import Backoff
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, NamespaceTerminatingError, NotFoundError, RejectedError
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.planning.manifests import applied_hash, ref_of
from workspace_ctrl.planning.steps import Apply, Delete, Resume, Step
from workspace_ctrl.records.meta import ObjectRef

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 2.0
"""Pause after a temporary error; there are few routers, and the client has retried already."""


@dataclass
class RouterState:
    """What the process remembers of one router; it can be lost at any time."""

    stage_timer: StageTimer = NO_WAIT
    rejections: dict[ObjectRef, Rejection] = field(default_factory=dict)
    repairs: Backoff = field(default_factory=lambda: Backoff(REPAIRS))
    deleted: set[str] = field(default_factory=set)
    """Uids of deleted objects: other events can start the next reconciliation before the deletion event arrives."""

    def keep_rejections(self, planned: Iterable[Step]) -> None:
        """Drop the rejections of objects that none of the `planned` steps applies: they are up to date, being deleted, or not due yet."""
        applied = {ref_of(step.manifest) for step in planned if isinstance(step, Apply)}
        self.rejections = {ref: rejection for ref, rejection in self.rejections.items() if ref in applied}


class RouterExecutor:
    """Executes steps on the API server."""

    def __init__(self, client: Client, objects: RouterObjects, refusal_interval: float, changed: Callable[[], None]) -> None:
        """Make it; a rejected write is retried after `refusal_interval` seconds, `changed` is called after each applied object."""
        self._client = client
        self._objects = objects
        self._refusal_interval = refusal_interval
        self._changed = changed

    async def execute(self, step: Step, state: RouterState) -> float | None:
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
            return self._refusal_interval
        except ApiError as error:
            logger.warning("body-based routers: %s; retrying", error)
            return max(_RETRY_SECONDS, error.retry_after)
        return None

    async def _apply(self, step: Apply, state: RouterState) -> float | None:
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
            state.rejections[ref] = Rejection(wanted, adopting=False, problem=problem, retry_at=now + self._refusal_interval)
            self._changed()  # so that the state is reported
        else:
            state.rejections.pop(ref, None)
        return None

    async def _run(self, step: Step) -> None:
        match step:
            case Apply(manifest):
                ref = ref_of(manifest)
                logger.info("applying %s of a body-based router", ref)
                self._objects.write_through(await self._client.apply(ROUTER_RESOURCES[ref.kind], manifest, force=step.force))
                self._changed()
            case Delete(ref, uid):
                logger.info("deleting %s of a body-based router that no Workspace uses", ref)
                await self._client.delete(ROUTER_RESOURCES[ref.kind], ref.namespace, ref.name, uid)
            case Resume(ref):
                with suppress(NotFoundError):
                    await self._client.merge_patch(HELM_RELEASE, ref.namespace, ref.name, {"spec": {"suspend": None}})
