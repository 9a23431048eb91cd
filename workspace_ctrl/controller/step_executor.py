"""Executes the steps of a plan and writes the status: all writes for a Workspace are here."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakValueDictionary

from workspace_ctrl.api.labels import (
    FIELD_MANAGER,
    FINALIZER,
    MANAGED_BY_LABEL,
    OWNER_LABEL,
    REPAIR_MANAGER,
    REQUESTED_AT_ANNOTATION,
    SCALE_MANAGER,
)
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.cache.watches import CHART_OBJECT_RESOURCES, HELM_RELEASE, RESOURCES, resource_of
from workspace_ctrl.controller.adoption import NotOwnedError, given_back, take_over
from workspace_ctrl.controller.passes.api_queries import ApiQueries
from workspace_ctrl.controller.passes.background_tasks import BackgroundTasks
from workspace_ctrl.controller.workspace_state import Rejection, WorkspaceState
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, ConflictError, KindNotServedError, NotFoundError, RejectedError
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.planning.adoption import is_adopted, is_shared
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.manifests import Manifest, applied_hash, group_of, kind_of, ref_of
from workspace_ctrl.planning.steps import (
    Apply,
    CountRequests,
    Delete,
    LookUpModel,
    Prune,
    Query,
    RequestReconcile,
    Resume,
    Scale,
    SetFinalizer,
    Step,
    VerifyChart,
)
from workspace_ctrl.records.managed_fields import Fields
from workspace_ctrl.records.meta import Json, Meta, ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord
from workspace_ctrl.settings.process import Settings

logger = logging.getLogger(__name__)

_PRUNE_DELAY: Final = 2.0
"""Seconds until objects without a release count as left behind: the deletions by Flux arrive from several watches."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the steps so far; each step returns a new value."""

    state: WorkspaceState
    problems: tuple[Problem, ...] = ()
    """Why the API server rejected writes."""
    records: tuple[Any, ...] = ()
    """The objects that were written, as the API server returned them."""
    error: ApiError | None = None
    """The temporary error that ended the steps early, so that the pass has to be repeated; None if there was none."""


class Executor:
    """Executes steps on the API server; rejections become problems."""

    def __init__(
        self, client: Client, cache: Cache, references: DynamicWatches, settings: Settings, tasks: BackgroundTasks
    ) -> None:
        self._client = client
        self._tasks = tasks
        self._cache = cache
        self._references = references
        self._settings = settings
        self._shared: WeakValueDictionary[ObjectRef, asyncio.Lock] = WeakValueDictionary()
        """The objects that passes over several Workspaces are writing."""
        self._queries = ApiQueries(client, references, self._write, self._retry_at)

    async def run(self, steps: Iterable[Step], workspace: WorkspaceRecord, state: WorkspaceState) -> Outcome:
        """Execute `steps` in order, up to the first temporary error."""
        outcome = Outcome(state)
        for step in steps:
            try:
                outcome = await self._step(step, workspace, outcome)
            except ApiError as error:
                return replace(outcome, error=error)
        return outcome

    def forget(self, namespace: str, name: str) -> None:
        """Drop a Workspace that is gone: nothing is looked up or counted for it any more."""
        self._tasks.hub.forget((namespace, name))
        self._tasks.counter.forget((namespace, name))

    async def ask(self, queries: Iterable[Query], workspace: WorkspaceRecord, state: WorkspaceState) -> WorkspaceState:
        """Return the state with the API server's answers to `queries`, which are sent concurrently.

        Raises:
            RetryableError: the same request may succeed soon.
        """
        return await self._queries.ask(queries, workspace, state)

    async def _step(  # noqa: PLR0911 - one line for each kind of step
        self, step: Step, workspace: WorkspaceRecord, outcome: Outcome
    ) -> Outcome:
        """Execute one step.

        Raises:
            ApiError: a temporary error.
        """
        match step:
            case Apply():
                return await self._apply(step, workspace, outcome)
            case Delete(ref, uid):
                return await self._delete(workspace, ref, uid, outcome)
            case Prune():
                return replace(outcome, state=await self._prune(step, outcome.state))
            case RequestReconcile():
                return await self._request_reconcile(step, outcome)
            case SetFinalizer(present):
                return await self._set_finalizer(workspace, outcome, present=present)
            case Scale(ref, replicas):
                return await self._scale(ref, replicas, outcome)
            case VerifyChart() | LookUpModel() | CountRequests():
                self._in_background(step, workspace)
            case Resume(ref):
                await self._client.merge_patch(HELM_RELEASE, ref.namespace, ref.name, {"spec": {"suspend": None}})
        return outcome

    def _in_background(self, step: VerifyChart | LookUpModel | CountRequests, workspace: WorkspaceRecord) -> None:
        """Have another task of the process do something for a Workspace."""
        match step:
            case VerifyChart(chart):
                self._tasks.charts.verify(chart, workspace.key)
            case LookUpModel(model, is_known):
                self._tasks.hub.look_up(model, workspace.key, is_known=is_known)
            case CountRequests(target):
                self._tasks.counter.follow(workspace.key, target)

    async def _apply(self, step: Apply, workspace: WorkspaceRecord, outcome: Outcome) -> Outcome:
        ref, wanted, state = ref_of(step.manifest), applied_hash(step.manifest), outcome.state
        adopting = is_adopted(workspace.annotations, ref.kind)
        rejected = state.rejections.get(ref)
        if rejected is not None and (rejected.manifest_hash, rejected.adopting) == (wanted, adopting):
            return replace(outcome, problems=(*outcome.problems, rejected.problem))
        if step.repairs:
            state, is_due = state.with_repair(ref, _now())
            if not is_due:
                return replace(outcome, state=state)
            logger.info("%s: correcting drift of fields that another manager changed", ref)
        try:
            answer = await (self._write_shared if group_of(step.manifest) else self._write)(
                step.manifest, workspace, force=step.force
            )
        except RejectedError as error:
            words = ("NotOwned", error.message) if isinstance(error, NotOwnedError) else ("ApplyRefused", f"{ref}: {error.message}")
            rejected = Rejection(wanted, adopting, Problem(step.link, *words), self._retry_at())
            return replace(outcome, state=state.with_rejection(ref, rejected), problems=(*outcome.problems, rejected.problem))
        if answer is None:
            return replace(outcome, state=state)
        record = self._cache.write_through(answer)
        self._references.write_through(record, int(answer["metadata"]["resourceVersion"]))
        state = state.with_rejection(ref, None).with_accepted_drift(ref, _not_ours(step.manifest, record.meta))
        return replace(outcome, state=state, records=(*outcome.records, record))

    async def _write(self, manifest: Manifest, workspace: WorkspaceRecord, *, force: bool, dry_run: bool = False) -> Json:
        """Apply a manifest; with force only if the object is ours, or if the Workspace allows its adoption.

        Raises:
            NotOwnedError: an object of that name exists that is not ours.
        """
        resource = RESOURCES[kind_of(manifest)]
        if not force:
            try:
                answer = await self._client.apply(resource, manifest, force=False, dry_run=dry_run)
            except RejectedError:
                # The cause is an existing object, which differs or makes the merged object invalid, or else the manifest itself.
                if not await take_over(self._client, resource, manifest, workspace):
                    raise
            else:
                if not is_shared(answer):
                    return answer
                if not dry_run:
                    await self._client.apply(resource, given_back(manifest), force=True)
                await take_over(self._client, resource, manifest, workspace)
        return await self._client.apply(resource, manifest, force=True, dry_run=dry_run)

    async def _write_shared(self, manifest: Manifest, workspace: WorkspaceRecord, *, force: bool) -> Json | None:
        """Apply the route of a group; return None if another member has done so in the meantime.

        Raises:
            NotOwnedError: an object of that name exists that is not ours.
        """
        ref = ref_of(manifest)
        lock = self._shared.setdefault(ref, asyncio.Lock())
        async with lock:
            live = self._cache.http_routes.get((ref.namespace, ref.name))
            if live is not None and live.meta.applied_hash == applied_hash(manifest) and is_ours(manifest, live.meta.owned):
                return None
            return await self._write(manifest, workspace, force=force)  # in the cache before the next one has the lock

    async def _delete(self, workspace: WorkspaceRecord, ref: ObjectRef, uid: str, outcome: Outcome) -> Outcome:
        """Delete an object once; other events can start the next pass before the deletion event arrives."""
        if uid in outcome.state.deleted:
            return outcome
        logger.info("%s: deleting %s", workspace.meta.ref, ref)
        await self._client.delete(RESOURCES[ref.kind], ref.namespace, ref.name, uid)
        return replace(outcome, state=outcome.state.with_deleted(uid))

    async def _scale(self, ref: ObjectRef, replicas: int, outcome: Outcome) -> Outcome:
        """Scale a Deployment, which may not exist if its creation was rejected."""
        patch = {"spec": {"replicas": replicas}}
        try:
            answer = await self._client.merge_patch(
                RESOURCES[ref.kind], ref.namespace, ref.name, patch, field_manager=SCALE_MANAGER
            )
        except (NotFoundError, RejectedError) as error:
            logger.warning("%s: cannot scale it to the %d replicas that it had: %s", ref, replicas, error)
            return outcome
        logger.info("%s was deleted, and gets the %d replicas back that it had", ref, replicas)
        return replace(outcome, records=(*outcome.records, self._cache.write_through(answer)))

    async def _prune(self, step: Prune, state: WorkspaceState) -> WorkspaceState:
        """Delete the objects that Flux has left behind, if they still exist after a moment."""
        now = _now()
        since = state.left_behind_since if state.left_behind_since is not None else now
        state = replace(state, left_behind_since=since)
        if now < since + _PRUNE_DELAY:
            return state.put_off(since + _PRUNE_DELAY)
        ref = step.workspace
        logger.warning("%s: deleting %s, which Flux left behind when it uninstalled the chart", ref, ", ".join(step.kinds))
        selector = f"{OWNER_LABEL}={ref.name},{MANAGED_BY_LABEL}!={FIELD_MANAGER}"
        for kind in step.kinds:
            try:
                await self._client.delete_collection(CHART_OBJECT_RESOURCES[kind], ref.namespace, selector)
            except (RejectedError, KindNotServedError, NotFoundError) as error:
                logger.warning("%s: cannot delete %s of the chart: %s", ref, kind, error)
                state = replace(state, pruned=True)
        return state

    async def _request_reconcile(self, step: RequestReconcile, outcome: Outcome) -> Outcome:
        """Request a reconciliation of a HelmRelease, if the backoff allows it and the release with that uid still exists."""
        state, is_due = outcome.state.with_reconcile_request(_now())
        if not is_due:
            return replace(outcome, state=state)
        logger.info("%s: %s; requesting a reconciliation from Flux", step.ref, step.cause)
        metadata = {"uid": step.uid, "annotations": {REQUESTED_AT_ANNOTATION: datetime.now(UTC).isoformat()}}
        records = outcome.records
        try:
            await self._take_over(step)
            answer = await self._client.merge_patch(
                HELM_RELEASE, step.ref.namespace, step.ref.name, {"metadata": metadata}, field_manager=REPAIR_MANAGER
            )
        except (NotFoundError, ConflictError):
            logger.debug("%s is gone", step.ref)
        except RejectedError as error:
            logger.warning("%s: %s", step.ref, error)
        else:
            records = (*records, self._cache.write_through(answer))
        return replace(outcome, state=replace(state, drift=state.drift.requested()), records=records)

    async def _take_over(self, step: RequestReconcile) -> None:
        """Mark an object as one of the release's, as Helm itself would, so that Helm takes it over."""
        ref = step.takes_over
        if ref is None:
            return
        release = {"meta.helm.sh/release-name": step.ref.name, "meta.helm.sh/release-namespace": step.ref.namespace}
        metadata = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": release}
        resource = CHART_OBJECT_RESOURCES[ref.kind]
        await self._client.merge_patch(resource, ref.namespace, ref.name, {"metadata": metadata}, field_manager=REPAIR_MANAGER)

    async def write_status(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        """Write the status of a Workspace; return the resulting Workspace, or None if it does not exist any more."""
        manifest = _identity(workspace.meta) | {"status": status.as_object()}
        return await self._apply_to_workspace(workspace, manifest, "status")

    async def _set_finalizer(self, workspace: WorkspaceRecord, outcome: Outcome, *, present: bool) -> Outcome:
        """Add or remove our finalizer; finalizers of others stay, because they are not in our apply."""
        manifest = _identity(workspace.meta)
        manifest["metadata"]["finalizers"] = [FINALIZER] if present else []
        answer = await self._apply_to_workspace(workspace, manifest)
        if answer is not None and not present:
            await self._remove_others_finalizer(workspace, answer["metadata"])
        return replace(outcome, state=replace(outcome.state, left_behind_since=None, pruned=False))

    async def _remove_others_finalizer(self, workspace: WorkspaceRecord, metadata: Json) -> None:
        """Remove our finalizer where our apply leaves it: another manager wrote it, as the restore of a backup does."""
        finalizers = metadata.get("finalizers") or ()
        if FINALIZER not in finalizers:
            return
        changed = {key: metadata[key] for key in ("uid", "resourceVersion")}
        changed["finalizers"] = [finalizer for finalizer in finalizers if finalizer != FINALIZER]
        ref = workspace.meta.ref
        try:
            resource = resource_of(workspace.meta)
            answer = await self._client.merge_patch(resource, ref.namespace, ref.name, {"metadata": changed})
            self._cache.write_through(answer)
        except (NotFoundError, ConflictError):
            logger.debug("%s was changed or deleted meanwhile: its event will follow", ref)

    async def _apply_to_workspace(self, workspace: WorkspaceRecord, manifest: Manifest, subresource: str = "") -> Json | None:
        try:
            answer = await self._client.apply(resource_of(workspace.meta), manifest, force=True, subresource=subresource)
        except (NotFoundError, ConflictError):
            # The Workspace was deleted, or is another one of that name: its deletion event will follow.
            logger.debug("%s is gone", workspace.meta.ref)
            return None
        self._cache.write_through(answer)
        return answer

    def _retry_at(self) -> float:
        return _now() + self._settings.refusal_interval


def _now() -> float:
    return asyncio.get_running_loop().time()


def _identity(meta: Meta) -> Manifest:
    """Return the identifying part of a manifest for a Workspace; its uid prevents writes to a new Workspace of that name."""
    metadata = {"name": meta.ref.name, "namespace": meta.ref.namespace, "uid": meta.uid}
    return {"apiVersion": meta.api_version, "kind": meta.ref.kind, "metadata": metadata}


def _not_ours(manifest: Manifest, meta: Meta) -> Fields | None:
    """Return the fields that we own after an apply, if they are fewer than the applied ones; None if all became ours.

    A mutating webhook may set a field to its own value, for example. Such fields are not applied again.
    """
    return None if is_ours(manifest, meta.owned) else meta.owned
