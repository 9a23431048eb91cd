"""The values of the chart, merged from our defaults, the installation's settings and the Workspace, each within its limits.

Later ones override earlier ones: our defaults, the installation's values, the Workspace's values, and last those that only we set:
selector, ports, names. Flux may install the chart with administrator rights, so a Workspace may set only values that cannot inject
other objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.endpoint_picker_spec import EndpointPicker
from workspace_ctrl.api.errors import SpecError, field_path
from workspace_ctrl.api.labels import wrong_label
from workspace_ctrl.api.names import Names
from workspace_ctrl.catalog.charts import ChartLayout, ChartValue, Path, chart_layouts, find_layout, leaves, put, value_at
from workspace_ctrl.planning.chart.flow_control import flow_control
from workspace_ctrl.planning.chart.value_validation import MOST_LEVELS, SHAPES, has_template, is_one_line, levels
from workspace_ctrl.planning.chart.values_without_effect import trap_in
from workspace_ctrl.planning.manifests import manifest_hash
from workspace_ctrl.planning.plan_settings import DEFAULT_PICKER_RESOURCES, PickerSettings, PlanSettings
from workspace_ctrl.planning.resource_requirements import completed, resources_problem

PROTECTED: Final = (
    ChartValue.MATCH_LABELS,
    ChartValue.TARGET_PORTS,
    ChartValue.TARGET_PORT,
    ChartValue.PICKER_PORT,
    ChartValue.API_VERSION,
    ChartValue.PROTOCOL,
    ChartValue.PROVIDER,
    ChartValue.POOL_CREATED,
    ChartValue.METRICS_SECRET,
)
"""Decisions that only we make, because they must match the objects outside the chart."""

PICKER_PORT: Final = 9002
"""Port of the endpoint picker that Gateways connect to."""

_VALUES = ("gateway", "endpointPicker", "values")
_HASH_VARIABLE = "PLUGINS_CONFIG_HASH"
_CLUSTER_ROLE_PART = 40
"""Length to which the charts cut release and namespace in the name of a ClusterRole."""
_CLUSTER_ROLE_LIMIT = 84
"""Length to which they cut the whole name with its quotes; without the closing quote it is no valid YAML."""


@dataclass(frozen=True, slots=True)
class PoolValues:
    """Values that depend on the model server and the Gateway."""

    selector: Mapping[str, str]
    """Labels of the pods that answer requests."""
    port: int
    provider: str
    """The chart's `provider.name`, which follows from the Gateway's class."""
    failure_mode: str | None = None
    """FailOpen or FailClose; None for our default."""
    held_seconds: int = 0
    """How long the endpoint picker holds a request at most while no pod is ready; 0 if it does not."""
    timeout: str = ""
    """Longest duration of an answer, as in a route; empty for the default of the chart or the Gateway."""
    open_metrics: bool = False
    """Whether the controller reads the metrics of the endpoint picker, for which it has no token."""


def chart_values(
    layout: ChartLayout, names: Names, pool: PoolValues, *, namespace: str, installed: PickerSettings, asked: EndpointPicker
) -> dict[str, Any]:
    """Return the values of the chart for one Workspace.

    Raises:
        SpecError: the Workspace sets a value that it may not set, or that the chart does not support.
    """
    given: dict[str, Any] = asked.values or {}
    _check_selector(pool.selector)
    _check_asked(layout, asked, pool)
    _check_allowed(layout, given, installed.allowed_values)
    _check(trap_in(layout, given), _VALUES)
    values: dict[str, Any] = {}
    _merge(values, layout.values_for(_defaults(installed)))
    if pool.held_seconds:
        _merge(values, layout.values_for(flow_control(layout, pool.held_seconds)))
    if layout.flags.defaults:
        put(values, layout.flags.place, dict(layout.flags.defaults))
    _merge(values, _own(layout, installed.values))
    environment = _environment(layout, values, given)
    _merge(values, given)
    _put(layout, values, ChartValue.REPLICAS, asked.replicas)
    _put(layout, values, ChartValue.RESOURCES, _resources(layout, installed, asked))
    _put(layout, values, ChartValue.FAILURE_MODE, pool.failure_mode)
    _put(layout, values, ChartValue.METRICS_AUTH, False if pool.open_metrics else None)
    _put(layout, values, ChartValue.ENVIRONMENT, _with_hash(layout, values, environment))
    for decision, value in _protected(names, pool).items():
        _put(layout, values, decision, value)
    _check_cluster_role(layout, values, names, namespace)
    return values


def check_installed(settings: PlanSettings) -> None:
    """Reject values of the installation that one of its charts would accept without the expected effect.

    Raises:
        SpecError: the path is that in the settings file.
    """
    picker = settings.picker
    layouts = [find_layout(source.values_of, source.version) for source in settings.charts]
    used = frozenset[str]().union(*(layout.roots for layout in layouts))
    for layout in layouts:
        protected = protected_paths(layout)
        values = {key: value for key, value in picker.values.items() if key in layout.roots or key not in used}
        _check(trap_in(layout, values), ("endpointPicker", "values"))
        _check(_wrong_resources(layout, values), ("endpointPicker", "values"))
        for path, _ in leaves(values):
            if any(path[: len(entry)] == entry for entry in protected):
                raise SpecError(field_path(("endpointPicker", "values", *path)), "is set by the controller", "remove it")
        for entry in picker.allowed_values:
            if any(tuple(entry.split("."))[: len(path)] == path for path in protected):
                raise SpecError("endpointPicker.allowedValues", f"contains {entry}, which the controller sets", "remove it")


def _wrong_resources(layout: ChartLayout, values: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Return the path of requests and limits that are none, and why: what is not known in them would be left out without a word."""
    path = layout.place(ChartValue.RESOURCES)
    given = value_at(values, path) if path is not None else None
    problem = resources_problem(given) if given is not None else ""
    return (path, problem) if path is not None and problem else None


def _own(layout: ChartLayout, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of an installation's values that are not under a key of another chart, whose values may be listed beside."""
    others = frozenset[str]().union(*(other.roots for other in chart_layouts())) - layout.roots
    return {key: value for key, value in values.items() if key not in others}


def protected_paths(layout: ChartLayout) -> list[Path]:
    """Return the paths in the chart's values that neither a Workspace nor an installation may set."""
    return [path for decision in PROTECTED if (path := layout.place(decision)) is not None]


def _defaults(installed: PickerSettings) -> dict[ChartValue, Any]:
    return {
        ChartValue.REPLICAS: installed.replicas,
        ChartValue.RESOURCES: completed(installed.resources, DEFAULT_PICKER_RESOURCES),
        ChartValue.FAILURE_MODE: "FailOpen",
        ChartValue.IMAGE_PULL_POLICY: "IfNotPresent",
    }


def _protected(names: Names, pool: PoolValues) -> dict[ChartValue, Any]:
    return {
        ChartValue.MATCH_LABELS: dict(pool.selector),
        ChartValue.TARGET_PORTS: [{"number": pool.port}],
        ChartValue.TARGET_PORT: pool.port,
        ChartValue.PICKER_PORT: PICKER_PORT,
        ChartValue.API_VERSION: "inference.networking.k8s.io/v1",
        ChartValue.PROTOCOL: "",
        ChartValue.PROVIDER: pool.provider,
        ChartValue.POOL_CREATED: True,
        ChartValue.METRICS_SECRET: f"{names.endpoint_picker}-metrics",
    }


def _check_selector(selector: Mapping[str, str]) -> None:
    """Reject invalid labels: the chart writes keys without quotes, and a scale subresource may contain any text."""
    wrong = wrong_label(selector)
    if wrong:
        raise SpecError(
            "inference.workloadRef.selector", f"contains {wrong!r}, which is not a valid label", "set labels of the pods"
        )


def _check_asked(layout: ChartLayout, asked: EndpointPicker, pool: PoolValues) -> None:
    """Reject fields that this version of the chart does not support."""
    fields = {ChartValue.REPLICAS: ("replicas", asked.replicas), ChartValue.RESOURCES: ("resources", asked.resources)}
    for decision, (field, value) in fields.items():
        path = ("gateway", "endpointPicker", field)
        if value is not None and layout.place(decision) is None:
            raise SpecError(
                field_path(path), f"is not supported by chart {layout.name} {layout.versions}", "remove it, or use a later version"
            )
        problem = SHAPES[decision](value) if value is not None else ""
        if problem:
            raise SpecError(field_path(path), problem)
    if pool.failure_mode == "FailOpen" and layout.place(ChartValue.FAILURE_MODE) is None:
        problem = f"cannot be FailOpen with chart {layout.name} {layout.versions}, which always uses the CRD's default FailClose"
        raise SpecError("gateway.pool.failureMode", problem, "remove it, or use a later chart version")


def _check_allowed(layout: ChartLayout, given: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """Reject values that a Workspace may not set, or whose shape could inject more than a value."""
    shapes = {path: shape for decision, shape in SHAPES.items() if (path := layout.place(decision)) is not None}
    widened = [tuple(entry.split(".")) for entry in allowed]
    protected = protected_paths(layout)
    for path, value in _entries(given, shapes):
        where = field_path((*_VALUES, *path))
        if path in shapes:
            problem = shapes[path](value)
            if problem:
                raise SpecError(where, problem)
        elif any(path[: len(entry)] == entry for entry in protected):
            raise SpecError(where, "is set by the controller", "remove it")
        elif not any(path[: len(entry)] == entry for entry in widened):
            raise _not_allowed(where, path, layout, (*shapes, *widened))
        elif not (is_one_line(value) and is_one_line(list(path))):
            raise SpecError(where, "contains a line break or another non-printable character", "write it on one line")
        elif has_template(value) or has_template(list(path)):
            raise SpecError(where, "contains {{, which a chart can run as a template with Flux's rights", "remove it")
        else:
            _check_levels(where, path, value, widened)


def _check_levels(where: str, path: Path, value: object, widened: Sequence[Path]) -> None:
    """Reject what the admission policy would refuse, because it does not look into it.

    The policy looks on its own at each value that is known, or allowed, and else from the first key beside those: so does this.
    """
    layouts = chart_layouts()
    known = [place for each in layouts for decision in (*SHAPES, *PROTECTED) if (place := each.place(decision)) is not None]
    start = max(min(_shared(place, path) + 1, len(place), len(path)) for place in (*known, *widened))
    if len(path) - start + levels(value) > MOST_LEVELS:
        problem = f"has more than {MOST_LEVELS} levels of mappings and lists below {'.'.join(path[:start])}"
        raise SpecError(where, problem, "remove it; administrators can set it in endpointPicker.values")


def _shared(one: Path, other: Path) -> int:
    """Return how many keys two paths begin with together."""
    return next(
        (place for place, keys in enumerate(zip(one, other, strict=False)) if keys[0] != keys[1]), min(len(one), len(other))
    )


def _not_allowed(where: str, path: Path, layout: ChartLayout, allowed: Sequence[Path]) -> SpecError:
    place = _place_here(path, layout)
    if place is not None:
        return SpecError(where, f"is not read by chart {layout.name} {layout.versions}", f"use {'.'.join(place)}")
    known = ", ".join(sorted(".".join(entry) for entry in allowed))
    remedy = f"allowed are {known}; the controller's setting endpointPicker.allowedValues allows more"
    return SpecError(where, "cannot be set by a Workspace", remedy)


def _place_here(path: Path, layout: ChartLayout) -> Path | None:
    """Return the place in `layout` of a value that Workspaces may set and that is at `path`, or below it, in another layout."""
    for other in chart_layouts():
        for decision in SHAPES:
            place, here = other.place(decision), layout.place(decision)
            if place is not None and here is not None and place != here and path[: len(place)] == place:
                return (*here, *path[len(place) :])
    return None


def _entries(tree: Mapping[str, Any], whole: Mapping[Path, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the leaves of `tree`; the value at a path of `whole` is yielded undivided."""
    for key, value in tree.items():
        here = (*path, str(key))
        if here not in whole and isinstance(value, Mapping) and value:
            yield from _entries(value, whole, here)
        else:
            yield here, value


def _check(found: tuple[Path, str] | None, prefix: Path) -> None:
    if found is not None:
        raise SpecError(field_path((*prefix, *found[0])), found[1])


def _environment(layout: ChartLayout, installed: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the environment variables of both; Helm would replace one list with the other."""
    path = layout.place(ChartValue.ENVIRONMENT)
    if path is None:
        return []
    first, second = value_at(installed, path) or [], value_at(given, path) or []
    names = {entry.get("name") for entry in first}
    for entry in second:
        if entry["name"] in names:
            raise SpecError(
                field_path((*_VALUES, *path)), f"sets {entry['name']}, which the controller's settings define", "remove it"
            )
    return [*first, *second]


def _with_hash(layout: ChartLayout, values: Mapping[str, Any], environment: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Return the variables with a hash of the plugin configuration: the endpoint picker reads it only at its start."""
    path = layout.place(ChartValue.PLUGINS)
    plugins = value_at(values, path) if path is not None else None
    if plugins:
        return [*environment, {"name": _HASH_VARIABLE, "value": manifest_hash(plugins)}]
    return environment or None


def _resources(layout: ChartLayout, installed: PickerSettings, asked: EndpointPicker) -> dict[str, Any] | None:
    """Return the Workspace's requests and limits, completed by those of the installation, and these by our defaults."""
    path = layout.place(ChartValue.RESOURCES)
    if path is None:
        return None
    ours = completed(installed.resources, DEFAULT_PICKER_RESOURCES)
    ours = completed(value_at(installed.values, path), ours)
    return completed(asked.resources or value_at(asked.values, path), ours)


def has_cluster_role(layout: ChartLayout, values: Mapping[str, Any]) -> bool:
    """Whether the chart creates a ClusterRole with these values."""
    path = layout.place(ChartValue.METRICS)
    return layout.cluster_role == "always" or (path is not None and bool(value_at(values, path)))


def _check_cluster_role(layout: ChartLayout, values: Mapping[str, Any], names: Names, namespace: str) -> None:
    """Reject names that the chart would cut to the name of another release's ClusterRole, or to invalid YAML."""
    if not has_cluster_role(layout, values):
        return
    name = f'"{names.release[:_CLUSTER_ROLE_PART]}-{namespace[:_CLUSTER_ROLE_PART]}-epp"'
    if len(namespace) > _CLUSTER_ROLE_PART or len(name) > _CLUSTER_ROLE_LIMIT:
        problem = f"is too long for the ClusterRole of release {names.release} with chart {layout.name} {layout.versions}"
        raise SpecError(
            "metadata.namespace",
            problem,
            f"use a namespace of at most {_CLUSTER_ROLE_LIMIT - len(name) + len(namespace)} characters",
        )


def _put(layout: ChartLayout, values: dict[str, Any], decision: ChartValue, value: object) -> None:
    path = layout.place(decision)
    if path is not None and value is not None:
        put(values, path, value)


def _merge(tree: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Merge `over` into `tree` as Helm does: mappings key by key, everything else as a whole."""
    for path, value in leaves(over):
        if value != {} or value_at(tree, path) is None:
            put(tree, path, value)
