"""Carries out the steps of a plan, and writes the status: all writes of the controller are here."""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from workspace_ctrl.api.labels import (
    API_VERSION,
    FIELD_MANAGER,
    FINALIZER,
    KIND,
    MANAGED_BY_LABEL,
    OWNER_LABEL,
    REPAIR_MANAGER,
    REQUESTED_AT_ANNOTATION,
)
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.controller.adoption import NotOwnedError, given_back, take_over
from workspace_ctrl.controller.cache import Cache
from workspace_ctrl.controller.chart_looks import ChartLooks
from workspace_ctrl.controller.kinds import CONFIG_MAP, HELM_RELEASE, PART_RESOURCES, RESOURCES, WORKSPACE
from workspace_ctrl.controller.memory import Memory, Refusal, Repairs, noted
from workspace_ctrl.controller.references import References
from workspace_ctrl.controller.settings import Settings
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ConflictError, KindNotServedError, NotFoundError, RejectedError
from workspace_ctrl.planning.adoption import is_adopted, is_shared
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.engine_config import config_text
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.steps import (
    Apply,
    AskFlux,
    Delete,
    LookAtChart,
    Question,
    ReadConfig,
    ReadScale,
    Resume,
    SetFinalizer,
    Step,
    Sweep,
    TryWorkload,
)
from workspace_ctrl.records.answers import ConfigContent, DryRun, ScaleSelector
from workspace_ctrl.records.decisions import Problem
from workspace_ctrl.records.meta import Json, Meta, ObjectRef, parse_meta
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)

_SWEEP_DELAY: Final = 2.0
_DELETIONS_REMEMBERED: Final = 8
_FIRST_REQUEST_DELAY: Final = 0.5
"""Seconds until Flux may be asked a second time: what is deleted in one go can be too late for the first look."""
_CALM_BETWEEN_REQUESTS: Final = 10.0


class StepRunner:
    """Carries out steps on the API server; refusals become problems, passing errors are raised."""

    def __init__(
        self, client: Client, cache: Cache, references: References, settings: Settings, charts: ChartLooks | None = None
    ) -> None:
        self._client = client
        self._charts = charts
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
            case TryWorkload() | ReadConfig() | ReadScale():
                await self._find_answer(step, workspace, memory)
            case LookAtChart(chart):
                if self._charts is not None:
                    self._charts.look(chart, workspace.key)
            case Apply():
                return await self._apply(step, workspace, memory)
            case Delete(ref, uid):
                await self._delete(workspace, ref, uid, memory)
            case Sweep():
                await self._sweep(step, memory)
            case AskFlux():
                await self._ask_flux(step, memory)
            case Resume(ref):
                await self._client.merge_patch(HELM_RELEASE, ref.namespace, ref.name, {"spec": {"suspend": None}})
            case SetFinalizer(present):
                memory.left_since, memory.swept = None, False
                await self._set_finalizer(workspace, present=present)
        return None

    async def _find_answer(self, question: Question, workspace: WorkspaceRecord, memory: Memory) -> None:
        match question:
            case TryWorkload():
                await self._try_workload(question, workspace, memory)
            case ReadConfig(ref, version):
                await self._read_config(ref, version, memory)
            case ReadScale(ref, uid):
                await self._read_scale(workspace, ref, uid, memory)

    async def _try_workload(self, step: TryWorkload, workspace: WorkspaceRecord, memory: Memory) -> None:
        tried, adopting = applied_hash(step.manifest), is_adopted(workspace.annotations, step.manifest["kind"])
        try:
            answer = await self._write(step.manifest, workspace, force=step.force, dry_run=True)
        except RejectedError as error:
            foreign = isinstance(error, NotOwnedError)
            memory.dry_run = DryRun(tried, refusal=error.message, foreign=foreign, adopting=adopting)
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
        memory.config = ConfigContent(ref.name, version, config_text(answer.get("data")))

    async def _read_scale(self, workspace: WorkspaceRecord, ref: ObjectRef, uid: str, memory: Memory) -> None:
        """Read the selector that an object's scale subresource tells; kinds without one tell none."""
        resource = self._references.resource_of(workspace.key)
        try:
            answer = await self._client.get(resource, ref.namespace, ref.name, "scale") if resource is not None else {}
        except (NotFoundError, RejectedError, KindNotServedError) as error:
            logger.info("%s: cannot read the scale subresource of %s: %s", workspace.meta.ref, ref, error)
            answer = {}
        memory.scale = ScaleSelector(uid, _equality_labels((answer.get("status") or {}).get("selector") or ""))

    async def _apply(self, step: Apply, workspace: WorkspaceRecord, memory: Memory) -> Problem | None:
        ref, wanted = ref_of(step.manifest), applied_hash(step.manifest)
        adopting = is_adopted(workspace.annotations, ref.kind)
        refused = memory.refusals.get(ref)
        if refused is not None and (refused.manifest_hash, refused.adopting) == (wanted, adopting):
            return refused.problem
        if step.repairs:
            repairs = memory.repairs.get(ref) or Repairs()
            memory.repairs = noted(memory.repairs, ref, repairs)
            if not _is_due(repairs, memory):
                return None
            logger.info("%s: correcting drift of fields that another manager changed", ref)
        try:
            answer = await self._write(step.manifest, workspace, force=step.force)
        except RejectedError as error:
            foreign = isinstance(error, NotOwnedError)
            words = ("NotOwned", error.message) if foreign else ("ApplyRefused", f"{ref}: {error.message}")
            refused = Refusal(wanted, adopting, Problem(step.link, *words), self._retry_at())
            memory.refusals = noted(memory.refusals, ref, refused)
            return refused.problem
        memory.refusals = noted(memory.refusals, ref, None)
        self._cache.write_through(answer)
        self._references.write_through(answer)
        _note_ownership(step, parse_meta(answer, ref.kind), memory)
        return None

    async def _write(self, manifest: Manifest, workspace: WorkspaceRecord, *, force: bool, dry_run: bool = False) -> Json:
        """Apply a manifest, where force is needed only to an object that is ours, or that the Workspace wants to have taken over.

        Raises:
            NotOwnedError: somebody else's object has that name.
        """
        resource = RESOURCES[manifest["kind"]]
        if not force:
            try:
                answer = await self._client.apply(resource, manifest, force=False, dry_run=dry_run)
            except RejectedError:
                # Because of an object that is there: it differs, or the mixture of both is invalid. Else because of the manifest.
                if not await take_over(self._client, resource, manifest, workspace):
                    raise
            else:
                if not is_shared(answer):
                    return answer
                if not dry_run:
                    await self._client.apply(resource, given_back(manifest), force=True)
                await take_over(self._client, resource, manifest, workspace)
        return await self._client.apply(resource, manifest, force=True, dry_run=dry_run)

    async def _delete(self, workspace: WorkspaceRecord, ref: ObjectRef, uid: str, memory: Memory) -> None:
        """Delete an object once; other events can bring the next pass before the one that tells of the deletion."""
        if uid in memory.deleted:
            return
        logger.info("%s: deleting %s", workspace.meta.ref, ref)
        await self._client.delete(RESOURCES[ref.kind], ref.namespace, ref.name, uid)
        memory.deleted = (*memory.deleted, uid)[-_DELETIONS_REMEMBERED:]

    async def _sweep(self, step: Sweep, memory: Memory) -> None:
        """Delete what Flux has left behind, once it is clear that Flux has: its own deletions reach us by several watches."""
        now = asyncio.get_running_loop().time()
        memory.left_since = memory.left_since if memory.left_since is not None else now
        if now < memory.left_since + _SWEEP_DELAY:
            memory.repair_due_at = memory.left_since + _SWEEP_DELAY
            return
        ref = step.workspace
        logger.warning("%s: deleting %s, which Flux left behind when it uninstalled the chart", ref, ", ".join(step.kinds))
        selector = f"{OWNER_LABEL}={ref.name},{MANAGED_BY_LABEL}!={FIELD_MANAGER}"
        for kind in step.kinds:
            try:
                await self._client.delete_collection(PART_RESOURCES[kind], ref.namespace, selector)
            except (RejectedError, KindNotServedError, NotFoundError) as error:
                logger.warning("%s: cannot delete %s of the chart: %s", ref, kind, error)
                memory.swept = True

    async def _ask_flux(self, step: AskFlux, memory: Memory) -> None:
        """Ask Flux to look at a HelmRelease now; one that is gone, or is another one of that name, needs it no more."""
        repairs = memory.requests = memory.requests or Repairs(first_delay=_FIRST_REQUEST_DELAY, calm=_CALM_BETWEEN_REQUESTS)
        if not _is_due(repairs, memory):
            return
        logger.info("%s: %s; requesting a reconciliation from Flux", step.ref, step.cause)
        metadata = {"uid": step.uid, "annotations": {REQUESTED_AT_ANNOTATION: datetime.now(UTC).isoformat()}}
        with suppress(NotFoundError, ConflictError):
            answer = await self._client.merge_patch(
                HELM_RELEASE, step.ref.namespace, step.ref.name, {"metadata": metadata}, field_manager=REPAIR_MANAGER
            )
            self._cache.write_through(answer)
        memory.healing.asked()

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


def _is_due(repairs: Repairs, memory: Memory) -> bool:
    """Whether it is time for the next repair of a kind; note it when it is, else when it will be."""
    now = asyncio.get_running_loop().time()
    due = repairs.next_at()
    if due > now:
        memory.repair_due_at = min(due, memory.repair_due_at or due)
        return False
    repairs.note(now)
    return True


def _identity(meta: Meta) -> Manifest:
    """Return the beginning of what is applied to a Workspace; the uid keeps it from a new Workspace of the same name."""
    metadata = {"name": meta.ref.name, "namespace": meta.ref.namespace, "uid": meta.uid}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}


def _note_ownership(step: Apply, meta: Meta, memory: Memory) -> None:
    """Remember what did not become ours although we applied it, such as a field that a webhook sets: it is not asked for again."""
    tolerated = None if is_ours(step.manifest, meta.owned) else meta.owned
    memory.tolerated = noted(memory.tolerated, meta.ref, tolerated)


def _equality_labels(selector: str) -> dict[str, str]:
    """Return the labels of a selector in text form; empty where it is more than equalities."""
    pairs = [part.strip().replace("==", "=").split("=") for part in selector.split(",") if part.strip()]
    return dict(pairs) if all(len(pair) == 2 and "!" not in pair[0] for pair in pairs) else {}  # noqa: PLR2004
