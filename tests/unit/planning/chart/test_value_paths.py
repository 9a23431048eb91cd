"""Where each decision is put in the values of each chart: the tests on a plane show with the charts themselves that these are read."""

import pytest

from tests.unit.factories import NAMESPACE, derived
from workspace_ctrl.api.endpoint_picker import EndpointPicker
from workspace_ctrl.catalog.charts import ChartValue, find_layout, leaves, value_at
from workspace_ctrl.planning.chart.values import PoolValues, chart_values
from workspace_ctrl.planning.plan_settings import PickerSettings

SELECTOR = {"app": "phi"}
RESOURCES = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
POOL = {
    "inferencePool.apiVersion": "inference.networking.k8s.io/v1",
    "inferencePool.modelServers.matchLabels.app": "phi",
    "inferencePool.targetPorts": [{"number": 5000}],
    "provider.name": "gke",
}


def picker(prefix):
    """What every chart takes for its endpoint picker."""
    return {
        f"{prefix}.extProcPort": 9002,
        f"{prefix}.image.pullPolicy": "IfNotPresent",
        f"{prefix}.image.tag": "v0",
        f"{prefix}.pluginsConfigFile": "plugins",
        f"{prefix}.pluginsCustomConfig.plugins": "x",
        f"{prefix}.replicas": 2,
    }


def monitoring(prefix, secret):
    return {f"{prefix}.prometheus.enabled": True, f"{prefix}.{secret}": "workspace-phi-4-mini-inferencepool-epp-metrics"}


def later(prefix):
    """What only later charts take."""
    return {
        f"{prefix}.affinity.podAntiAffinity": {},
        f"{prefix}.tolerations": [{"key": "t"}],
    }


def resources(prefix):
    return {
        f"{prefix}.resources.requests.cpu": "1",
        f"{prefix}.resources.requests.memory": "1Gi",
        f"{prefix}.resources.limits.memory": "1Gi",
    }


EXTENSION, ROUTER = "inferenceExtension", "router.epp"
OLD = {
    **POOL,
    **picker(EXTENSION),
    "inferencePool.targetPortNumber": 5000,
    f"{EXTENSION}.image.hub": "registry.example",
    f"{EXTENSION}.image.name": "picker",
}
EXPECTED = {
    ("inferencepool", "v1.0.1"): {**OLD, **monitoring(f"{EXTENSION}.monitoring", "secret.name")},
    ("inferencepool", "v1.3.1"): {**OLD, **later(EXTENSION), **monitoring(f"{EXTENSION}.monitoring", "prometheus.auth.secretName")},
    ("inferencepool", "v1.5.0"): {
        **POOL,
        **picker(EXTENSION),
        **later(EXTENSION),
        **resources(EXTENSION),
        **monitoring(f"{EXTENSION}.monitoring", "prometheus.auth.secretName"),
        "inferencePool.modelServerProtocol": "",
        f"{EXTENSION}.failureMode": "FailClose",
        f"{EXTENSION}.image.registry": "registry.example",
        f"{EXTENSION}.image.repository": "picker",
    },
    ("llm-d-router-gateway", "v0.10.0"): {
        **picker(ROUTER),
        **later(ROUTER),
        **resources(ROUTER),
        **monitoring("router.monitoring", "prometheus.auth.secretName"),
        "provider.name": "gke",
        "router.modelServers.matchLabels.app": "phi",
        "router.modelServers.targetPorts": [{"number": 5000}],
        "router.modelServers.protocol": "",
        "router.inferencePool.create": True,
        "router.inferencePool.failureMode": "FailClose",
        f"{ROUTER}.flags.drain-timeout": "0s",
        f"{ROUTER}.image.registry": "registry.example",
        f"{ROUTER}.image.repository": "picker",
    },
}


def everything(layout):
    """The values of a Workspace and an installation that set all that the chart takes."""
    asked = {
        ChartValue.AFFINITY: {"podAntiAffinity": {}},
        ChartValue.TOLERATIONS: [{"key": "t"}],
        ChartValue.ENVIRONMENT: [{"name": "E", "value": "e"}],
        ChartValue.PLUGINS_FILE: "plugins",
        ChartValue.PLUGINS: {"plugins": "x"},
    }
    installed = {
        ChartValue.IMAGE_REGISTRY: "registry.example",
        ChartValue.IMAGE_REPOSITORY: "picker",
        ChartValue.IMAGE_TAG: "v0",
        ChartValue.METRICS: True,
    }
    fields = {"replicas": 2, **({"resources": RESOURCES} if layout.place(ChartValue.RESOURCES) else {})}
    return chart_values(
        layout,
        derived(),
        PoolValues(SELECTOR, 5000, "gke", "FailClose"),
        namespace=NAMESPACE,
        installed=PickerSettings(values=layout.values_for(installed)),
        asked=EndpointPicker.model_validate({"values": layout.values_for(asked), **fields}),
    )


@pytest.mark.parametrize("chart", EXPECTED, ids=" ".join)
def test_every_decision_is_where_the_chart_reads_it(chart):
    layout = find_layout(*chart)
    values = everything(layout)
    environment = layout.place(ChartValue.ENVIRONMENT)
    assert [entry["name"] for entry in value_at(values, environment)] == ["E", "PLUGINS_CONFIG_HASH"]
    assert {".".join(path): value for path, value in leaves(values) if path != environment} == EXPECTED[chart]
