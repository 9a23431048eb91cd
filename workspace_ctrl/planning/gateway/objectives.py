"""InferenceObjectives: priorities that requests select with the header x-gateway-inference-objective.

Two API groups have this kind, and at its start an endpoint picker chooses the first one that it knows and the API server has. So objectives
are applied in that group. In another one that it knows they stay if they exist: a picker that was started before the CRD of the first group
was installed still reads them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from workspace_ctrl.api.endpoint_picker_spec import Chart
from workspace_ctrl.api.gateway_spec import Objective
from workspace_ctrl.api.labels import LLM_D_GROUP, OBJECTIVES_GROUP
from workspace_ctrl.api.names import objective_name
from workspace_ctrl.catalog.charts import known_layout
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.chart.source import layout_of
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.objectives import OBJECTIVE, InferenceObjective, objective_kind

EVERY_GROUP: Final = (LLM_D_GROUP, OBJECTIVES_GROUP)
"""The API groups that have InferenceObjectives."""
_VERSION: Final = "v1alpha2"


@dataclass(frozen=True, slots=True)
class WantedObjectives:
    """The objectives of a Workspace, and for which endpoint picker."""

    objectives: Mapping[str, Objective]
    """By the names of their objects."""
    pool: str
    """The pool that requests go to."""
    groups: Sequence[str]
    """The API groups that its endpoint picker knows, the one that it prefers first."""
    everywhere: bool = False
    """Whether they are applied in all these groups, because it is not known which one the endpoint picker reads."""
    moving: bool = False
    """Whether requests still go to the pool of a former chart."""


def plan_objectives(
    draft: PlanBuilder, wanted: WantedObjectives, there: Sequence[InferenceObjective], unwatched: str, *, has_those_of_llm_d: bool
) -> tuple[str, ...]:
    """Plan the `wanted` objectives, and delete the other ones of `there`; return the kinds that the endpoint picker reads first.

    While requests still go to the pool of a former chart, the objectives that exist are left to its endpoint picker. `unwatched` is why
    those of the inference extension cannot be watched, and `has_those_of_llm_d` whether those of llm-d can. Without a group that can, a
    problem is reported, which affects nothing else.
    """
    served = {LLM_D_GROUP: has_those_of_llm_d, OBJECTIVES_GROUP: not unwatched}
    groups = [group for group in wanted.groups if served[group]]
    existing = {record.meta.ref for record in there}
    kept = _kept(draft, wanted, groups, existing)
    if not wanted.moving:
        draft.delete(record.meta for record in there if record.meta.ref not in kept)
    if wanted.objectives and not groups:
        draft.report(unwatched_problem(unwatched, wanted.groups))
    for ref, (group, objective) in kept.items():
        if not (wanted.moving and ref in existing):
            make = partial(objective_manifest, draft.owner, wanted.pool, objective, group)
            draft.apply(draft.manifest(("objective", ref.kind, ref.name), make, wanted.pool), LinkName.OBJECTIVES)
    return tuple(map(objective_kind, groups if wanted.everywhere else groups[:1]))


def unwatched_problem(problem: str, groups: Sequence[str]) -> Problem:
    """Return the problem of objectives whose kind cannot be watched in any of the endpoint picker's `groups`; `problem` is why."""
    which = "that CRD, which the inference extension has up to 1.5"
    if LLM_D_GROUP in groups:
        which = f"that CRD, or the one of llm-d ({LLM_D_GROUP}/{_VERSION})"
    text = f"{problem}; install {which}, then restart the endpoint picker, which detects it at start"
    return Problem(LinkName.OBJECTIVES, "CRDsNotAvailable", text)


def groups_of(asked: Chart | None, settings: PlanSettings) -> tuple[str, ...]:
    """Return the API groups that the endpoint picker of a chart knows; that of the inference extension if the chart is not known."""
    layout = layout_of(asked, settings)
    return layout.objective_groups if layout is not None else (OBJECTIVES_GROUP,)  # the chart's own problem is reported


def concerns_llm_d(there: Iterable[InferenceObjective], settings: PlanSettings, *, wanted: bool, own_pool: bool) -> bool:
    """Whether objectives of llm-d have to be watched: there are some, or `wanted` ones may be read.

    `own_pool` is whether the user manages the pool, so that it is not known what its endpoint picker reads.
    """
    exists = any(objective.meta.ref.kind == objective_kind(LLM_D_GROUP) for objective in there)
    return exists or (wanted and (own_pool or _may_read(LLM_D_GROUP, settings)))


def _may_read(group: str, settings: PlanSettings) -> bool:
    """Whether the endpoint picker of a chart of the installation reads objectives of that API group."""
    layouts = (known_layout(source.values_of, source.version) for source in settings.charts)
    return any(layout is not None and group in layout.objective_groups for layout in layouts)


def objective_manifest(owner: Meta, pool: str, objective: Objective, group: str = OBJECTIVES_GROUP) -> Manifest:
    """Return the InferenceObjective for requests to `pool`."""
    reference = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool}
    spec = {"priority": objective.priority, "poolRef": reference}
    name = objective_name(owner.ref.name, objective.name)
    return owned(f"{group}/{_VERSION}", OBJECTIVE, name, owner, {"spec": spec})


def _kept(
    draft: PlanBuilder, wanted: WantedObjectives, groups: Sequence[str], existing: set[ObjectRef]
) -> dict[ObjectRef, tuple[str, Objective]]:
    """Return the objects that must exist: all in the first group, and in the others those that exist."""
    kept = {}
    for number, group in enumerate(groups):
        for name, objective in wanted.objectives.items():
            ref = ObjectRef(objective_kind(group), draft.owner.ref.namespace, name)
            if number == 0 or wanted.everywhere or ref in existing:
                kept[ref] = (group, objective)
    return kept
