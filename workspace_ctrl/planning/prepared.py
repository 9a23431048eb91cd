"""The part of planning that depends only on the Workspace's spec and on external objects, not on the objects created so far.

It is the costly part and rarely changes between two passes. So a caller may pass the earlier result, which is reused while its inputs
are equal.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import GatewaySpec, Workspace, parse_workspace
from workspace_ctrl.planning.chart_source import chart_name
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.model_names import check_model_name
from workspace_ctrl.planning.model_server import ModelServer, interests, model_server
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.planning.steps import Interests, Question, ReadConfig, ReadScale, Step, TryWorkload, UnresolvedError
from workspace_ctrl.records.claims import Claim
from workspace_ctrl.records.decisions import Decisions, LinkName, Problem
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.ownership import Fields
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class Prepared:
    """A parsed Workspace with its model server, or the problem or query because of which there is none yet."""

    inputs: tuple[Any, ...]
    """All inputs of this result."""
    gateway_wanted: bool = False
    interests: Interests = field(default_factory=Interests)
    spec: Workspace | None = None
    server: ModelServer | None = None
    """None if there is a problem, or a query to be answered first."""
    problem: Problem | None = None
    question: Question | None = None
    _manifests: dict[Hashable, Manifest] = field(default_factory=dict, compare=False)
    _ours: dict[str, tuple[str, Fields, bool]] = field(default_factory=dict, compare=False)

    def manifest(self, key: Hashable, make: Callable[[], Manifest]) -> Manifest:
        """Return the manifest that `make` returns, cached by `key`, which holds all that it depends on besides the inputs."""
        found = self._manifests.get(key)
        if found is None:
            found = self._manifests[key] = make()
        return found

    def is_ours(self, manifest: Manifest, meta: Meta) -> bool:
        """Whether we own every field of `manifest` in the object of `meta`; cached while neither has changed."""
        kind, wanted = ref_of(manifest), applied_hash(manifest)
        known = self._ours.get(str(kind))
        if known is None or known[0] != wanted or known[1] is not meta.owned:
            known = self._ours[str(kind)] = (wanted, meta.owned, is_ours(manifest, meta.owned))
        return known[2]


def prepare(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings, known: Prepared | None = None) -> Prepared:
    """Return the parsed `workspace` with its model server; `known` itself if its inputs are equal."""
    inputs = _inputs(workspace, snapshot)
    if known is not None and known.inputs == inputs:
        return known
    watched, wanted = Interests(), settings.gateway_extension
    try:
        spec = _read(workspace)
        wanted = wanted and (spec.gateway is None or spec.gateway.enabled)
        watched = _gateway_interests(interests(spec), spec.gateway, settings) if wanted else interests(spec)
        server = model_server(workspace, spec, snapshot, settings)
        check_model_name(spec, server.model_names)
    except SpecError as error:
        problem = Problem(LinkName.SPEC, "InvalidSpec", str(error), terminal=True)
        return Prepared(inputs, wanted, watched, problem=problem)
    except UnresolvedError as error:
        return Prepared(inputs, wanted, watched, problem=error.problem, question=error.step)
    watched = replace(watched, pods=server.selector)
    return Prepared(inputs, wanted, watched, spec, server)


def _read(workspace: WorkspaceRecord) -> Workspace:
    if workspace.meta.unreadable:
        raise SpecError("", f"the Workspace cannot be read: {workspace.meta.unreadable}", "reduce its size or nesting")
    return parse_workspace(workspace.meta.ref.name, workspace.fields())


def _gateway_interests(watched: Interests, spec: GatewaySpec | None, settings: PlanSettings) -> Interests:
    own_route = spec.http_route_ref.name if spec is not None and spec.http_route_ref is not None else ""
    chart = chart_name(spec.chart if spec is not None else None, settings)
    return replace(watched, namespace=True, route=own_route, pool=spec.pool_ref if spec is not None else "", chart=chart)


def _inputs(workspace: WorkspaceRecord, snapshot: Snapshot) -> tuple[Any, ...]:
    """Return all inputs of parsing the spec and planning its model server."""
    reference, answers = snapshot.reference, snapshot.answers
    return (
        workspace.meta.uid,
        workspace.meta.unreadable,
        workspace.spec,
        workspace.annotations,
        snapshot.config_map,
        answers.config,
        answers.scale,
        None if reference is None else (reference.meta.uid, reference.selector, reference.port),
        snapshot.reference_trouble,
        snapshot.nodes,
        [(workload.ref.kind, workload.node_gpus, workload.scaled_by_others) for workload in snapshot.workloads],
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps, in order, and the decisions behind them."""

    decisions: Decisions
    steps: tuple[Step, ...] = ()
    interests: Interests = field(default_factory=Interests)
    claims: frozenset[Claim] | None = None
    """The route matches that the Workspace claims on listeners; None if they are not known now, so that the earlier claims stay."""
    prepared: Prepared | None = None
    """Input for the next plan; worth its memory only if that follows soon."""

    @property
    def asks(self) -> bool:
        """Whether the plan has queries and continues once they are answered."""
        return any(isinstance(step, TryWorkload | ReadConfig | ReadScale) for step in self.steps)
