"""What follows from a Workspace's spec and from objects of others, whatever has been made of it so far.

It is the costly part of planning, and between two passes it rarely changes; so a caller may hand it in again, and it is used while its
inputs are the same.
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
    """A Workspace, read, with its model server; or why there is none (yet)."""

    inputs: tuple[Any, ...]
    """All that it was made from."""
    gateway_wanted: bool = False
    interests: Interests = field(default_factory=Interests)
    spec: Workspace | None = None
    server: ModelServer | None = None
    """None where there is a problem, or a question to be asked first."""
    problem: Problem | None = None
    question: Question | None = None
    _manifests: dict[Hashable, Manifest] = field(default_factory=dict, compare=False)
    _ours: dict[str, tuple[str, Fields, bool]] = field(default_factory=dict, compare=False)

    def manifest(self, key: Hashable, make: Callable[[], Manifest]) -> Manifest:
        """Return the manifest that `make` makes; `key` stands for all that goes into it besides the inputs."""
        found = self._manifests.get(key)
        if found is None:
            found = self._manifests[key] = make()
        return found

    def is_ours(self, manifest: Manifest, meta: Meta) -> bool:
        """Whether every field of `manifest` is ours in the object of `meta`; looked up where neither has changed."""
        kind, wanted = ref_of(manifest), applied_hash(manifest)
        known = self._ours.get(str(kind))
        if known is None or known[0] != wanted or known[1] is not meta.owned:
            known = self._ours[str(kind)] = (wanted, meta.owned, is_ours(manifest, meta.owned))
        return known[2]


def prepare(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings, known: Prepared | None = None) -> Prepared:
    """Return what follows from `workspace`; `known` itself where its inputs are the same."""
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
        raise SpecError("", f"the Workspace cannot be read: {workspace.meta.unreadable}", "make it smaller")
    return parse_workspace(workspace.meta.ref.name, workspace.fields())


def _gateway_interests(watched: Interests, spec: GatewaySpec | None, settings: PlanSettings) -> Interests:
    own_route = spec.http_route_ref.name if spec is not None and spec.http_route_ref is not None else ""
    chart = chart_name(spec.chart if spec is not None else None, settings)
    return replace(watched, namespace=True, route=own_route, pool=spec.pool_ref if spec is not None else "", chart=chart)


def _inputs(workspace: WorkspaceRecord, snapshot: Snapshot) -> tuple[Any, ...]:
    """Return all that reading a spec and making its model server look at."""
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
    """What to do now, in order, and what was decided."""

    decisions: Decisions
    steps: tuple[Step, ...] = ()
    interests: Interests = field(default_factory=Interests)
    claims: frozenset[Claim] | None = None
    """What the Workspace claims on listeners; None where that cannot be told now, so that it keeps what it had."""
    prepared: Prepared | None = None
    """To be handed to the next plan; worth its memory while the next one is near."""

    @property
    def asks(self) -> bool:
        """Whether the plan goes on once its questions are answered."""
        return any(isinstance(step, TryWorkload | ReadConfig | ReadScale) for step in self.steps)
