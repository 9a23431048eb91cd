"""Layouts of the charts' values, by chart and version."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from workspace_ctrl.catalog.loading import Row, load


class UnknownChartError(Exception):
    """A chart version whose values nobody has checked."""


class ChartLayout(Row):
    """Where the values of one chart take our decisions."""

    name: str
    versions: str
    """Range such as ">=1.5,<1.6"."""
    values: Mapping[str, str]
    """Decision → dotted path in the chart's values."""

    def values_for(self, decisions: Mapping[str, Any]) -> dict[str, Any]:
        """Return the chart's values for `decisions`; those that are None are left to the chart.

        Raises:
            KeyError: the layout has no place for a decision.
        """
        result: dict[str, Any] = {}
        for decision, value in decisions.items():
            if value is not None:
                _put(result, self.values[decision].split("."), value)
        return result

    def covers(self, version: tuple[int, ...]) -> bool:
        """Whether the layout is that of `version`, (major, minor, patch)."""
        return all(_holds(version, bound) for bound in self.versions.split(","))


def find_layout(name: str, version: str) -> ChartLayout:
    """Return the layout of the chart `name` in `version`, such as `v1.5.0`.

    Raises:
        UnknownChartError: no row covers it; the message lists those that are known.
    """
    layouts = chart_layouts()
    number = _parse(version)
    for layout in layouts:
        if layout.name == name and number is not None and layout.covers(number):
            return layout
    known = "; ".join(f"{layout.name} {layout.versions}" for layout in layouts)
    raise UnknownChartError(f"the values of chart {name} {version} are not known; set one of: {known}")


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


def _put(tree: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
