"""Layouts of the charts' values, by chart and version."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Literal

from workspace_ctrl.catalog.loading import Row, load

Path = tuple[str, ...]
"""Of a value: its keys from the outside in; a user's key may hold dots."""


class UnknownChartError(Exception):
    """A chart version whose values nobody has checked, or that does harm."""


class Flags(Row):
    """How a chart takes flags of the endpoint picker."""

    path: str
    form: Literal["list", "map"]
    """Of {name, value}, or from name to value."""
    booleans: bool
    """Whether true and false reach the endpoint picker: as two arguments, `--flag` and `false`, they switch it on."""


class Trap(Row):
    """A value that the chart takes without a word and that does not do what it says."""

    path: str
    reason: str
    """Completes the sentence "<path> ...", with the way out."""
    unless: str = ""
    """The value that does no harm."""


class ChartLayout(Row):
    """Where the values of one chart take our decisions."""

    name: str
    versions: str
    """Range such as ">=1.5,<1.6"."""
    refused: str = ""
    """Why these versions are not installed; empty where they are."""
    values: Mapping[str, str]
    """Decision → dotted path in the chart's values."""
    flags: Flags
    traps: tuple[Trap, ...] = ()
    cluster_role: Literal["always", "monitoring"]
    """When the chart makes a ClusterRole: always, or with monitoring by Prometheus."""
    picker_container: str = ""
    """Name of the endpoint picker's container; empty where it is not known."""

    def place(self, decision: str) -> Path | None:
        """Return where the chart takes `decision`; None where it does not."""
        found = self.values.get(decision)
        return tuple(found.split(".")) if found is not None else None

    def values_for(self, decisions: Mapping[str, Any]) -> dict[str, Any]:
        """Return the chart's values for `decisions`; those that are None, or that the chart does not take, are left to the chart."""
        result: dict[str, Any] = {}
        for decision, value in decisions.items():
            path = self.place(decision)
            if value is not None and path is not None:
                put(result, path, value)
        return result

    def covers(self, version: tuple[int, ...]) -> bool:
        """Whether the layout is that of `version`, (major, minor, patch)."""
        return all(_holds(version, bound) for bound in self.versions.split(","))


def find_layout(name: str, version: str) -> ChartLayout:
    """Return the layout of the chart `name` in `version`, such as `v1.5.0`.

    Raises:
        UnknownChartError: no row covers it, or its row refuses it; the message lists those that can be used.
    """
    layout = known_layout(name, version)
    if layout is None:
        raise UnknownChartError(f"the values of chart {name} {version} are not known; set one of: {_usable()}")
    if layout.refused:
        raise UnknownChartError(f"chart {name} {version} is not used: {layout.refused}")
    return layout


@lru_cache
def known_layout(name: str, version: str) -> ChartLayout | None:
    """Return the row of a chart's version, one that is refused included; None where there is none."""
    number = _parse(version)
    rows = (layout for layout in chart_layouts() if layout.name == name)
    return next((layout for layout in rows if number is not None and layout.covers(number)), None)


def _usable() -> str:
    return "; ".join(f"{layout.name} {layout.versions}" for layout in chart_layouts() if not layout.refused)


@cache
def chart_layouts() -> tuple[ChartLayout, ...]:
    """Return all layouts."""
    return load("charts.yaml", "charts", ChartLayout)


def _parse(version: str) -> tuple[int, ...] | None:
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", version)
    return tuple(int(part) for part in match.groups()) if match else None


def _holds(version: tuple[int, ...], bound: str) -> bool:
    operator, limit = re.fullmatch(r"(>=|<)([\d.]+)", bound.strip()).groups()  # type: ignore[union-attr]
    edge = tuple(int(part) for part in limit.split("."))
    return version >= edge if operator == ">=" else version < edge


def put(tree: dict[str, Any], path: Path, value: object) -> None:
    """Set the value at `path`; what stands in the way and is no mapping goes."""
    for part in path[:-1]:
        child = tree.get(part)
        if not isinstance(child, dict):
            child = tree[part] = {}
        tree = child
    tree[path[-1]] = value


def value_at(tree: object, path: Path) -> Any:  # noqa: ANN401
    """Return the value at `path`, or None where there is none."""
    for part in path:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def leaves(tree: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value that is no mapping, or an empty one, with its path."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value
