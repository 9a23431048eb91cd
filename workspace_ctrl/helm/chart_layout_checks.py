"""Checks of a chart: it must read the keys of its layout and create the objects that the rest of the chain expects.

Pure functions: they define what to render, and evaluate what was rendered.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.endpoint_picker_spec import EndpointPicker
from workspace_ctrl.api.labels import POD_LABEL, is_label
from workspace_ctrl.api.names import Names, names
from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.catalog.charts import ChartLayout, ChartValue, put, value_at
from workspace_ctrl.planning.chart.post_renderers import GKE, health_check
from workspace_ctrl.planning.chart.values import PICKER_PORT, PoolValues, chart_values
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.planning.plan_settings import PickerSettings

_PORT = 5000
_REPLICAS = 2
_RESOURCES = {"requests": {"cpu": "300m", "memory": "600Mi"}, "limits": {"memory": "700Mi"}}
_ENVIRONMENT = [{"name": "CHART_CHECK", "value": "1"}]
_AFFINITY: Final[Mapping[str, Any]] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
_TOLERATIONS = [{"key": "chart-check", "operator": "Exists"}]
_FILE, _TEXT = "chart-check.yaml", "plugins: []\n"
_QUOTED: Final = 200
"""Characters of a found value that are quoted."""
_UNDOCUMENTED: Final = frozenset({ChartValue.MATCH_LABELS, ChartValue.PLUGINS})
"""Decisions whose keys are missing in the charts' values.yaml; the rendered objects show that the chart reads them."""
_PROVIDERS: Final = ("istio", GKE, "none")
"""The values of `provider.name` that the profiles of GatewayClasses use."""
_CLUSTER_SCOPED: Final = frozenset({"ClusterRole", "ClusterRoleBinding"})
_OF_GKE: Final = frozenset({"GCPBackendPolicy", "HealthCheckPolicy", "PodMonitoring"})
_LABEL_MAPS: Final = frozenset({"labels", "matchLabels", "selector"})
_KINDS: Final = _CLUSTER_SCOPED | {
    "ConfigMap",
    "Deployment",
    "DestinationRule",
    "InferencePool",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement."""

    name: str
    holds: bool
    found: str = ""
    """What was found instead; empty if the check passes."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A release to render."""

    names: Names
    namespace: str
    provider: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered release."""

    rendering: Rendering
    objects: Sequence[Manifest]

    def one(self, kind: str) -> Manifest:
        """Return the only object of a kind, or an empty one."""
        found = [entry for entry in self.objects if entry.get("kind") == kind]
        return found[0] if len(found) == 1 else {}

    def keys(self, *, cluster_scoped: bool) -> set[str]:
        """Return kind and name of the objects; of all that are namespaced, or of all that are not."""
        return {
            f"{_kind(entry)} {value_at(entry, ('metadata', 'name'))}"
            for entry in self.objects
            if (_kind(entry) in _CLUSTER_SCOPED) == cluster_scoped
        }


def renderings(layout: ChartLayout) -> list[Rendering]:
    """Return what has to be rendered for each provider: a release, one with a similar name, and one with the same name elsewhere."""
    releases = (("chart-check-a", "namespace-a"), ("chart-check-b", "namespace-a"), ("chart-check-a", "namespace-b"))
    return [_rendering(layout, *release, provider) for provider in _PROVIDERS for release in releases]


def probe_values(layout: ChartLayout) -> dict[str, Any]:
    """Return the values with which a chart shows all its defaults: it may require a selector, and remove a mapping that is not set."""
    values: dict[str, Any] = {}
    for path in layout.values.values():
        *parents, _ = path.split(".")
        if value_at(values, tuple(parents)) is None:
            put(values, tuple(parents), {})
    selector = layout.place(ChartValue.MATCH_LABELS)
    if selector is not None:
        put(values, selector, {POD_LABEL: "chart-check"})
    return values


def checks(layout: ChartLayout, defaults: Mapping[str, Any], rendered: Sequence[Rendered]) -> list[Check]:
    """Return all checks of a chart; `defaults` are its own values, `rendered` the results of `renderings` in the same order."""
    size = len(rendered) // len(_PROVIDERS)
    groups = [rendered[first : first + size] for first in range(0, len(rendered), size)]
    return [*_key_checks(layout, defaults), *_merged([_release_checks(layout, *group) for group in groups])]


def _release_checks(layout: ChartLayout, first: Rendered, neighbour: Rendered, namesake: Rendered) -> list[Check]:
    """Return the checks of the three releases of one provider."""
    return [
        *(Check(name, *_compared(found, wanted)) for name, found, wanted in _facts(layout, first)),
        _disjoint(
            "two releases in a namespace share no object", first.keys(cluster_scoped=False), neighbour.keys(cluster_scoped=False)
        ),
        _disjoint(
            "releases in two namespaces share no ClusterRole", first.keys(cluster_scoped=True), namesake.keys(cluster_scoped=True)
        ),
        Check("the chart creates no objects of unknown kinds", *_compared(_unknown_kinds(first), [])),
        Check("every object is in the namespace of the release", *_compared(_elsewhere(first), [])),
        Check("every label is valid, also with the chart version that Flux sets", *_compared(_wrong_labels(first), [])),
    ]


def _merged(by_provider: Sequence[Sequence[Check]]) -> list[Check]:
    """Return each check once; what was found instead is of the first provider with which it fails, and named if others differ."""
    found: dict[str, list[tuple[str, Check]]] = {}
    for provider, checked in zip(_PROVIDERS, by_provider, strict=True):
        for check in checked:
            found.setdefault(check.name, []).append((provider, check))
    return [_worst(results) for results in found.values()]


def _worst(results: Sequence[tuple[str, Check]]) -> Check:
    provider, worst = next((entry for entry in results if not entry[1].holds), results[0])
    if worst.holds or all(check == worst for _, check in results):
        return worst
    return Check(worst.name, holds=False, found=f"{worst.found}, with provider {provider}")


def _rendering(layout: ChartLayout, workspace: str, namespace: str, provider: str) -> Rendering:
    asked = layout.values_for(
        {
            ChartValue.AFFINITY: _AFFINITY,
            ChartValue.TOLERATIONS: _TOLERATIONS,
            ChartValue.ENVIRONMENT: _ENVIRONMENT,
            ChartValue.PLUGINS_FILE: _FILE,
            ChartValue.PLUGINS: {_FILE: _TEXT},
        }
    )
    installed = layout.values_for(
        {
            ChartValue.IMAGE_REGISTRY: "registry.example",
            ChartValue.IMAGE_REPOSITORY: "picker",
            ChartValue.IMAGE_TAG: "v0",
            ChartValue.METRICS: True,
        }
    )
    derived = names(workspace)
    values = chart_values(
        layout,
        derived,
        PoolValues({POD_LABEL: workspace}, _PORT, provider),
        namespace=namespace,
        installed=PickerSettings(resources=_RESOURCES, replicas=_REPLICAS, values=installed),
        asked=EndpointPicker(values=asked),
    )
    return Rendering(derived, namespace, provider, values)


def _key_checks(layout: ChartLayout, defaults: Mapping[str, Any]) -> Iterator[Check]:
    for decision, path in sorted(layout.values.items()):
        if decision not in _UNDOCUMENTED:
            *parents, last = path.split(".")
            holder = value_at(defaults, tuple(parents))
            there = isinstance(holder, Mapping) and last in holder
            yield Check(f"values.yaml has {path}", there, "" if there else "not found")


def _facts(layout: ChartLayout, rendered: Rendered) -> Iterator[tuple[str, Any, Any]]:
    """Yield the checks of a release: name, found value, wanted value."""
    derived = rendered.rendering.names
    pool, deployment, service = rendered.one("InferencePool"), rendered.one("Deployment"), rendered.one("Service")
    yield "InferencePool: has the name of the release", _name(pool), derived.release
    yield "InferencePool: its API is inference.networking.k8s.io/v1", pool.get("apiVersion"), "inference.networking.k8s.io/v1"
    yield (
        "InferencePool: selects the pods of the model server",
        _at(pool, "spec.selector.matchLabels"),
        {POD_LABEL: derived.workspace},
    )
    yield "InferencePool: has the port of the model server", _at(pool, "spec.targetPorts"), [{"number": _PORT}]
    yield "InferencePool: does not set appProtocol", _at(pool, "spec.appProtocol"), None
    yield (
        "InferencePool: references the Service of the endpoint picker",
        _at(pool, "spec.endpointPickerRef.name"),
        derived.endpoint_picker,
    )
    yield (
        "InferencePool: references a port of that Service",
        _at(pool, "spec.endpointPickerRef.port.number") in _service_ports(service),
        True,
    )
    if layout.place(ChartValue.FAILURE_MODE):
        yield "InferencePool: has the given failure mode", _at(pool, "spec.endpointPickerRef.failureMode"), "FailOpen"
    yield "endpoint picker: its Deployment has the expected name", _name(deployment), derived.endpoint_picker
    yield "endpoint picker: its Service has the expected name", _name(service), derived.endpoint_picker
    yield "endpoint picker: has the given replicas", _at(deployment, "spec.replicas"), _REPLICAS
    yield from _container_facts(layout, rendered, deployment)
    provider = rendered.rendering.provider
    if provider == "istio":
        yield (
            "Istio: has a DestinationRule for the endpoint picker",
            _name(rendered.one("DestinationRule")),
            derived.endpoint_picker,
        )
    if provider == GKE:
        yield from _gke_facts(layout, rendered)
    elif layout.place(ChartValue.METRICS_SECRET):
        yield "metrics Secret: has a name of its own", _name(rendered.one("Secret")), f"{derived.endpoint_picker}-metrics"


def _gke_facts(layout: ChartLayout, rendered: Rendered) -> Iterator[tuple[str, Any, Any]]:
    pool, wanted = ["InferencePool", rendered.rendering.names.release], health_check(_PORT)
    for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
        policy = rendered.one(kind)
        target = [_at(policy, "spec.targetRef.kind"), _at(policy, "spec.targetRef.name")]
        yield f"GKE: has a {kind} for the pool", [_name(policy), *target], [rendered.rendering.names.release, *pool]
    policy = rendered.one("HealthCheckPolicy")
    config = _at(policy, "spec.default.config")
    if policy and config is None and layout.place(ChartValue.PROTOCOL):
        config = wanted  # Flux adds it, see planning/chart/post_renderers.py
    yield "GKE: its health check requests /health at the port of the model server", config, wanted


def _container_facts(layout: ChartLayout, rendered: Rendered, deployment: Manifest) -> Iterator[tuple[str, Any, Any]]:
    containers = _mappings(_at(deployment, "spec.template.spec.containers"))
    container: Manifest = next(iter(containers), {})
    if layout.picker_container:
        yield "endpoint picker: its container has the expected name", container.get("name"), layout.picker_container
        opened = [port.get("containerPort") for port in _mappings(container.get("ports"))]
        yield "endpoint picker: its container has the port that Gateways connect to", PICKER_PORT in opened, True
    yield "endpoint picker: has the given image", container.get("image"), "registry.example/picker:v0"
    yield "endpoint picker: has the given image pull policy", container.get("imagePullPolicy"), "IfNotPresent"
    variables = [entry for entry in _mappings(container.get("env")) if entry.get("name") == "CHART_CHECK"]
    yield "endpoint picker: has the given environment variables", variables, _ENVIRONMENT
    is_read = f"/config/{_FILE}" in _listed(container.get("args"))
    yield "endpoint picker: reads the given plugin configuration file", is_read, True
    yield "endpoint picker: its ConfigMap has that file", value_at(rendered.one("ConfigMap"), ("data", _FILE)), _TEXT
    for name, value in layout.flags.defaults.items():
        yield f"endpoint picker: has the flag {name}", f"--{name}={value}" in _listed(container.get("args")), True
    places: dict[ChartValue, tuple[Callable[[], Any], Any]] = {
        ChartValue.RESOURCES: (lambda: container.get("resources"), _RESOURCES),
        ChartValue.AFFINITY: (lambda: _at(deployment, "spec.template.spec.affinity"), _AFFINITY),
        ChartValue.TOLERATIONS: (lambda: _at(deployment, "spec.template.spec.tolerations"), _TOLERATIONS),
    }
    for decision, (found, wanted) in places.items():
        if layout.place(decision):
            yield f"endpoint picker: has the given {decision}", found(), wanted


def _at(manifest: Manifest, path: str) -> Any:  # noqa: ANN401
    return value_at(manifest, tuple(path.split(".")))


def _name(manifest: Manifest) -> Any:  # noqa: ANN401
    return _at(manifest, "metadata.name")


def _service_ports(service: Manifest) -> list[Any]:
    return [port.get("port") for port in _mappings(_at(service, "spec.ports"))]


def _kind(manifest: Manifest) -> str:
    return str(manifest.get("kind"))


def _listed(value: object) -> list[Any]:
    """Return `value` if it is a list, else an empty list; charts are untrusted."""
    return value if isinstance(value, list) else []


def _mappings(value: object) -> list[Manifest]:
    return [entry for entry in _listed(value) if isinstance(entry, dict)]


def _compared(found: object, wanted: object) -> tuple[bool, str]:
    return (True, "") if found == wanted else (False, f"found {excerpt(repr(found), _QUOTED)}, not {wanted!r}")


def _disjoint(name: str, some: set[str], others: set[str]) -> Check:
    shared = sorted(some & others)
    return Check(name, not shared, f"both have {excerpt(', '.join(shared), _QUOTED)}" if shared else "")


def _unknown_kinds(rendered: Rendered) -> list[str]:
    known = _KINDS | _OF_GKE if rendered.rendering.provider == GKE else _KINDS
    return sorted({_kind(entry) for entry in rendered.objects} - known)


def _elsewhere(rendered: Rendered) -> list[str]:
    """Return the objects with another namespace; those without one get the namespace of the release."""
    home = rendered.rendering.namespace
    namespaced = [entry for entry in rendered.objects if _kind(entry) not in _CLUSTER_SCOPED]
    return sorted(f"{_kind(entry)} {_name(entry)}" for entry in namespaced if _at(entry, "metadata.namespace") not in (home, None))


def _wrong_labels(rendered: Rendered) -> list[str]:
    """Return the labels that the API server would reject, with their objects."""
    found = ((entry, label) for entry in rendered.objects for label in _labels(entry) if not is_label(*label))
    return sorted({f"{_kind(entry)} {_name(entry)}: {key}={value}" for entry, (key, value) in found})


def _labels(value: object, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all labels in an object, those of its pods and selectors included."""
    if isinstance(value, Mapping):
        if key in _LABEL_MAPS:
            yield from ((str(name), label) for name, label in value.items() if not isinstance(label, Mapping | list))
        for name, entry in value.items():
            yield from _labels(entry, str(name))
    for entry in _listed(value):
        yield from _labels(entry)
