"""Where the status of a Workspace is written: to its status subresource, or, beside KAITO, to one condition and an annotation."""

import logging
from typing import Protocol

from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.labels import STATUS_ANNOTATION
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.watches import resource_of
from workspace_ctrl.controller.step_executor import Executor
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ConflictError, NotFoundError, RetryableError
from workspace_ctrl.records.companion_status import (
    OURS,
    Operation,
    added_condition_patch,
    condition_patch,
    divided,
    reported,
    rest_of,
)
from workspace_ctrl.records.meta import Json
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)


class StatusWriter(Protocol):
    """Writes statuses; the cache reads them from where it writes them."""

    def reported(self, status: WorkspaceStatus) -> WorkspaceStatus:
        """Return what is written of a status."""

    async def write(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        """Write the status of a Workspace; return the resulting Workspace, or None if it does not exist any more, or was changed.

        Raises:
            ApiError: the API server rejects it, or a passing error.
        """


class SubresourceWriter:
    """Writes to the status subresource, with the status of our own CRD."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def reported(self, status: WorkspaceStatus) -> WorkspaceStatus:
        """Return the whole status."""
        return status

    async def write(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        """Apply the status."""
        return await self._executor.write_status(workspace, status)


class CompanionWriter:
    """Writes one condition into KAITO's list, and the rest into an annotation; each only where it changes.

    A server-side apply cannot be used for the condition: the list is atomic in KAITO's CRD, so that we would own all of it. A JSON patch
    changes single entries of it, in the list as it is in the API server, and works as well if KAITO makes the list a map by type.
    """

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self._cache = cache

    def reported(self, status: WorkspaceStatus) -> WorkspaceStatus:
        """Return the status, or nothing of it where there is no gateway side."""
        return reported(status)

    async def write(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        """Write what differs, in an order in which the annotation has the URL whenever the condition is True."""
        parts = (self._write_annotation, self._write_condition)
        first, second = parts if divided(status).condition is not None else reversed(parts)
        try:
            answer = await first(workspace, status)
            return await second(workspace, status) or answer
        except NotFoundError:
            logger.debug("%s is gone", workspace.meta.ref)
            return None
        except ConflictError as error:  # the next pass writes into the list as it is by then
            raise RetryableError(f"{workspace.meta.ref} was changed meanwhile: {error}") from error

    async def _write_annotation(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        if rest_of(workspace.status) == rest_of(status):
            return None
        wanted, meta = divided(status).annotation, workspace.meta
        metadata: Json = {"uid": meta.uid, "annotations": {STATUS_ANNOTATION: wanted or None}}
        if not wanted:  # not by an apply, which leaves what we do not own any more, as after the end of a version of the CRD
            patch = {"metadata": metadata}
            return self._written(await self._client.merge_patch(resource_of(meta), meta.ref.namespace, meta.ref.name, patch))
        metadata = {"name": meta.ref.name, "namespace": meta.ref.namespace, **metadata}
        manifest = {"apiVersion": meta.api_version, "kind": meta.ref.kind, "metadata": metadata}
        return self._written(await self._client.apply(resource_of(meta), manifest, force=True))

    async def _write_condition(self, workspace: WorkspaceRecord, status: WorkspaceStatus) -> Json | None:
        """Write the condition into the list as it is in the cache; if it is another one by now, that is a conflict."""
        wanted, meta = divided(status).condition, workspace.meta
        patch = await self._condition_patch(workspace, wanted)
        if not patch:
            return None
        return self._written(await self._client.json_patch(resource_of(meta), meta.ref.namespace, meta.ref.name, patch, "status"))

    async def _condition_patch(self, workspace: WorkspaceRecord, wanted: Condition | None) -> list[Operation]:
        meta, types = workspace.meta, workspace.condition_types
        if wanted is None or OURS in types:
            return condition_patch(meta, types, divided(workspace.status).condition, wanted)
        live = await self._client.find(resource_of(meta), meta.ref.namespace, meta.ref.name)
        if live is None or live["metadata"]["uid"] != meta.uid:
            return []
        return added_condition_patch(live, meta, wanted)

    def _written(self, answer: Json) -> Json:
        self._cache.write_through(answer)
        return answer
