"""Which chart a Workspace uses: a source from the controller's settings, by name. A Workspace cannot set an address of its own."""

from dataclasses import replace

from workspace_ctrl.api.endpoint_picker_spec import Chart
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.charts import ChartLayout, UnknownChartError, find_layout, registry_tag
from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.planning.plan_settings import ChartSource, PlanSettings


def choose_chart(asked: Chart | None, settings: PlanSettings) -> ChartSource:
    """Return the source that a Workspace names, else the first one, with the Workspace's version and digest.

    Raises:
        SpecError: the source is not in the settings, or pinned to another version or digest, or the digest is not allowed for the version.
        UnknownChartError: the layout of the chart's values is not known for this version.
    """
    asked = asked or Chart()
    source = _named(asked.name, settings) if asked.name is not None else settings.chart
    for field, ours, theirs in (("version", source.version, asked.version), ("digest", source.digest, asked.digest)):
        if source.digest and theirs is not None and registry_tag(theirs) != registry_tag(ours):
            problem = f"does not match source {source.name}, which the controller's settings pin to {source.version}"
            raise SpecError(f"gateway.chart.{field}", problem, "remove it, or choose another source")
    version = asked.version or source.version
    _check_digest(asked.digest, version, source)
    try:
        find_layout(source.values_of, version)
    except UnknownChartError as error:
        raise UnknownChartError(f"gateway.chart.version: {error}" if asked.version else str(error)) from None
    if version == source.version and not asked.digest:
        return source
    return replace(source, version=version, digest=asked.digest or source.digest)


def layout_of(asked: Chart | None, settings: PlanSettings) -> ChartLayout | None:
    """Return the layout of the chart that a Workspace uses; None if it may not, or its layout is not known, which is reported elsewhere."""
    try:
        chart = choose_chart(asked, settings)
        return find_layout(chart.values_of, chart.version)
    except (SpecError, UnknownChartError):
        return None


def _check_digest(digest: str | None, version: str, source: ChartSource) -> None:
    """Check that a Workspace may choose `digest`: it decides what Flux installs, whatever the version next to it says.

    Raises:
        SpecError: it may not.
    """
    if digest is not None and digest != source.digest and (version, digest) not in source.allowed_digests:
        problem = f"is not one that the controller's settings allow for {version} of source {source.name}"
        raise SpecError("gateway.chart.digest", problem, "remove it; administrators can add it to allowedDigests of the source")


def chart_name(asked: Chart | None, settings: PlanSettings) -> str:
    """Return the name of the chart that a Workspace names; that of the first source if the named one is not in the settings."""
    name = asked.name if asked is not None else None
    return next((source for source in settings.charts if source.name == name), settings.chart).chart


def _named(name: str, settings: PlanSettings) -> ChartSource:
    known = [source.name for source in settings.charts]
    found = next((source for source in settings.charts if source.name == name), None)
    if found is None:
        remedy = suggestion(name, known, f"available: {', '.join(known)}")
        raise SpecError("gateway.chart.name", f"{name} is not known", remedy)
    return found
