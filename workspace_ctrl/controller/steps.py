"""Carries out the steps of a plan, and writes the status: all writes of the controller are here."""

import asyncio
import logging

from workspace_ctrl.api.labels import API_VERSION, FINALIZER, KIND
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.controller.cache import Cache
from workspace_ctrl.controller.kinds import CONFIG_MAP, HELM_RELEASE, RESOURCES, WORKSPACE
from workspace_ctrl.controller.memory import Memory, Refusal, Repairs
from workspace_ctrl.controller.references import References
from workspace_ctrl.controller.settings import Settings
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ConflictError, KindNotServedError, NotFoundError, RejectedError
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.engine_config import CONFIG_KEY
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.steps import Apply, Delete, ReadConfig, ReadScale, Resume, SetFinalizer, Step, TryWorkload
from workspace_ctrl.records.answers import ConfigContent, DryRun, ScaleSelector
from workspace_ctrl.records.decisions import Problem
from workspace_ctrl.records.meta import Json, Meta, ObjectRef, parse_meta
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)


class StepRunner:
    """Carries out steps on the API server; refusals become problems, passing errors are raised."""

    def __init__(self, client: Client, cache: Cache, references: References, settings: Settings) -> None:
        self._client = client
        self._cache = cache
        self._references = references
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
            case ReadConfig(ref, version):
                await self._read_config(ref, version, memory)
            case ReadScale(ref, uid):
                await self._read_scale(workspace, ref, uid, memory)
            case Apply():
                return await self._apply(step, memory)
            case Delete(ref, uid):
                logger.info("%s: deleting %s", workspace.meta.ref, ref)
                await self._client.delete(RESOURCES[ref.kind], ref.namespace, ref.name, uid)
            case Resume(ref):
                await self._client.merge_patch(HELM_RELEASE, ref.namespace, ref.name, {"spec": {"suspend": None}})
            case SetFinalizer(present):
                await self._set_finalizer(workspace, present=present)
        return None

    async def _try_workload(self, step: TryWorkload, memory: Memory) -> None:
        tried = applied_hash(step.manifest)
        resource = RESOURCES[step.manifest["kind"]]
        try:
            answer = await self._client.apply(resource, step.manifest, force=step.force, dry_run=True)
        except RejectedError as error:
            memory.dry_run = DryRun(tried, refusal=error.message)
            memory.dry_run_retry_at = self._retry_at()
        else:
            memory.dry_run = DryRun(tried, kind=answer["kind"])

    async def _read_config(self, ref: ObjectRef, version: str, memory: Memory) -> None:
        """Read a ConfigMap's content; one that is gone by now is noticed by its watch."""
        try:
            answer = await self._client.get(CONFIG_MAP, ref.namespace, ref.name)
        except NotFoundError:
            memory.config = ConfigContent(ref.name, version, None)
            return
        memory.config = ConfigContent(ref.name, version, (answer.get("data") or {}).get(CONFIG_KEY))

    async def _read_scale(self, workspace: WorkspaceRecord, ref: ObjectRef, uid: str, memory: Memory) -> None:
        """Read the selector that an object's scale subresource tells; kinds without one tell none."""
        resource = self._references.resource_of(workspace.key)
        try:
            answer = await self._client.get(resource, ref.namespace, ref.name, "scale") if resource is not None else {}
        except (NotFoundError, RejectedError, KindNotServedError) as error:
            logger.info("%s: %s has no scale subresource that can be read: %s", workspace.meta.ref, ref, error)
            answer = {}
        memory.scale = ScaleSelector(uid, _equality_labels((answer.get("status") or {}).get("selector") or ""))

    async def _apply(self, step: Apply, memory: Memory) -> Problem | None:
        ref, wanted = ref_of(step.manifest), applied_hash(step.manifest)
        refused = memory.refusals.get(ref)
        if refused is not None and refused.manifest_hash == wanted:
            return refused.problem
        if step.repairs and not self._may_repair(ref, memory):
            return None
        try:
            answer = await self._client.apply(RESOURCES[ref.kind], step.manifest, force=step.force)
        except RejectedError as error:
            reason = "NotOwned" if isinstance(error, ConflictError) else "ApplyRefused"
            problem = Problem(step.link, reason, f"{ref}: {error.message}")
            memory.refusals[ref] = Refusal(wanted, problem, self._retry_at())
            return problem
        memory.refusals.pop(ref, None)
        self._cache.write_through(answer)
        _note_ownership(step, parse_meta(answer, ref.kind), memory)
        return None

    def _may_repair(self, ref: ObjectRef, memory: Memory) -> bool:
        """Whether it is time to bring the object back to what we applied; note it when it is."""
        now = asyncio.get_running_loop().time()
        repairs = memory.repairs.setdefault(ref, Repairs())
        due = repairs.next_at()
        if due > now:
            memory.repair_due_at = min(due, memory.repair_due_at or due)
            return False
        repairs.note(now)
        logger.info("%s was changed by somebody else; bringing back what we decide", ref)
        return True

    async def write_status(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        """Write the status of a Workspace; return the Workspace as it stands then, or None where it was gone."""
        manifest = _identity(workspace.meta) | {"status": status.as_object()}
        return await self._apply_to_workspace(workspace, manifest, "status")

    async def _set_finalizer(self, workspace: WorkspaceRecord, *, present: bool) -> None:
        """Apply our finalizer, or nothing in its place; finalizers of others are not ours to send."""
        manifest = _identity(workspace.meta)
        manifest["metadata"]["finalizers"] = [FINALIZER] if present else []
        await self._apply_to_workspace(workspace, manifest)

    async def _apply_to_workspace(self, workspace: WorkspaceRecord, manifest: Manifest, subresource: str = "") -> Json | None:
        try:
            answer = await self._client.apply(WORKSPACE, manifest, force=True, subresource=subresource)
        except (NotFoundError, ConflictError):
            # The Workspace is gone, or is another one of that name: its deletion event is on its way.
            logger.debug("%s is gone", workspace.meta.ref)
            return None
        self._cache.write_through(answer)
        return answer

    def _retry_at(self) -> float:
        return asyncio.get_running_loop().time() + self._settings.refusal_interval


def _identity(meta: Meta) -> Manifest:
    """Return the beginning of what is applied to a Workspace; the uid keeps it from a new Workspace of the same name."""
    metadata = {"name": meta.ref.name, "namespace": meta.ref.namespace, "uid": meta.uid}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}


def _note_ownership(step: Apply, meta: Meta, memory: Memory) -> None:
    """Remember what did not become ours although we applied it, such as a field that a webhook sets: it is not asked for again."""
    if is_ours(step.manifest, meta.owned):
        memory.tolerated.pop(meta.ref, None)
    else:
        memory.tolerated[meta.ref] = meta.owned


def _equality_labels(selector: str) -> dict[str, str]:
    """Return the labels of a selector in text form; empty where it is more than equalities."""
    pairs = [part.strip().replace("==", "=").split("=") for part in selector.split(",") if part.strip()]
    return dict(pairs) if all(len(pair) == 2 and "!" not in pair[0] for pair in pairs) else {}  # noqa: PLR2004
