"""An InferencePool that KAITO has made: left alone and routed to, unless the user wants it to be taken over."""

from workspace_ctrl.api.gateway_spec import Pool, PoolReference
from workspace_ctrl.api.workspace import GatewaySpec, Workspace
from workspace_ctrl.planning.adoption import is_adopted
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.workspaces import WorkspaceRecord


def behind_pool_of_kaito(
    spec: Workspace, workspace: WorkspaceRecord, pool: InferencePool | None, *, has_release: bool
) -> Workspace:
    """Return `spec` with a reference to `pool`, the one with the name of ours, if it is not of our chart.

    `has_release` is whether a HelmRelease of ours exists: the pool is then ours at its next upgrade, if it is not yet.

    KAITO up to 0.7 made a HelmRelease of that name for each Workspace, and later versions leave it there.
    """
    gateway = spec.gateway or GatewaySpec()
    is_ours = has_release or is_adopted(workspace.annotations, "HelmRelease")
    if is_ours or pool is None or pool.meta.workspace or gateway.pool_ref:
        return spec
    reference = Pool(ref=PoolReference(name=pool.ref.name))
    return spec.model_copy(update={"gateway": gateway.model_copy(update={"pool": reference})})
