"""What is called without effect changes nothing in the values of any chart, and what is not called so does."""

import pytest

from tests.unit.planning.chart.test_values import LAYOUTS, values_of
from workspace_ctrl.catalog.charts import ChartValue
from workspace_ctrl.planning.chart.picker_settings_without_effect import picker_settings_without_effect
from workspace_ctrl.planning.plan_settings import ChartSource, PickerSettings


def source_of(layout):
    """A source with the oldest version of a layout."""
    oldest = layout.versions.partition(",")[0].removeprefix(">=")
    return ChartSource(url=f"oci://registry.example/{layout.name}", version=".".join((*oldest.split("."), "0")[:3]))


def told(layout, installed, *written):
    return [*picker_settings_without_effect([source_of(layout)], installed, written)]


def of_layouts():
    return pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.name} {layout.versions}")


@of_layouts()
def test_replicas_among_the_values_win(layout):
    values = layout.values_for({ChartValue.REPLICAS: 3})
    for given, is_told in ((values, True), ({}, False)):
        one, other = (PickerSettings(replicas=number, values=given) for number in (1, 2))
        assert (values_of(layout=layout, installed=one) == values_of(layout=layout, installed=other)) is is_told
        assert bool(told(layout, other, "replicas")) is is_told


@of_layouts()
@pytest.mark.parametrize("kind", ["requests", "limits"])
@pytest.mark.parametrize("own", ["requests", "limits", None])
def test_a_quantity_among_the_values_wins_whichever_of_both_it_is(layout, kind, own):
    values = layout.values_for({ChartValue.RESOURCES: {own: {"memory": "3Gi"}} if own else None})
    one, other = (PickerSettings(resources={kind: {"memory": size}}, values=values) for size in ("1Gi", "7Gi"))
    has_no_effect = values_of(layout=layout, installed=one) == values_of(layout=layout, installed=other)
    assert bool(told(layout, other, "resources")) is has_no_effect
    assert has_no_effect is (own is not None or layout.place(ChartValue.RESOURCES) is None)


@of_layouts()
def test_values_under_a_key_of_another_chart_reach_none(layout):
    keys = {root for each in LAYOUTS for root in each.roots} - {"provider"}
    for key in keys:
        installed = PickerSettings(values={key: {"ours": 1}})
        reaches = (values_of(layout=layout, installed=installed).get(key) or {}).get("ours") == 1
        assert bool(told(layout, installed)) is not reaches
