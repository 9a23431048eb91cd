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


@pytest.mark.parametrize("version", ["v1.4.0", "1.6.0", "v2.0.0", "latest", ""])
def test_an_unknown_chart_version_is_refused_with_the_known_ones(version):
    with pytest.raises(UnknownChartError, match="set one of: inferencepool >=1.5,<1.6"):
        find_layout("inferencepool", version)


def test_an_unknown_class_gets_standard_behaviour():
    assert find_profile("istio.io/gateway-controller").chart_provider == "istio"
    assert find_profile("example.com/x").chart_provider == "none"
    assert find_profile(None).chart_provider == "none"
