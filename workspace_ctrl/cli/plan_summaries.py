"""A short summary of a planned object."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, TypeAlias

from workspace_ctrl.api.labels import GROUP_WEIGHTS_ANNOTATION
from workspace_ctrl.catalog.charts import ChartLayout, ChartValue, chart_layouts, value_at
from workspace_ctrl.model.canary import CanaryPlan
from workspace_ctrl.model.route_claims import REQUEST_ID_HEADER
from workspace_ctrl.records.meta import mappings_of

Facts: TypeAlias = Iterator[tuple[str, str]]
_Json: TypeAlias = Mapping[str, Any]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def facts(manifest: _Json) -> Facts:
    """Yield names and values of the important fields of `manifest`, a planned object."""
    describe = _FACTS.get(manifest["kind"])
    if describe is not None:
        yield from describe(manifest["spec"])
    weights = (manifest["metadata"].get("annotations") or {}).get(GROUP_WEIGHTS_ANNOTATION, "")
    if weights:
        yield "weights", weights.replace("=", " ").replace(",", ", ")


def canary_in_words(plan: CanaryPlan) -> str:
    """Return what will happen to the requests of a canary."""
    steps = ", ".join(f"{step} %" for step in plan.steps)
    slow = f" or {plan.max_latency_ratio:g} times the latency of the others" if isfinite(plan.max_latency_ratio) else ""
    return f"{steps} of the requests, each for {plan.interval:g} s at least; stopped above {plan.max_error_rate:.1%} errors{slow}"


def facts_of_chart(manifest: _Json) -> Facts:
    """Yield names and values of the important fields of an object of a chart, which may have any shape."""
    spec = _at(manifest, "spec")
    for container in mappings_of(_at(spec, "template", "spec").get("containers")):
        yield "image", str(container.get("image", ""))
    selector = _at(spec, "selector", "matchLabels")
    if manifest.get("kind") == "InferencePool" and selector:
        yield "selects pods", _labels(selector)


def _workload(spec: _Json) -> Facts:
    yield "pods", str(spec.get("replicas", 1))
    pod = spec["template"]["spec"]
    for container in pod["containers"]:
        yield "image", str(container.get("image", ""))
        for name, count in _at(container, "resources", "limits").items():
            if "/" in name:  # an extended resource
                is_gpu = name.startswith("nvidia.com/") or name.endswith("/gpu")
                yield (
                    "GPUs per pod" if is_gpu else "devices per pod",
                    str(count) if name == "nvidia.com/gpu" else f"{count} of {name}",
                )
        requests = _at(container, "resources", "requests")
        others = [f"{name} {quantity}" for name, quantity in sorted(requests.items()) if "/" not in name]
        if others:
            yield "requests per pod", ", ".join(others)
        ports = [str(port.get("containerPort")) for port in mappings_of(container.get("ports"))]
        if ports:
            yield "ports", ", ".join(ports)
    terms = mappings_of(_at(pod, "affinity", "nodeAffinity", _REQUIRED).get("nodeSelectorTerms"))
    nodes = " or ".join(", ".join(map(_requirement, mappings_of(term.get("matchExpressions")))) for term in terms)
    if nodes:
        yield "nodes", nodes


def _requirement(entry: _Json) -> str:
    key, operator, values = entry.get("key"), entry.get("operator"), entry.get("values")
    listed = [str(value) for value in values] if isinstance(values, list) else []
    if operator == "In" and len(listed) == 1:
        return f"{key}={listed[0]}"
    return f"{key} {operator} {'|'.join(listed)}".rstrip()


def _at(value: object, *keys: str) -> _Json:
    """Return the object at a path in a user's pod template; an empty one if there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _service(spec: _Json) -> Facts:
    kind = "headless" if spec.get("clusterIP") == "None" else spec.get("type", "")
    if kind:
        yield "type", kind
    yield "ports", ", ".join(f"{port['port']} to {port.get('targetPort', port['port'])}" for port in spec["ports"])
    yield "selects pods", _labels(spec["selector"])


def _network_policy(spec: _Json) -> Facts:
    ports = [str(port["port"]) for rule in spec["ingress"] for port in rule.get("ports", ())]
    yield "open to everyone", ", ".join(ports)
    yield "open to each other", _labels(spec["podSelector"]["matchLabels"])


def _disruption_budget(spec: _Json) -> Facts:
    yield "evicted at a time", str(spec["maxUnavailable"])


def _claim(spec: _Json) -> Facts:
    yield "size", str(spec["resources"]["requests"]["storage"])
    yield "storage class", str(spec.get("storageClassName") or "the cluster's default")


def _source(spec: _Json) -> Facts:
    reference = spec["ref"]
    yield "chart", f"{spec['url']}@{reference['digest']}" if "digest" in reference else f"{spec['url']}:{reference['tag']}"


def _release(spec: _Json) -> Facts:
    decided = next(filter(None, (_pool(layout, spec["values"]) for layout in chart_layouts())), None)
    if decided is not None:
        labels, ports = decided
        yield "pool selects pods", _labels(labels)
        yield "target ports", ", ".join(str(port["number"]) for port in ports)


def _pool(layout: ChartLayout, values: _Json) -> tuple[_Json, list[_Json]] | None:
    """Return selector and ports of the pool if the values have that layout, else None."""
    labels, ports = (
        value_at(values, layout.place(decision) or ()) for decision in (ChartValue.MATCH_LABELS, ChartValue.TARGET_PORTS)
    )
    return (labels, ports) if labels and ports else None


def _route(spec: _Json) -> Facts:
    for parent in spec["parentRefs"]:
        listener = f", listener {parent['sectionName']}" if "sectionName" in parent else ""
        yield "Gateway", f"{parent['namespace']}/{parent['name']}{listener}"
    if "hostnames" in spec:
        yield "host names", ", ".join(spec["hostnames"])
    for match in (match for rule in spec["rules"] for match in rule["matches"]):
        headers = match.get("headers", ())
        if any(header["name"] == REQUEST_ID_HEADER for header in headers):
            continue  # a part of the requests of another match
        for header in headers:
            yield "header", f"{header['name']}: {header['value']}"
        if not headers:
            yield "path", match["path"]["value"]


def _scaled_object(spec: _Json) -> Facts:
    yield "replicas", f"{spec['minReplicaCount']} to {spec['maxReplicaCount']}"
    load = spec["triggers"][0]
    metadata = load["metadata"]
    each = "for each replica" if load["metricType"] == "AverageValue" else "on average"
    measured = metadata.get("valueLocation") or metadata.get("query")
    yield "load", f"{measured}, {metadata.get('targetValue') or metadata.get('threshold')} {each}"
    if "cooldownPeriod" in spec:
        yield "to zero", f"after {spec['cooldownPeriod']} s without requests"


def _labels(selector: _Json) -> str:
    return ", ".join(f"{key}={value}" for key, value in selector.items())


_FACTS: Mapping[str, Callable[[_Json], Facts]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "Service": _service,
    "NetworkPolicy": _network_policy,
    "PersistentVolumeClaim": _claim,
    "PodDisruptionBudget": _disruption_budget,
    "OCIRepository": _source,
    "HelmRelease": _release,
    "HTTPRoute": _route,
    "ScaledObject": _scaled_object,
}
