"""Queries of the API server that planning needs: the dry-run of the workload, the content of a ConfigMap, a scale subresource."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Protocol

from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.cache.watches import CONFIG_MAP
from workspace_ctrl.controller.adoption import NotOwnedError
from workspace_ctrl.controller.workspace_state import WorkspaceState
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import KindNotServedError, NotFoundError, RejectedError
from workspace_ctrl.model.api_query_results import ConfigContent, DryRun, ScaleSelector
from workspace_ctrl.planning.adoption import is_adopted
from workspace_ctrl.planning.manifests import Manifest, applied_hash
from workspace_ctrl.planning.preset.vllm_config import config_text
from workspace_ctrl.planning.steps import DryRunWorkload, Query, ReadConfig, ReadScale
from workspace_ctrl.records.meta import Json, ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)


class Write(Protocol):
    """Applies a manifest for a Workspace, as the executor does it."""

    def __call__(self, manifest: Manifest, workspace: WorkspaceRecord, *, force: bool, dry_run: bool) -> Awaitable[Json]:
        """Return the resulting object; of a dry-run, as it would be."""


class ApiQueries:
    """Answers the queries of planning."""

    def __init__(self, client: Client, watches: DynamicWatches, write: Write, retry_at: Callable[[], float]) -> None:
        """Make it; `write` applies a manifest, and `retry_at` returns when a rejected dry-run may be repeated."""
        self._client = client
        self._watches = watches
        self._write = write
        self._retry_at = retry_at

    async def ask(self, queries: Iterable[Query], workspace: WorkspaceRecord, state: WorkspaceState) -> WorkspaceState:
        """Return the state with the API server's answers to `queries`, which are sent concurrently.

        Raises:
            RetryableError: the same request may succeed soon.
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
        """Read a ConfigMap's content, up to the size limit; if it was deleted meanwhile, its watch will report that."""
        try:
            answer = await self._client.get(CONFIG_MAP, ref.namespace, ref.name)
        except NotFoundError:
            return ConfigContent(ref.name, version, None)
        return ConfigContent(ref.name, version, config_text(answer.get("data")))

    async def _read_scale(self, workspace: WorkspaceRecord, ref: ObjectRef, uid: str) -> ScaleSelector:
        """Read the selector in an object's scale subresource; kinds without one have none."""
        resource = self._watches.resource_of(workspace.key)
        try:
            answer = await self._client.get(resource, ref.namespace, ref.name, "scale") if resource is not None else {}
        except (NotFoundError, RejectedError, KindNotServedError) as error:
            logger.info("%s: cannot read the scale subresource of %s: %s", workspace.meta.ref, ref, error)
            answer = {}
        return ScaleSelector(uid, _equality_labels((answer.get("status") or {}).get("selector") or ""))


def _equality_labels(selector: str) -> dict[str, str]:
    """Return the labels of a selector in text form; empty if it has other requirements than equality."""
    pairs = [part.strip().replace("==", "=").split("=") for part in selector.split(",") if part.strip()]
    return dict(pairs) if all(len(pair) == 2 and "!" not in pair[0] for pair in pairs) else {}  # noqa: PLR2004 - key and value
