"""Lookup of the objects that a Workspace refers to or uses the names of, before the Workspace is stored."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.labels import KIND, SET_KIND
from workspace_ctrl.cache.watches import CONFIG_MAP, DEPLOYMENT, SERVICE, STATEFUL_SET
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.planning.admission.admission_verdict import Known, needed
from workspace_ctrl.planning.manifests import ref_of
from workspace_ctrl.planning.preview import Preview
from workspace_ctrl.records.meta import ObjectRef

_RESOURCES: Final = {resource.kind: resource for resource in (CONFIG_MAP, DEPLOYMENT, STATEFUL_SET, SERVICE)}
"""Kinds that the controller can list in every installation."""


async def existing(client: Client, preview: Preview, seconds: float) -> Known:
    """Return which objects exist of those that the Workspace of `preview` needs or would create, as far as known within `seconds`.

    Only metadata is read.
    """
    planned = preview.planned
    needs = [ref for ref in needed(planned.desired.workspace, planned.desired.dependencies) if ref.kind in _RESOURCES]
    makes = [ref for ref in map(ref_of, preview.manifests) if ref.kind in _RESOURCES]
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.gather(*(_metadata(client, ref) for ref in (*needs, *makes)))
    except (TimeoutError, ApiError):
        return Known()
    live = dict(zip((*needs, *makes), found, strict=True))
    return Known(
        missing=frozenset(ref for ref in needs if live[ref] is None),
        taken=tuple({"kind": ref.kind, "metadata": metadata} for ref in makes if (metadata := live[ref]) and not _goes(metadata)),
    )


async def _metadata(client: Client, ref: ObjectRef) -> Mapping[str, Any] | None:
    """Return the metadata of an object, or None; by a list, so that it needs no more rights than the watches."""
    parameters = {"fieldSelector": f"metadata.name={ref.name}"}
    page = await client.list_page(_RESOURCES[ref.kind], parameters, ref.namespace, metadata_only=True)
    return next((item["metadata"] for item in page.get("items") or ()), None)


def _goes(metadata: Mapping[str, Any]) -> bool:
    """Whether an object is being deleted, or belongs to an earlier Workspace."""
    owners = metadata.get("ownerReferences") or ()
    return "deletionTimestamp" in metadata or any(owner.get("kind") in {KIND, SET_KIND} for owner in owners)
