"""InferenceObjectives: priorities that requests select with the header x-gateway-inference-objective."""

from collections.abc import Iterator, Sequence

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.gateway import Objective
from workspace_ctrl.api.names import objective_name
from workspace_ctrl.api.picker import Chart
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.planning.chart_source import choose_chart
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.planning.steps import Delete
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.objectives import InferenceObjective

_CHART = "inferencepool"
_API_VERSION = "inference.networking.x-k8s.io/v1alpha2"


def objective_manifest(owner: Meta, pool: str, objective: Objective) -> Manifest:
    """Return the InferenceObjective for requests to `pool`."""
    reference = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool}
    spec = {"priority": objective.priority, "poolRef": reference}
    name = objective_name(owner.ref.name, objective.name)
    return owned(_API_VERSION, "InferenceObjective", name, owner, {"spec": spec})


def stale_objectives(owner: Meta, wanted: Sequence[str], there: Sequence[InferenceObjective]) -> Iterator[Delete]:
    """Yield the deletions of existing objectives (`there`) that we manage and whose names are not in `wanted`."""
    for record in there:
        meta = record.meta
        if meta.is_controlled_by(owner.uid) and meta.ref.name not in wanted and not meta.deleting:
            yield Delete(meta.ref, meta.uid)


def objectives_obstacle(asked: Chart | None, settings: PlanSettings) -> tuple[str, str] | None:
    """Return why the endpoint picker of the requested chart does not support such objects: reason and message."""
    try:
        chart = choose_chart(asked, settings)
    except (SpecError, UnknownChartError):
        return None  # reported with the chart itself
    if chart.chart == _CHART:
        return None
    text = f"the endpoint picker of chart {chart.chart} does not support InferenceObjectives of {_API_VERSION}"
    return "ObjectivesNotSupported", f"{text}; remove gateway.objectives, or use chart {_CHART}"
