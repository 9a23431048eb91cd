"""Groups of Workspaces as they are observed, with defaults."""

from dataclasses import replace

from tests.unit.factories import NAMESPACE, SETTINGS, gateway, gateway_class, meta, quickstart
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.api.names import endpoint_picker_name, release_name
from workspace_ctrl.api.status import GatewayStatus, WorkspaceStatus
from workspace_ctrl.api.traffic.group_status import CanaryStatus, GroupStatus
from workspace_ctrl.model.canary import CanaryPhase, CanaryState
from workspace_ctrl.model.groups import GroupRecords, MemberRecords
from workspace_ctrl.planning.gateway.parents import Cluster
from workspace_ctrl.planning.traffic.members import members_of
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.workloads import Workload
from workspace_ctrl.records.workspaces import pack_status, parse_workspace_record

GROUP = "chat"
SHARED = ObjectRef("HTTPRoute", NAMESPACE, GROUP)


def record(name, *, kind="Workspace", created="", deleting=False, names=(), group=None, **gateway_spec):
    """A member: `group` replaces the fields of gateway.group besides its name, and `names` are the model names in its status."""
    raw = quickstart(gateway={"group": {"name": GROUP, **(group or {})}, **gateway_spec})
    raw["metadata"] |= {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": created or f"2026-11-21T11:00:0{name[-1]}Z"}
    if deleting:
        raw["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    found = parse_workspace_record(raw, kind)
    status = WorkspaceStatus(gateway=GatewayStatus(model_names=tuple(names)))
    return replace(found, stored_status=pack_status(status.as_object()) if names else b"")


def member(name, *, ready=True, picker=1, observed=True, **fields):
    """What is observed of a member."""
    pool = release_name(name)
    return MemberRecords(
        record(name, **fields),
        pools=(InferencePool(meta("InferencePool", pool, owner=""), selector={POD_LABEL: name}),),
        deployments=(Workload(meta("Deployment", endpoint_picker_name(pool), owner=""), ready_replicas=picker),),
        pods=(Pod(meta("Pod", f"{name}-1", owner=""), labels={POD_LABEL: name}, ready=ready),),
        is_observed=observed,
    )


def group(*members, **fields):
    """What is observed of the group, members in the order of their age."""
    return GroupRecords(GROUP, tuple(members), **fields)


def cluster(*gateways, controller="istio.io/gateway-controller"):
    """A cluster with one Gateway."""
    return Cluster(gateways=gateways or (gateway(),), classes=(gateway_class(controller=controller),))


CANARY = {"steps": [10, 50], "interval": "10s"}


def revision_of(records):
    """What identifies the version of a canary."""
    (found,) = members_of(group(records), SETTINGS)
    return found.canary.revision


def at_step(records, step=1, phase="Progressing", revision=None, *, group=GROUP, reason="CanaryInProgress", **fields):
    """A canary whose status says how far it is in a group."""
    (found,) = members_of(GroupRecords(GROUP, (records,)), SETTINGS)
    revision = revision or found.canary.revision
    percent = CanaryState(revision, CanaryPhase(phase), step - 1).percent(found.canary) if phase in set(CanaryPhase) else 0
    canary = CanaryStatus(revision=revision, phase=phase, step=step, percent=percent, reason=reason, **fields)
    status = WorkspaceStatus(gateway=GatewayStatus(group=GroupStatus(group, canary=canary)))
    workspace = replace(records.workspace, stored_status=pack_status(status.as_object()))
    return replace(records, workspace=workspace)
