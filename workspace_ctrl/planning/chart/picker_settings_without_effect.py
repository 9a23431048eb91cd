"""Settings of the installation for its endpoint pickers that no chart of its sources heeds: no reason to refuse them, but to say so."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from workspace_ctrl.api.errors import field_path
from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.catalog.charts import ChartLayout, ChartValue, Path, chart_layouts, find_layout, value_at
from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.planning.plan_settings import ChartSource, PickerSettings

_OF_HELM: Final = frozenset({"global"})
"""Keys that every chart has."""
_QUOTED: Final = 64
"""Characters of a path that a message quotes."""
_NEAR: Final = 0.75
"""How close a key must be to count as misspelt."""


def picker_settings_without_effect(
    charts: Sequence[ChartSource], picker: PickerSettings, written: Collection[str]
) -> Iterator[str]:
    """Yield a sentence for each setting of `endpointPicker` without effect on any of `charts`.

    `written` has `replicas` and `resources`, as far as the installation sets them.
    """
    layouts = [find_layout(source.values_of, source.version) for source in charts]
    if "replicas" in written and (places := _set_places(layouts, picker, ChartValue.REPLICAS)):
        yield f"endpointPicker.replicas has no effect: {_values(places)} decides"
    if "resources" in written:
        yield from _resources(layouts, picker)
    for key in picker.values:
        if why := _why_unread(key, charts):
            yield f"{field_path(('endpointPicker', 'values', key))} {why}"
    for index, entry in enumerate(picker.allowed_values):
        if why := _why_unread(entry.partition(".")[0], charts):
            yield f"endpointPicker.allowedValues[{index}], {excerpt(entry, _QUOTED)}, {why}"


def _set_places(layouts: Sequence[ChartLayout], picker: PickerSettings, decision: ChartValue) -> list[Path]:
    """Return the paths of a decision in the values of all charts; none if a chart has no value there, so that the decision is ours."""
    places = [layout.place(decision) for layout in layouts]
    found = [place for place in places if place is not None and value_at(picker.values, place) is not None]
    return found if len(found) == len(places) else []


def _resources(layouts: Sequence[ChartLayout], picker: PickerSettings) -> Iterator[str]:
    if not any(layout.place(ChartValue.RESOURCES) for layout in layouts):
        names = ", ".join(sorted({f"{layout.name} {layout.versions}" for layout in layouts}))
        yield f"endpointPicker.resources has no effect with {names}, which takes none, but on Workspaces that choose a later version"
        return
    places = _set_places(layouts, picker, ChartValue.RESOURCES)
    # Of a request and a limit, the one that is not given follows the other, so either of them decides about both.
    named = [{name for pairs in value_at(picker.values, place).values() for name in pairs} for place in places]
    overruled = set.intersection(*named) if named else set()
    for kind, quantities in picker.resources.items():
        for name in quantities:
            if name in overruled:
                where = field_path(("endpointPicker", "resources", kind, name))
                yield f"{where} has no effect: {_values(places)} decides about {excerpt(name, _QUOTED)}"


def _values(places: Sequence[Path]) -> str:
    return " or ".join(dict.fromkeys(f"endpointPicker.values.{'.'.join(place)}" for place in places))


def _why_unread(key: str, charts: Sequence[ChartSource]) -> str:
    """Return why no chart of the sources reads the values under `key`, as the end of a sentence; empty if one does, or may do so."""
    keys = keys_by_chart()
    names = sorted({source.values_of for source in charts})
    known = sorted(frozenset[str]().union(*(keys[name] for name in names)))
    if key in known or key in _OF_HELM:
        return ""
    owners = [name for name in keys if key in keys[name]]
    if owners:
        return f"has no effect: it belongs to the chart {owners[0]}, which no source of chartSources has"
    # A fork may have further keys.
    is_open = any(source.layout for source in charts)
    remedy = suggestion(key[:_QUOTED], known, "" if is_open else f"known are {', '.join(known)}", _NEAR)
    return f"has no effect that is known: {' and '.join(names)} has no such key; {remedy}" if remedy else ""


@cache
def keys_by_chart() -> Mapping[str, frozenset[str]]:
    """Return the first keys of each chart's values, in any version: those of our decisions, and others that its traps name."""
    roots: dict[str, frozenset[str]] = {}
    for layout in chart_layouts():
        roots[layout.name] = roots.get(layout.name, frozenset()) | layout.roots
    others = {name: frozenset[str]().union(*(roots[other] for other in roots if other != name)) for name in roots}
    trapped = {
        name: {trap.path.partition(".")[0] for layout in chart_layouts() if layout.name == name for trap in layout.traps}
        for name in roots
    }
    return {name: roots[name] | (trapped[name] - others[name]) for name in roots}
