"""What a Workspace would become, without a cluster: the same planning, in a world in which all goes well."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import KIND
from workspace_ctrl.api.names import names
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.planning.gateways import named_gateway
from workspace_ctrl.planning.manifests import Manifest, applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.settings import GatewayChoice, PlanSettings
from workspace_ctrl.planning.steps import Apply, TryWorkload
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.flux import OCIRepository
from workspace_ctrl.records.gateways import Gateway, GatewayClass, InferencePool
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.snapshot import DryRun, Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

_UID = "00000000-0000-0000-0000-000000000000"
_CLASS = "istio"
_CONTROLLER = "istio.io/gateway-controller"


@dataclass(frozen=True, slots=True)
class Preview:
    """The objects that a Workspace would become, in the order of their creation."""

    manifests: tuple[Manifest, ...]
    decisions: Decisions
    assumptions: tuple[str, ...]
    """What a cluster would have to confirm."""


def preview(raw: Mapping[str, Any], settings: PlanSettings) -> Preview:
    """Return what the Workspace `raw` would become.

    Raises:
        SpecError: it would be refused.
    """
    workspace = _record(raw)
    world = _world(workspace, settings)
    asked = plan(workspace, world, settings)
    for problem in asked.decisions.problems:
        if problem.link is LinkName.SPEC:
            raise SpecError("", problem.message)
    tried = next(step.manifest for step in asked.steps if isinstance(step, TryWorkload))
    accepted = replace(world, dry_run=DryRun(applied_hash(tried), kind=tried["kind"]))
    outcome = plan(workspace, accepted, settings)
    manifests = tuple(step.manifest for step in outcome.steps if isinstance(step, Apply))
    return Preview(manifests, outcome.decisions, _assumptions(outcome.decisions))


def _record(raw: Mapping[str, Any]) -> WorkspaceRecord:
    given = raw.get("metadata") or {}
    if not isinstance(given, Mapping):
        raise SpecError("metadata", "is not an object")
    metadata = {"namespace": str(given.get("namespace") or "default"), "name": str(given.get("name") or ""), "uid": _UID}
    return parse_workspace_record({**raw, "metadata": metadata}, KIND)


def _assumptions(decisions: Decisions) -> tuple[str, ...]:
    said = [f"the API server accepts the workload as {decisions.workload_kind}"]
    if decisions.parent is not None:
        said.append(f"{decisions.parent.gateway.ref} is there, and its GatewayClass is {decisions.parent.class_title}'s")
    return tuple(said)


def _world(workspace: WorkspaceRecord, settings: PlanSettings) -> Snapshot:
    """Return a world in which chart and pool are there, and the Gateway that the Workspace or the installation names, or the only one."""
    namespace, name = workspace.key
    derived = names(name)
    choice = _named_gateway(workspace) or settings.gateway or GatewayChoice(namespace, "inference-gateway")
    return Snapshot(
        source=OCIRepository(
            Meta(ObjectRef("OCIRepository", namespace, derived.source), controller_uid=_UID),
            conditions=(Condition("Ready", Status.TRUE),),
            observed_generation=0,
            revision=settings.chart.version,
        ),
        pool=InferencePool(Meta(ObjectRef("InferencePool", namespace, derived.release))),
        gateways=(Gateway(Meta(ObjectRef("Gateway", choice.namespace, choice.name)), class_name=_CLASS),),
        gateway_classes=(GatewayClass(Meta(ObjectRef("GatewayClass", "", _CLASS)), controller=_CONTROLLER),),
    )


def _named_gateway(workspace: WorkspaceRecord) -> GatewayChoice | None:
    try:
        spec = parse_workspace(workspace.meta.ref.name, workspace.fields()).gateway
    except SpecError:
        return None  # planning says what is wrong
    return named_gateway(workspace.key[0], spec)
