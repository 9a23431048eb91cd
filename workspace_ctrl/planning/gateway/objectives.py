"""InferenceObjectives: priorities that requests select with the header x-gateway-inference-objective."""

from collections.abc import Iterable, Mapping
from functools import partial

from workspace_ctrl.api.endpoint_picker import Chart
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.gateway import Objective
from workspace_ctrl.api.names import objective_name
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.chart.source import choose_chart
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.objectives import InferenceObjective

_CHART = "inferencepool"
_API_VERSION = "inference.networking.x-k8s.io/v1alpha2"


def plan_objectives(
    draft: PlanBuilder, wanted: Mapping[str, Objective], pool: str, there: Iterable[InferenceObjective], problem: Problem | None
) -> None:
    """Plan the `wanted` objectives, by the names of their objects, for requests to `pool`, and delete the other ones of `there`.

    `problem` is why they cannot be created, or would have no effect; it affects nothing else.
    """
    draft.delete(record.meta for record in there if record.meta.ref.name not in wanted)
    if problem is not None:
        draft.report(problem)
        return
    for name, objective in wanted.items():
        make = partial(objective_manifest, draft.owner, pool, objective)
        draft.apply(draft.manifest(("objective", name), make), LinkName.OBJECTIVES)


def unwatched_problem(problem: str) -> Problem:
    """Return the problem of objectives whose kind cannot be watched; `problem` is why."""
    text = f"{problem}; install that CRD of the inference extension, then restart the endpoint picker, which detects it at start"
    return Problem(LinkName.OBJECTIVES, "CRDsNotAvailable", text)


def unsupported_problem(asked: Chart | None, settings: PlanSettings) -> Problem | None:
    """Return that the endpoint picker of the requested chart does not support such objects; None if it does."""
    try:
        chart = choose_chart(asked, settings)
    except (SpecError, UnknownChartError):
        return None  # reported with the chart itself
    if chart.chart == _CHART:
        return None
    text = f"the endpoint picker of chart {chart.chart} does not support InferenceObjectives of {_API_VERSION}"
    return Problem(LinkName.OBJECTIVES, "ObjectivesNotSupported", f"{text}; remove gateway.objectives, or use chart {_CHART}")


def objective_manifest(owner: Meta, pool: str, objective: Objective) -> Manifest:
    """Return the InferenceObjective for requests to `pool`."""
    reference = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool}
    spec = {"priority": objective.priority, "poolRef": reference}
    name = objective_name(owner.ref.name, objective.name)
    return owned(_API_VERSION, "InferenceObjective", name, owner, {"spec": spec})
