"""The catalog's data and its answers to unknown names."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.catalog.gateway_classes import find_profile
from workspace_ctrl.catalog.instance_types import DEFAULT_INSTANCE_TYPE, find_instance_type, instance_types
from workspace_ctrl.catalog.presets import find_preset, presets

KAITO_PRESETS = 24


def test_all_presets_of_kaito_are_there():
    assert len(presets()) == KAITO_PRESETS
    assert find_preset("phi-4-mini-instruct").model == "microsoft/Phi-4-mini-instruct"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("phi4-mini", "inference.preset.name 'phi4-mini' is not known; did you mean phi-4-mini-instruct?"),
        ("Phi-4-Mini-Instruct", "inference.preset.name 'Phi-4-Mini-Instruct' is not known; did you mean phi-4-mini-instruct?"),
    ],
)
def test_a_misspelt_preset_is_answered_with_the_right_one(name, text):
    with pytest.raises(SpecError) as caught:
        find_preset(name)
    assert str(caught.value) == text


def test_a_strange_preset_is_answered_with_the_list():
    with pytest.raises(SpecError, match="known presets: deepseek-r1-0528, .*qwen2.5-coder-7b-instruct"):
        find_preset("!!!")


def test_instance_types_have_gpus():
    assert DEFAULT_INSTANCE_TYPE in instance_types()
    assert all(entry.gpus > 0 and entry.gpu_memory_gib > 0 for entry in instance_types().values())
    with pytest.raises(SpecError, match="did you mean Standard_NC24ads_A100_v4"):
        find_instance_type("Standard_NC24ads_A100")


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
