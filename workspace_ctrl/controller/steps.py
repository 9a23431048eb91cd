"""Carries out the steps of a plan, and writes the status: all writes of the controller are here."""

import asyncio
import logging

from workspace_ctrl.api.labels import API_VERSION, FINALIZER, KIND
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.controller.cache import Cache
from workspace_ctrl.controller.kinds import BY_KIND, HELM_RELEASE, WORKSPACE
from workspace_ctrl.controller.memory import Memory, Refusal
from workspace_ctrl.controller.settings import Settings
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ConflictError, NotFoundError, RejectedError
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.steps import Apply, Delete, Resume, SetFinalizer, Step, TryWorkload
from workspace_ctrl.records.decisions import Problem
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.snapshot import DryRun
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)


class StepRunner:
    """Carries out steps on the API server; refusals become problems, passing errors are raised."""

    def __init__(self, client: Client, cache: Cache, settings: Settings) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings

    async def run(self, step: Step, workspace: WorkspaceRecord, memory: Memory) -> Problem | None:
        """Carry out one step; return why the API server refused it, or None.

        Raises:
            RetryableError: it may succeed soon.
            NotFoundError: the namespace is not there (any more).
        """
        match step:
            case TryWorkload():
                await self._try_workload(step, memory)
            case Apply():
                return await self._apply(step, memory)
            case Delete(ref, uid):
                logger.info("%s: deleting %s", workspace.meta.ref, ref)
                await self._client.delete(BY_KIND[ref.kind].resource, ref.namespace, ref.name, uid)
            case Resume(ref):
                await self._client.merge_patch(HELM_RELEASE, ref.namespace, ref.name, {"spec": {"suspend": None}})
            case SetFinalizer(present):
                await self._set_finalizer(workspace, present=present)
        return None

    async def _try_workload(self, step: TryWorkload, memory: Memory) -> None:
        tried = applied_hash(step.manifest)
        resource = BY_KIND[step.manifest["kind"]].resource
        try:
            answer = await self._client.apply(resource, step.manifest, force=step.force, dry_run=True)
        except RejectedError as error:
            memory.dry_run = DryRun(tried, refusal=error.message)
            memory.dry_run_retry_at = self._retry_at()
        else:
            memory.dry_run = DryRun(tried, kind=answer["kind"])

    async def _apply(self, step: Apply, memory: Memory) -> Problem | None:
        ref, wanted = ref_of(step.manifest), applied_hash(step.manifest)
        refused = memory.refusals.get(ref)
        if refused is not None and refused.manifest_hash == wanted:
            return refused.problem
        try:
            answer = await self._client.apply(BY_KIND[ref.kind].resource, step.manifest, force=step.force)
        except RejectedError as error:
            reason = "NotOwned" if isinstance(error, ConflictError) else "ApplyRefused"
            problem = Problem(step.link, reason, f"{ref}: {error.message}")
            memory.refusals[ref] = Refusal(wanted, problem, self._retry_at())
            return problem
        memory.refusals.pop(ref, None)
        self._cache.write_through(answer)
        return None

    async def write_status(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> bool:
        """Write the status of a Workspace; return whether the Workspace was still there."""
        manifest = _identity(workspace.meta) | {"status": status.as_object()}
        return await self._apply_to_workspace(workspace, manifest, "status")

    async def _set_finalizer(self, workspace: WorkspaceRecord, *, present: bool) -> None:
        """Apply our finalizer, or nothing in its place; finalizers of others are not ours to send."""
        manifest = _identity(workspace.meta)
        manifest["metadata"]["finalizers"] = [FINALIZER] if present else []
        await self._apply_to_workspace(workspace, manifest)

    async def _apply_to_workspace(self, workspace: WorkspaceRecord, manifest: Manifest, subresource: str = "") -> bool:
        try:
            answer = await self._client.apply(WORKSPACE, manifest, force=True, subresource=subresource)
        except (NotFoundError, ConflictError):
            # The Workspace is gone, or is another one of that name: its deletion event is on its way.
            logger.debug("%s is gone", workspace.meta.ref)
            return False
        self._cache.write_through(answer)
        return True

    def _retry_at(self) -> float:
        return asyncio.get_running_loop().time() + self._settings.refusal_interval


def _identity(meta: Meta) -> Manifest:
    """Return the beginning of what is applied to a Workspace; the uid keeps it from a new Workspace of the same name."""
    metadata = {"name": meta.ref.name, "namespace": meta.ref.namespace, "uid": meta.uid}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}
