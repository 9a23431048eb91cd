"""Layouts of the charts' values, by chart and version."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final, Literal

from workspace_ctrl.api.labels import OBJECTIVES_GROUP
from workspace_ctrl.catalog.data_files import Row, load

Path = tuple[str, ...]
"""Path of a value as a list of keys, because a user's key may contain dots."""


_VERSION: Final = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+_][0-9A-Za-z.+_-]*)?")


class UnknownChartError(Exception):
    """A chart version whose values layout is not known, or that must not be used."""


class ChartValue(StrEnum):
    """A decision that a chart takes in its values; `ChartLayout` has its place."""

    MATCH_LABELS = "match_labels"
    TARGET_PORTS = "target_ports"
    TARGET_PORT = "target_port"
    PICKER_PORT = "picker_port"
    API_VERSION = "api_version"
    PROTOCOL = "protocol"
    PROVIDER = "provider"
    POOL_CREATED = "pool_created"
    METRICS_SECRET = "metrics_secret"  # noqa: S105 - the name of a value
    METRICS = "metrics"
    METRICS_AUTH = "metrics_auth"
    REPLICAS = "replicas"
    RESOURCES = "resources"
    FAILURE_MODE = "failure_mode"
    ENVIRONMENT = "environment"
    PLUGINS = "plugins"
    PLUGINS_FILE = "plugins_file"
    AFFINITY = "affinity"
    TOLERATIONS = "tolerations"
    IMAGE_REGISTRY = "image_registry"
    IMAGE_REPOSITORY = "image_repository"
    IMAGE_TAG = "image_tag"
    IMAGE_PULL_POLICY = "image_pull_policy"


class Flags(Row):
    """How a chart passes flags to the endpoint picker."""

    path: str
    """Dotted path in the chart's values."""
    form: Literal["list", "map"]
    """A list of {name, value}, or a map from name to value."""
    booleans: bool
    """Whether booleans work. If a chart passes two arguments, `--flag` and `false`, the flag is switched on."""
    defaults: Mapping[str, str] = {}
    """Flags that we set, unless the installation sets them."""
    refused: Mapping[str, str] = {}
    """Flags that must not be set → why, as the end of a sentence that begins with the flag."""

    @property
    def place(self) -> Path:
        """Path of the flags in the chart's values."""
        return tuple(self.path.split("."))


class Trap(Row):
    """A value that the chart accepts without an error, but that does not have the expected effect."""

    path: str
    reason: str
    """Completes the sentence "<path> ...", with the remedy."""
    unless: tuple[Any, ...] = ()
    """The harmless values."""
    only: tuple[Any, ...] = ()
    """The harmful values, if the others are harmless."""

    def catches(self, value: object) -> bool:
        """Whether `value` does not have the expected effect; None is no value."""
        if value is None or value in self.unless:
            return False
        return not self.only or value in self.only


class ChartLayout(Row):
    """Where one chart takes our decisions in its values."""

    name: str
    versions: str
    """Range such as ">=1.5,<1.6"."""
    refused: str = ""
    """Why these versions are not supported; empty if they are."""
    refused_versions: Mapping[str, str] = {}
    """Single versions, without a leading v, that are not supported → why."""
    values: Mapping[ChartValue, str]
    """Decision → dotted path in the chart's values."""
    flags: Flags
    traps: tuple[Trap, ...] = ()
    cluster_role: Literal["always", "monitoring"]
    """When the chart creates a ClusterRole: always, or only with Prometheus monitoring."""
    picker_container: str = ""
    """Name of the endpoint picker's container; empty if it is not known."""
    flow_control: str = ""
    """apiVersion of the endpoint picker's configuration, if it can hold requests while no pod is ready; empty if it cannot."""
    objective_groups: tuple[str, ...] = (OBJECTIVES_GROUP,)
    """API groups in which the endpoint picker looks for InferenceObjectives; the first one that the API server has counts."""

    @property
    def roots(self) -> frozenset[str]:
        """Top-level keys of the chart's values."""
        return frozenset(path.partition(".")[0] for path in self.values.values())

    def place(self, decision: ChartValue) -> Path | None:
        """Return the path of `decision` in the chart's values; None if the chart does not support it."""
        found = self.values.get(decision)
        return tuple(found.split(".")) if found is not None else None

    def values_for(self, decisions: Mapping[ChartValue, Any]) -> dict[str, Any]:
        """Return the chart's values for `decisions`, without those that are None or that the chart does not support."""
        result: dict[str, Any] = {}
        for decision, value in decisions.items():
            path = self.place(decision)
            if value is not None and path is not None:
                put(result, path, value)
        return result

    def refusal(self, version: str) -> str:
        """Return why `version` is not supported; empty if it is."""
        return self.refused or self.refused_versions.get(version.removeprefix("v"), "")

    def covers(self, version: tuple[int, ...]) -> bool:
        """Whether the layout applies to `version`, (major, minor, patch)."""
        return all(_holds(version, bound) for bound in self.versions.split(","))


def find_layout(name: str, version: str) -> ChartLayout:
    """Return the layout of the chart `name` in `version`, such as `v1.5.0`.

    Raises:
        UnknownChartError: no row covers it, or its row rejects it; the message lists the supported versions.
    """
    layout = known_layout(name, version)
    if layout is None:
        why = "" if _parse(version) else ": it is no complete version, such as v1.5.0"
        raise UnknownChartError(f"chart {name} {version} is not supported{why}; supported versions: {_usable()}")
    refusal = layout.refusal(version)
    if refusal:
        raise UnknownChartError(f"chart {name} {version} is not supported: {refusal}")
    return layout


def registry_tag(version: str) -> str:
    """Return the tag of a chart's version in a registry: as Helm writes it, because a tag must not contain a plus sign."""
    return version.replace("+", "_")


def chart_version(tag: str) -> str:
    """Return the version of the chart with that tag in a registry."""
    return tag.replace("_", "+")


@lru_cache
def known_layout(name: str, version: str) -> ChartLayout | None:
    """Return the row of a chart's version, even if it rejects the version; None if there is none."""
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
    match = _VERSION.fullmatch(version)
    return tuple(int(part) for part in match.groups()) if match else None


def _holds(version: tuple[int, ...], bound: str) -> bool:
    operator, limit = re.fullmatch(r"(>=|<)([\d.]+)", bound.strip()).groups()  # type: ignore[union-attr]
    edge = tuple(int(part) for part in limit.split("."))
    return version >= edge if operator == ">=" else version < edge


def put(tree: dict[str, Any], path: Path, value: object) -> None:
    """Set the value at `path`; a parent that is not a mapping is replaced."""
    for part in path[:-1]:
        child = tree.get(part)
        if not isinstance(child, dict):
            child = tree[part] = {}
        tree = child
    tree[path[-1]] = value


def value_at(tree: object, path: Path) -> Any:  # noqa: ANN401
    """Return the value at `path`, or None if there is none."""
    for part in path:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def leaves(tree: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value that is not a mapping, or an empty one, with its path."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value
