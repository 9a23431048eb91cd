"""Which chart a Workspace gets: one of the sources that the installation lists, by name; never an address of the Workspace's own."""

from dataclasses import replace

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.picker import Chart
from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.catalog.loading import suggestion
from workspace_ctrl.planning.settings import ChartSource, PlanSettings


def choose_chart(asked: Chart | None, settings: PlanSettings) -> ChartSource:
    """Return the source that a Workspace asks for, else the first, with the Workspace's version and digest.

    Raises:
        SpecError: the source is not listed, or pinned to another version or digest.
        UnknownChartError: the layout of the chart's values is not known in this version.
    """
    asked = asked or Chart()
    source = _named(asked.name, settings) if asked.name is not None else settings.chart
    for field, ours, theirs in (("version", source.version, asked.version), ("digest", source.digest, asked.digest)):
        if source.digest and theirs is not None and theirs != ours:
            problem = f"is not that of source {source.name}, which the installation pins to {source.version}"
            raise SpecError(f"gateway.chart.{field}", problem, "remove it, or choose another source")
    version = asked.version or source.version
    try:
        find_layout(source.values_of, version)
    except UnknownChartError as error:
        raise UnknownChartError(f"gateway.chart.version: {error}" if asked.version else str(error)) from None
    return replace(source, version=version, digest=asked.digest or source.digest)


def chart_name(asked: Chart | None, settings: PlanSettings) -> str:
    """Return the name of the chart that a Workspace asks for; of a source that is not listed, the first one's."""
    name = asked.name if asked is not None else None
    return next((source for source in settings.charts if source.name == name), settings.chart).chart


def _named(name: str, settings: PlanSettings) -> ChartSource:
    known = [source.name for source in settings.charts]
    found = next((source for source in settings.charts if source.name == name), None)
    if found is None:
        remedy = suggestion(name, known, f"the installation lists {', '.join(known)}")
        raise SpecError("gateway.chart.name", f"{name} is not known", remedy)
    return found
