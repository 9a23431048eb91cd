"""Carries out the steps of a plan, and writes the status: all writes on behalf of a Workspace are here."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

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
from workspace_ctrl.api.yaml_documents import TENANTS
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.cache.watches import CHART_OBJECT_RESOURCES, CONFIG_MAP, HELM_RELEASE, RESOURCES, WORKSPACE
from workspace_ctrl.controller.adoption import NotOwnedError, given_back, take_over
from workspace_ctrl.controller.state import Rejection, WorkspaceState
from workspace_ctrl.helm.verifier import ChartVerifier, NoChartVerifier
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, ConflictError, KindNotServedError, NotFoundError, RejectedError
from workspace_ctrl.model.decisions import Problem
from workspace_ctrl.model.query_results import ConfigContent, DryRun, ScaleSelector
from workspace_ctrl.planning.adoption import is_adopted, is_shared
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.steps import (
    Apply,
    Delete,
    DryRunWorkload,
    Prune,
    Query,
    ReadConfig,
    ReadScale,
    RequestReconcile,
    Resume,
    SetFinalizer,
    Step,
    VerifyChart,
)
from workspace_ctrl.planning.workload.vllm_config import CONFIG_KEY
from workspace_ctrl.records.managed_fields import Fields
from workspace_ctrl.records.meta import Json, Meta, ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord
from workspace_ctrl.settings.process import Settings

logger = logging.getLogger(__name__)

_PRUNE_DELAY: Final = 2.0
"""Seconds until it is clear that Flux has left objects behind: its own deletions reach us by several watches."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of steps: a value that each step makes anew."""

    state: WorkspaceState
    problems: tuple[Problem, ...] = ()
    """Why the API server rejected writes."""
    records: tuple[Any, ...] = ()
    """The objects that were written, as the API server returned them."""
    error: ApiError | None = None
    """The passing error that ended the steps early; the pass is to be repeated."""


class Executor:
    """Carries out steps on the API server; rejections become problems."""

    def __init__(
        self, client: Client, cache: Cache, references: DynamicWatches, settings: Settings, charts: ChartVerifier | NoChartVerifier
    ) -> None:
        self._client = client
        self._charts = charts
        self._cache = cache
        self._references = references
        self._settings = settings

    async def run(self, steps: Iterable[Step], workspace: WorkspaceRecord, state: WorkspaceState) -> Outcome:
        """Carry out `steps` in order, up to the first one that meets a passing error."""
        outcome = Outcome(state)
        for step in steps:
            try:
                outcome = await self._step(step, workspace, outcome)
            except ApiError as error:
                return replace(outcome, error=error)
        return outcome

    async def ask(self, queries: Iterable[Query], workspace: WorkspaceRecord, state: WorkspaceState) -> WorkspaceState:
        """Return the state with the API server's answers to `queries`, which are asked together.

        Raises:
            RetryableError: it may succeed soon.
        """
        query_results = await asyncio.gather(*(self._answer(query, workspace) for query in queries))
        known = state.query_results
        for answer in query_results:
            match answer:
                case DryRun():
                    known = replace(known, dry_run=answer)
                case ConfigContent():
                    known = replace(known, config=answer)
                case ScaleSelector():
                    known = replace(known, scale=answer)
        is_refused = known.dry_run is not None and known.dry_run.refusal != ""
        return replace(state, query_results=known, dry_run_retry_at=self._retry_at() if is_refused else state.dry_run_retry_at)

    async def _step(self, step: Step, workspace: WorkspaceRecord, outcome: Outcome) -> Outcome:
        """Carry out one step.

        Raises:
            ApiError: a passing error.
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
            case VerifyChart(chart):
                self._charts.look(chart, workspace.key)
            case Resume(ref):
                await self._client.merge_patch(HELM_RELEASE, ref.namespace, ref.name, {"spec": {"suspend": None}})
        return outcome

    async def _answer(self, query: Query, workspace: WorkspaceRecord) -> DryRun | ConfigContent | ScaleSelector:
        match query:
            case DryRunWorkload():
                return await self._dry_run(query, workspace)
            case ReadConfig(ref, version):
                return await self._read_config(ref, version)
            case ReadScale(ref, uid):
                return await self._read_scale(workspace, ref, uid)

    async def _dry_run(self, step: DryRunWorkload, workspace: WorkspaceRecord) -> DryRun:
        tried, adopting = applied_hash(step.manifest), is_adopted(workspace.annotations, step.manifest["kind"])
        try:
            answer = await self._write(step.manifest, workspace, force=step.force, dry_run=True)
        except RejectedError as error:
            return DryRun(tried, refusal=error.message, foreign=isinstance(error, NotOwnedError), adopting=adopting)
        return DryRun(tried, kind=answer["kind"])

    async def _read_config(self, ref: ObjectRef, version: str) -> ConfigContent:
        """Read a ConfigMap's content, no more of it than is looked at; one that is gone by now is noticed by its watch."""
        try:
            answer = await self._client.get(CONFIG_MAP, ref.namespace, ref.name)
        except NotFoundError:
            return ConfigContent(ref.name, version, None)
        text = (answer.get("data") or {}).get(CONFIG_KEY)
        return ConfigContent(ref.name, version, text[: (TENANTS.size or 0) + 1] if text is not None else None)

    async def _read_scale(self, workspace: WorkspaceRecord, ref: ObjectRef, uid: str) -> ScaleSelector:
        """Read the selector in an object's scale subresource; kinds without one have none."""
        resource = self._references.resource_of(workspace.key)
        try:
            answer = await self._client.get(resource, ref.namespace, ref.name, "scale") if resource is not None else {}
        except (NotFoundError, RejectedError, KindNotServedError) as error:
            logger.info("%s: cannot read the scale subresource of %s: %s", workspace.meta.ref, ref, error)
            answer = {}
        return ScaleSelector(uid, _equality_labels((answer.get("status") or {}).get("selector") or ""))

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
            answer = await self._write(step.manifest, workspace, force=step.force)
        except RejectedError as error:
            words = ("NotOwned", error.message) if isinstance(error, NotOwnedError) else ("ApplyRefused", f"{ref}: {error.message}")
            rejected = Rejection(wanted, adopting, Problem(step.link, *words), self._retry_at())
            return replace(outcome, state=state.with_rejection(ref, rejected), problems=(*outcome.problems, rejected.problem))
        record = self._cache.write_through(answer)
        self._references.write_through(record, int(answer["metadata"]["resourceVersion"]))
        state = state.with_rejection(ref, None).with_accepted_drift(ref, _not_ours(step.manifest, record.meta))
        return replace(outcome, state=state, records=(*outcome.records, record))

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

    async def _delete(self, workspace: WorkspaceRecord, ref: ObjectRef, uid: str, outcome: Outcome) -> Outcome:
        """Delete an object once; other events can bring the next pass before the one of the deletion."""
        if uid in outcome.state.deleted:
            return outcome
        logger.info("%s: deleting %s", workspace.meta.ref, ref)
        await self._client.delete(RESOURCES[ref.kind], ref.namespace, ref.name, uid)
        return replace(outcome, state=outcome.state.with_deleted(uid))

    async def _prune(self, step: Prune, state: WorkspaceState) -> WorkspaceState:
        """Delete what Flux has left behind, once it is clear that Flux has."""
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
        """Request the reconciliation of a HelmRelease now; one that is gone, or is another one of that name, needs it no more."""
        state, is_due = outcome.state.with_reconcile_request(_now())
        if not is_due:
            return replace(outcome, state=state)
        logger.info("%s: %s; requesting a reconciliation from Flux", step.ref, step.cause)
        metadata = {"uid": step.uid, "annotations": {REQUESTED_AT_ANNOTATION: datetime.now(UTC).isoformat()}}
        records = outcome.records
        try:
            answer = await self._client.merge_patch(
                HELM_RELEASE, step.ref.namespace, step.ref.name, {"metadata": metadata}, field_manager=REPAIR_MANAGER
            )
        except (NotFoundError, ConflictError):
            logger.debug("%s is gone", step.ref)
        else:
            records = (*records, self._cache.write_through(answer))
        return replace(outcome, state=replace(state, drift=state.drift.requested()), records=records)

    async def write_status(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        """Write the status of a Workspace; return the Workspace as it is then, or None where it was gone."""
        manifest = _identity(workspace.meta) | {"status": status.as_object()}
        return await self._apply_to_workspace(workspace, manifest, "status")

    async def _set_finalizer(self, workspace: WorkspaceRecord, outcome: Outcome, *, present: bool) -> Outcome:
        """Apply our finalizer, or nothing in its place; finalizers of others are not ours to send."""
        manifest = _identity(workspace.meta)
        manifest["metadata"]["finalizers"] = [FINALIZER] if present else []
        await self._apply_to_workspace(workspace, manifest)
        return replace(outcome, state=replace(outcome.state, left_behind_since=None, pruned=False))

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
        return _now() + self._settings.refusal_interval


def _now() -> float:
    return asyncio.get_running_loop().time()


def _identity(meta: Meta) -> Manifest:
    """Return the beginning of what is applied to a Workspace; the uid keeps it from a new Workspace of the same name."""
    metadata = {"name": meta.ref.name, "namespace": meta.ref.namespace, "uid": meta.uid}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}


def _not_ours(manifest: Manifest, meta: Meta) -> Fields | None:
    """Return the fields of an object that became ours, where others than those that we applied did not, such as one that a webhook sets.

    They are not asked for again.
    """
    return None if is_ours(manifest, meta.owned) else meta.owned


def _equality_labels(selector: str) -> dict[str, str]:
    """Return the labels of a selector in text form; empty where it is more than equalities."""
    pairs = [part.strip().replace("==", "=").split("=") for part in selector.split(",") if part.strip()]
    return dict(pairs) if all(len(pair) == 2 and "!" not in pair[0] for pair in pairs) else {}  # noqa: PLR2004
