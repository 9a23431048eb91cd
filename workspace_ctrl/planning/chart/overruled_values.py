"""Values of the chart that a Workspace sets twice: in `endpointPicker.values`, and by a field of `endpointPicker`, which overrules it."""

from collections.abc import Iterator

from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.catalog.charts import ChartValue, value_at
from workspace_ctrl.planning.chart.source import layout_of
from workspace_ctrl.planning.plan_settings import PlanSettings


def overruled_values(gateway: GatewaySpec, settings: PlanSettings) -> Iterator[str]:
    """Yield a message for each of these; nothing for a chart that is not known, which is a problem of its own."""
    picker = gateway.endpoint_picker
    if picker is None or not picker.values:
        return
    layout = layout_of(gateway.chart, settings)
    if layout is None:
        return
    for decision, field, given in (
        (ChartValue.REPLICAS, "replicas", picker.replicas),
        (ChartValue.RESOURCES, "resources", picker.resources),
    ):
        path = layout.place(decision)
        if given and path is not None and value_at(picker.values, path) is not None:
            place = f"gateway.endpointPicker.values.{'.'.join(path)}"
            yield f"{place} has no effect beside gateway.endpointPicker.{field}; remove one of them"
