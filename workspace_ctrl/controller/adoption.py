"""Adoption of existing objects with a name that we need, if the Workspace allows it; else the error says how."""

import logging
from collections.abc import Mapping

from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.kube.resources import ApiResource
from workspace_ctrl.planning.adoption import handed_over, is_adopted, is_own, offer, refusal
from workspace_ctrl.planning.manifests import Manifest, group_of, ref_of
from workspace_ctrl.records.workspaces import WorkspaceRecord

logger = logging.getLogger(__name__)


class NotOwnedError(RejectedError):
    """An object that is not ours has a name that we need; the message says what to do."""


async def take_over(client: Client, resource: ApiResource, manifest: Manifest, workspace: WorkspaceRecord) -> bool:
    """Make the existing object with the name of `manifest` ours, so that it can be applied with force; return whether one exists.

    Raises:
        NotOwnedError: the Workspace does not allow it, or the object belongs to another controller.
        RejectedError: the API server does not allow it, or the object has changed meanwhile.
        RetryableError: the same request may succeed soon.
    """
    ref = ref_of(manifest)
    live = await client.find(resource, ref.namespace, ref.name)
    if live is None:
        return False
    group = group_of(manifest)
    if group and group_of(live) != group:
        raise NotOwnedError(f"{ref} already exists and was not created for group {group}; delete it, or rename the group")
    if group:
        return True
    if is_own(live, workspace.meta):
        return True
    refused = refusal(live, workspace.meta, ref)
    if refused or not is_adopted(workspace.annotations, ref.kind):
        raise NotOwnedError(refused or offer(live, workspace.meta, ref))
    logger.info("%s: adopting %s, as requested by annotation", workspace.meta.ref, ref)
    await client.merge_patch(resource, ref.namespace, ref.name, handed_over(live))
    return True


def given_back(manifest: Manifest) -> Manifest:
    """Return the manifest whose apply removes all our fields from an object."""
    metadata: Mapping[str, object] = manifest["metadata"]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
    }
