"""Everything that planning makes passes the policies for the controller's own user, for every chart, preset, example and case.

The counterpart of `test_controller_policy.py`: what the policies allow is written there a second time, so each object is shown to an API
server, which stores none of them.
"""

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from e2e import policies, workspaces
from e2e.controller import ACTOR
from tests.chart.helm import GATE, find, render
from workspace_ctrl.api.endpoint_picker_spec import EndpointPicker
from workspace_ctrl.api.names import names
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.catalog.charts import ChartValue, chart_layouts, put
from workspace_ctrl.catalog.presets import presets
from workspace_ctrl.planning.chart.flux_objects import helm_release
from workspace_ctrl.planning.chart.values import PoolValues
from workspace_ctrl.planning.gateway.body_router import router_release
from workspace_ctrl.planning.plan_settings import BodyRoutingSettings, ChartSource, PlanSettings
from workspace_ctrl.planning.preview import foresee
from workspace_ctrl.planning.preview_cluster import workspace_record
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.settings.settings_file import parse_settings_file

ROOT = Path(__file__).parents[2]
PLANES_KINDS = {
    "Deployment",
    "HTTPRoute",
    "HelmRelease",
    "InferenceObjective",
    "NetworkPolicy",
    "OCIRepository",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Service",
    "StatefulSet",
}
"""Those that the API server of the tests knows."""
TOLERATIONS = [{"key": "a", "operator": "Exists"}]
OF_WORKSPACES = {
    ChartValue.AFFINITY: {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    ChartValue.TOLERATIONS: TOLERATIONS,
    ChartValue.ENVIRONMENT: [{"name": "A", "value": "{{ b }}\n---\nc: d"}],
    ChartValue.PLUGINS_FILE: "mine.yaml",
    ChartValue.PLUGINS: {"mine.yaml": "plugins: []\n---\na: '{{ b }}'\n"},
    ChartValue.REPLICAS: 2,
    ChartValue.RESOURCES: {"requests": {"cpu": "1", "memory": "1Gi"}},
}
"""What every Workspace may set of its chart."""
INSTALLED = {
    "values": {
        "inferenceExtension": {
            "affinity": {"podAntiAffinity": {}},
            "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
            "extraServicePorts": [{"name": "http", "port": 8081, "protocol": "TCP", "targetPort": 8081}],
            "image": {"registry": "registry.example", "repository": "mirror/VALUE", "tag": "v1.5.0", "pullPolicy": "Always"},
            "monitoring": {"interval": "30s", "prometheus": {"enabled": True, "extraLabels": {}}},
            "pluginsCustomConfig": {"theirs.yaml": "a: <b>\n"},
            "sidecar": {"enabled": True, "args": ["{{ .Release.Name }}", "OTHERS"], "volumes": [{"name": "a", "emptyDir": {}}]},
            "tracing": {"enabled": True, "sampling": {"samplerArg": 0.5, "none": None, "most": 4000000}},
        },
        "router": {"epp": {"image": {"registry": "registry.example"}, "flags": {"v": 4, "drain-timeout": "5s"}}},
        "provider": {"istio": {"destinationRule": {"trafficPolicy": {"connectionPool": {"http": {"a": 1}}}}}},
    },
    "allowedValues": ["inferenceExtension.latencyPredictor", "router.tokenizer"],
}
"""An installation with values of its own."""
ROUTER = {
    "bbr": {"replicas": 2, "port": 9104, "flags": {"v": 4}},
    "provider": {"istio": {"envoyFilter": {"operation": "INSERT_FIRST"}}},
}
"""Its values of body-based routers."""
ALLOWED = {
    "latencyPredictor": {"enabled": True, "servers": [{"name": "a", "resources": {"limits": {"cpu": 1}}}], "ärger": "größer"}
}
"""What Workspaces may set of their charts in that installation."""


def settings_of(cluster, picker=None):
    """The settings of a controller on the cluster, as the chart writes those of the endpoint picker."""
    source = ChartSource(url=cluster.chart_source_url(), insecure=True)
    text = find(render({**GATE, "endpointPicker": picker or {}}), "ConfigMap", "workspace-ctrl")["data"]["settings.yaml"]
    found = parse_settings_file(text).endpoint_picker.settings()
    return PlanSettings(gateway_extension=True, charts=(source,), picker=found)


def values_of(layout, more):
    given = layout.values_for({decision: value for decision, value in OF_WORKSPACES.items() if layout.place(decision)})
    root = "inferenceExtension" if "inferenceExtension" in given else "router"
    return {**given, root: {**given[root], **(more if root == "inferenceExtension" else {})}}


def releases(settings, more=MappingProxyType({})):
    """The HelmReleases of all charts, with each provider, and each way of what the controller and Workspaces set."""
    owner = Meta(ObjectRef("Workspace", "team-a", "phi"), uid="u")
    ways = list(itertools.product(("none", "istio", "gke"), ((1, True, None), (3, False, "FailClose"))))
    for layout in chart_layouts():
        version = ".".join([*layout.versions.partition(",")[0].removeprefix(">=").split("."), "0"][:3])
        chart = replace(settings.charts[0], layout=layout.name, version=f"v{version}")
        for (provider, (replicas, is_open, mode)), values in itertools.product(
            () if layout.refused else ways, (None, values_of(layout, more))
        ):
            asked = EndpointPicker(replicas=replicas, values=values)
            pool = PoolValues(
                {"kaito.sh/workspace": "phi", "a.b/c": ""}, 5000, provider, mode, 600 if layout.flow_control else 0, "300s", is_open
            )
            gateway = GatewaySpec(endpoint_picker=asked)
            yield helm_release(owner, names("phi"), pool, chart=chart, gateway=gateway, settings=settings, namespace_uid="0-1")


def routers(values):
    """The objects of a body-based router, on the way and when it is there."""
    gateway = ObjectRef("Gateway", "team-a", "inference-gateway")
    routing = BodyRoutingSettings(managed=True, values=values)
    return [router_release(gateway, provider, routing) for provider in ("none", "istio", "gke")]


def documents():
    """The Workspaces and InferenceSets of all examples and cases, each with the objects beside it; and one for each preset."""
    files = [*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("tests/unit/cases/inputs/*.yaml")]
    for file in sorted(files):
        found = [each for each in yaml.safe_load_all(file.read_text()) if each]
        yield from ((each, found) for each in found if each["kind"] in {"Workspace", "InferenceSet"})
    for preset in presets():
        for size in ("Standard_NC24ads_A100_v4", "Standard_ND96isr_H100_v5"):
            resource = {"instanceType": size, "labelSelector": {"matchLabels": {"a": "b"}}}
            yield workspaces.workspace("phi", inference={"preset": {"name": preset}}, resource=resource), []


def planned(settings):
    """All objects of them that can be planned."""
    for document, others in documents():
        document["metadata"].setdefault("namespace", "default")
        yield from foresee(workspace_record(document), others, settings).manifests


def refusals(cluster, namespace, manifests):
    """What the API server says to the controller that creates these objects. Nothing is stored."""
    text = "\n---\n".join(json.dumps({**each, "metadata": {**each["metadata"], "namespace": namespace}}) for each in manifests)
    return cluster.kubectl_result("create", "--dry-run=server", "-f", "-", input=text, actor=ACTOR).stderr


def test_all_that_is_planned_for_examples_cases_and_presets_is_allowed(installed, plane_namespace):
    found = [each for each in planned(settings_of(installed)) if each["kind"] in PLANES_KINDS]
    made = list({json.dumps([each["kind"], each["spec"]]): each for each in found}.values())
    counted = Counter(each["kind"] for each in made)
    assert min(counted[kind] for kind in PLANES_KINDS - {"InferenceObjective"}) > 0, counted
    assert refusals(installed, plane_namespace, made) == ""


def test_the_releases_of_all_charts_are_allowed(installed, plane_namespace):
    assert refusals(installed, plane_namespace, releases(settings_of(installed))) == ""
    assert refusals(installed, plane_namespace, routers({})) == ""


@pytest.fixture
def with_values(installed):
    """The policies of an installation with values of its own; afterwards those of all other tests."""
    routing = {**policies.values(installed)["bodyBasedRouting"], "values": ROUTER}
    with policies.changed(installed, {"endpointPicker": INSTALLED, "bodyBasedRouting": routing}):
        yield


@pytest.mark.usefixtures("with_values")
def test_the_values_of_an_installation_are_allowed_and_no_others(installed, plane_namespace):
    settings = settings_of(installed, INSTALLED)
    made = list(releases(settings, ALLOWED))
    assert refusals(installed, plane_namespace, made) == ""
    assert refusals(installed, plane_namespace, routers(ROUTER)) == ""
    for path, value in (
        (("inferenceExtension", "image", "tag"), "v1.5.0\n---\na: b"),
        (("inferenceExtension", "image", "repository"), "evil"),
        (("inferenceExtension", "sidecar", "args"), ["{{ lookup }}"]),
        (("inferenceExtension", "sidecar", "env"), []),
        (("inferenceExtension", "env"), [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "other", "key": "b"}}}]),
        (("inferenceExtension", "latencyPredictor", "a"), {"b": ["c\nd"]}),
        (("inferenceExtension", "latencyPredictor", "a"), {"b\u2028": 1}),
        (("inferenceExtension", "latencyPredictor", "a"), [{"b": "{{ lookup }}"}]),
        (("router", "tokenizer"), {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}),
        (("provider", "istio", "destinationRule", "host"), "theirs"),
    ):
        release = json.loads(json.dumps(made[0]))
        put(release["spec"]["values"], path, value)
        assert "of a chart only to what it needs itself" in refusals(installed, plane_namespace, [release]), path


@pytest.fixture
def with_everything_allowed(installed):
    """The policies of an installation that lets Workspaces set whole charts, with a large value; afterwards those of all other tests."""
    large = {"inferenceExtension": {"pluginsCustomConfig": {"large.yaml": "a" * 200_000}, "other": {"text": "b\n" * 10_000}}}
    allowed = ["inferencePool", "inferenceExtension", "provider", "router", "inferenceObjectives"]
    with policies.changed(installed, {"endpointPicker": {"values": large, "allowedValues": allowed}}):
        yield large


def test_an_installation_that_allows_whole_charts_has_policies_too(installed, plane_namespace, with_everything_allowed):
    """The API server limits the length of an expression, and the cost of all."""
    settings = settings_of(installed, {"values": with_everything_allowed})
    made = list(releases(settings))
    assert refusals(installed, plane_namespace, made) == ""
    release = json.loads(json.dumps(made[0]))
    release["spec"]["values"]["inferenceExtension"]["other"] |= {
        "some": ["c"] * 1_000,
        "more": {f"n{number}": {} for number in range(1_000)},
    }
    assert refusals(installed, plane_namespace, [release]) == ""
    put(release["spec"]["values"], ("inferencePool", "targetPorts"), [{"number": "1\n---\na: b"}])
    assert "inferencePool.targetPorts of a chart only to" in refusals(installed, plane_namespace, [release])
