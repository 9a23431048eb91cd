"""The checks of a chart: one that is right passes all, and each thing that is wrong is named by its check."""

import copy

import pytest

from workspace_ctrl.catalog.charts import ChartValue, find_layout, put
from workspace_ctrl.helm.chart_layout_checks import Rendered, checks, probe_values, renderings

V1_5 = find_layout("inferencepool", "v1.5.0")
LLM_D = find_layout("llm-d-router-gateway", "v0.10.0")


def manifest(kind, name, namespace, **fields):
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}}, **fields}


def objects(rendering, *, container="epp"):
    """What a chart that is right makes of a release: read from what a cluster has of inferencepool 1.5."""
    release, picker, namespace = rendering.names.release, rendering.names.endpoint_picker, rendering.namespace
    ours = {
        "name": container,
        "image": "registry.example/picker:v0",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 9002}, {"containerPort": 9003}],
        "env": [{"name": "NAMESPACE"}, {"name": "CHART_CHECK", "value": "1"}],
        "args": ["--config-file", "/config/chart-check.yaml", "--drain-timeout=0s"],
        "resources": {"requests": {"cpu": "300m", "memory": "600Mi"}, "limits": {"memory": "700Mi"}},
    }
    pod = {
        "containers": [ours],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "tolerations": [{"key": "chart-check", "operator": "Exists"}],
    }
    pool = {
        "selector": {"matchLabels": {"kaito.sh/workspace": rendering.names.workspace}},
        "targetPorts": [{"number": 5000}],
        "endpointPickerRef": {"name": picker, "port": {"number": 9002}, "failureMode": "FailOpen"},
    }
    found = [
        manifest("InferencePool", release, namespace, apiVersion="inference.networking.k8s.io/v1", spec=pool),
        manifest("Deployment", picker, namespace, spec={"replicas": 2, "template": {"spec": pod}}),
        manifest("Service", picker, namespace, spec={"ports": [{"port": 9002}, {"port": 9090}]}),
        manifest("ConfigMap", picker, namespace, data={"chart-check.yaml": "plugins: []\n"}),
        manifest("ClusterRole", f"{release}-{namespace}-epp", None),
    ]
    if rendering.provider == "istio":
        found.append(manifest("DestinationRule", picker, namespace))
    if rendering.provider == "gke":
        target = {"targetRef": {"kind": "InferencePool", "name": release}}
        config = {"type": "HTTP", "httpHealthCheck": {"requestPath": "/health", "port": 5000}}
        found.append(manifest("GCPBackendPolicy", release, namespace, spec=target))
        found.append(manifest("HealthCheckPolicy", release, namespace, spec={**target, "default": {"config": config}}))
    else:
        found.append(manifest("Secret", f"{picker}-metrics", namespace))
    return found


def defaults(layout):
    """A chart's own values with all keys of its layout."""
    values = {}
    for path in layout.values.values():
        put(values, tuple(path.split(".")), "")
    return values


def broken(layout, change=None, **fields):
    """The names of the checks that fail, after a change of what is made of each release."""
    made = ((each, objects(each, **fields)) for each in renderings(layout))
    rendered = [Rendered(each, change(each, found) if change else found) for each, found in made]
    return {check.name: check.found for check in checks(layout, defaults(layout), rendered) if not check.holds}


def edit(kind, path, value):
    """Return a change of one field of the object of a kind."""

    def change(rendering, made):
        for entry in made:
            if entry["kind"] == kind:
                *parents, last = path
                holder = entry
                for key in parents:
                    holder = holder[key]
                holder[last] = copy.deepcopy(value(rendering) if callable(value) else value)
        return made

    return change


CONTAINER = ("spec", "template", "spec", "containers", 0)
WRONG = [
    ("InferencePool", ("metadata", "name"), "x", "InferencePool: has the name of the release"),
    ("InferencePool", ("apiVersion",), "x/v1alpha2", "InferencePool: its API is inference.networking.k8s.io/v1"),
    ("InferencePool", ("spec", "selector", "matchLabels"), {}, "InferencePool: selects the pods of the model server"),
    ("InferencePool", ("spec", "targetPorts"), [{"number": 8000}], "InferencePool: has the port of the model server"),
    ("InferencePool", ("spec", "appProtocol"), "http", "InferencePool: does not set appProtocol"),
    ("InferencePool", ("spec", "endpointPickerRef", "name"), "x", "InferencePool: references the Service of the endpoint picker"),
    ("InferencePool", ("spec", "endpointPickerRef", "port", "number"), 1, "InferencePool: references a port of that Service"),
    ("Service", ("spec", "ports"), [{"port": 1}], "InferencePool: references a port of that Service"),
    ("InferencePool", ("spec", "endpointPickerRef", "failureMode"), "FailClose", "InferencePool: has the given failure mode"),
    ("Deployment", ("metadata", "name"), "x", "endpoint picker: its Deployment has the expected name"),
    ("Service", ("metadata", "name"), "x", "endpoint picker: its Service has the expected name"),
    ("Deployment", ("spec", "replicas"), 1, "endpoint picker: has the given replicas"),
    ("Deployment", (*CONTAINER, "image"), "registry.k8s.io/epp:v1", "endpoint picker: has the given image"),
    ("Deployment", (*CONTAINER, "imagePullPolicy"), "Always", "endpoint picker: has the given image pull policy"),
    ("Deployment", (*CONTAINER, "env"), [], "endpoint picker: has the given environment variables"),
    ("Deployment", (*CONTAINER, "args"), [], "endpoint picker: reads the given plugin configuration file"),
    ("ConfigMap", ("data",), {"chart-check.yaml": ""}, "endpoint picker: its ConfigMap has that file"),
    ("Deployment", (*CONTAINER, "resources"), {}, "endpoint picker: has the given resources"),
    ("Deployment", ("spec", "template", "spec", "affinity"), {}, "endpoint picker: has the given affinity"),
    ("Deployment", ("spec", "template", "spec", "tolerations"), [], "endpoint picker: has the given tolerations"),
    ("DestinationRule", ("metadata", "name"), "x", "Istio: has a DestinationRule for the endpoint picker"),
    ("Secret", ("metadata", "name"), "inference-gateway-sa-metrics-reader-secret", "metrics Secret: has a name of its own"),
    ("GCPBackendPolicy", ("spec", "targetRef", "name"), "x", "GKE: has a GCPBackendPolicy for the pool"),
    ("HealthCheckPolicy", ("spec", "targetRef", "kind"), "Service", "GKE: has a HealthCheckPolicy for the pool"),
    (
        "HealthCheckPolicy",
        ("spec", "default", "config", "httpHealthCheck"),
        {"requestPath": "/", "port": 5000},
        "GKE: its health check requests /health at the port of the model server",
    ),
    ("Service", ("metadata", "namespace"), "kube-system", "every object is in the namespace of the release"),
    ("ConfigMap", ("metadata", "labels"), {"v": "a+b"}, "every label is valid, also with the chart version that Flux sets"),
    ("ConfigMap", ("kind",), "CronJob", "the chart creates no objects of unknown kinds"),
]


def test_a_chart_that_is_right_passes_all_checks():
    assert broken(V1_5) == {}


@pytest.mark.parametrize(
    ("kind", "path", "value", "name"), WRONG, ids=[f"{kind} {path[-1]}: {name}" for kind, path, _, name in WRONG]
)
def test_what_is_wrong_is_named(kind, path, value, name):
    assert name in broken(V1_5, edit(kind, path, value))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("InferencePool", "InferencePool: has the name of the release"),
        ("Deployment", "endpoint picker: its Deployment has the expected name"),
        ("Service", "endpoint picker: its Service has the expected name"),
    ],
)
@pytest.mark.parametrize("count", [0, 2])
def test_of_what_matters_there_is_exactly_one(kind, name, count):
    def change(_, made):
        return [entry for each in made for entry in ([each] * count if each["kind"] == kind else [each])]

    assert name in broken(V1_5, change)


def test_releases_that_share_objects_are_named():
    shared = broken(V1_5, edit("ConfigMap", ("metadata", "name"), "same"))
    assert shared["two releases in a namespace share no object"] == "both have ConfigMap same"
    shared = broken(V1_5, edit("ClusterRole", ("metadata", "name"), "same"))
    assert shared["releases in two namespaces share no ClusterRole"] == "both have ClusterRole same"
    assert "two releases in a namespace share no object" not in shared


def test_a_failure_with_some_providers_names_the_first_of_them():
    found = broken(V1_5, edit("Deployment", ("spec", "replicas"), lambda rendering: 1 if rendering.provider == "gke" else 2))
    assert found == {"endpoint picker: has the given replicas": "found 1, not 2, with provider gke"}
    found = broken(V1_5, edit("Deployment", ("spec", "replicas"), 3))
    assert found == {"endpoint picker: has the given replicas": "found 3, not 2"}


def test_kinds_of_gke_are_known_with_its_provider_only():
    found = broken(V1_5, lambda rendering, made: [*made, manifest("PodMonitoring", "x", rendering.namespace)])
    unknown = "the chart creates no objects of unknown kinds"
    assert found == {
        unknown: "found ['PodMonitoring'], not [], with provider istio",
        "two releases in a namespace share no object": "both have PodMonitoring x",
    }


def test_a_chart_without_a_health_check_gets_flux_s_where_its_layout_says_so():
    without = edit("HealthCheckPolicy", ("spec", "default"), {})
    assert V1_5.place(ChartValue.PROTOCOL)
    assert broken(V1_5, without) == {}


def test_the_container_is_checked_where_its_name_is_known():
    name, port = (
        "endpoint picker: its container has the expected name",
        "endpoint picker: its container has the port that Gateways connect to",
    )
    assert LLM_D.picker_container
    assert {name, port}.isdisjoint(broken(LLM_D, container=LLM_D.picker_container))
    assert name in broken(LLM_D, container="another")
    closed = edit("Deployment", (*CONTAINER, "ports"), [{"containerPort": 9003}])
    assert port in broken(LLM_D, closed, container=LLM_D.picker_container)
    flagged = edit("Deployment", (*CONTAINER, "args"), ["/config/chart-check.yaml"])
    assert {each for each in broken(LLM_D, flagged) if "has the flag" in each} == {
        f"endpoint picker: has the flag {flag}" for flag in LLM_D.flags.defaults
    }
    assert LLM_D.flags.defaults


@pytest.mark.parametrize("layout", [V1_5, LLM_D], ids=lambda layout: layout.name)
def test_every_key_of_the_layout_must_be_in_the_chart_s_own_values(layout):
    rendered = [Rendered(each, objects(each)) for each in renderings(layout)]
    for decision, path in layout.values.items():
        own = defaults(layout)
        holder = own
        *parents, last = path.split(".")
        for key in parents:
            holder = holder[key]
        del holder[last]
        missing = {check.name for check in checks(layout, own, rendered) if check.found == "not found"}
        # These two are in no chart's values.yaml; that they are read is seen in the objects.
        undocumented = decision in {ChartValue.MATCH_LABELS, ChartValue.PLUGINS}
        assert missing == (set() if undocumented else {f"values.yaml has {path}"})


def test_what_is_rendered_are_a_release_its_neighbour_and_its_namesake_for_each_provider():
    found = [(each.names.workspace, each.namespace, each.provider) for each in renderings(V1_5)]
    three = [("chart-check-a", "namespace-a"), ("chart-check-b", "namespace-a"), ("chart-check-a", "namespace-b")]
    assert found == [(*each, provider) for provider in ("istio", "gke", "none") for each in three]
    assert all(each.values["provider"]["name"] == each.provider for each in renderings(V1_5))


def test_defaults_are_asked_for_with_a_selector_and_without_anything_else():
    assert probe_values(V1_5)["inferencePool"] == {"modelServers": {"matchLabels": {"kaito.sh/workspace": "chart-check"}}}
    assert probe_values(V1_5)["inferenceExtension"] == {"image": {}, "monitoring": {"prometheus": {"auth": {}}}}


@pytest.mark.parametrize("strange", [None, 7, "x", [1], {"a": 1}])
def test_objects_of_strange_shapes_fail_checks_and_raise_nothing(strange):
    for kind in ("InferencePool", "Deployment", "Service"):
        assert broken(V1_5, edit(kind, ("spec",), strange)) != {}
        assert broken(V1_5, edit(kind, ("metadata",), {"name": strange})) != {}
