"""Layouts of charts and profiles of gateway classes."""

import pytest

from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.catalog.gateway_classes import find_profile


def test_layout_puts_decisions_where_the_chart_reads_them():
    layout = find_layout("inferencepool", "v1.5.0")
    assert layout.values_for({"match_labels": {"a": "b"}, "provider": "istio", "resources": None}) == {
        "inferencePool": {"modelServers": {"matchLabels": {"a": "b"}}},
        "provider": {"name": "istio"},
    }


@pytest.mark.parametrize("version", ["v0.5.1", "1.6.0", "v2.0.0", "latest", ""])
def test_an_unknown_chart_version_is_refused_with_the_known_ones(version):
    with pytest.raises(
        UnknownChartError, match=r"supported versions: inferencepool >=1\.0\.1,<1\.1; .*; llm-d-router-gateway >=0\.9,<0\.11"
    ):
        find_layout("inferencepool", version)


def test_a_version_that_does_harm_is_refused_with_the_reason():
    with pytest.raises(UnknownChartError, match=r"inferencepool v1\.0\.0 is not supported: its ClusterRole .* use v1\.0\.1"):
        find_layout("inferencepool", "v1.0.0")


@pytest.mark.parametrize(
    ("name", "version", "image", "flags", "resources"),
    [
        ("inferencepool", "1.0.1", "inferenceExtension.image.hub", "list", None),
        ("inferencepool", "1.1.0", "inferenceExtension.image.hub", "list", None),
        ("inferencepool", "1.2.1", "inferenceExtension.image.hub", "map", None),
        ("inferencepool", "1.3.1", "inferenceExtension.image.hub", "map", None),
        ("inferencepool", "1.4.0", "inferenceExtension.image.hub", "map", "inferenceExtension.resources"),
        ("inferencepool", "1.5.0", "inferenceExtension.image.registry", "map", "inferenceExtension.resources"),
        ("llm-d-router-gateway", "0.9.0", "router.epp.image.registry", "map", "router.epp.resources"),
        ("llm-d-router-gateway", "v0.10.0", "router.epp.image.registry", "map", "router.epp.resources"),
    ],
)
def test_each_version_has_the_keys_of_its_time(name, version, image, flags, resources):
    layout = find_layout(name, version)
    assert (layout.values["image_registry"], layout.flags.form, layout.values.get("resources")) == (image, flags, resources)


def test_an_unknown_class_gets_standard_behaviour():
    assert find_profile("istio.io/gateway-controller").chart_provider == "istio"
    assert find_profile("example.com/x").chart_provider == "none"
    assert find_profile(None).chart_provider == "none"
