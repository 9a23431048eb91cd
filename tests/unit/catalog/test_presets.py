"""Presets: no figure mistyped, every name found, and models that are not in the catalog."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.presets import ModelFigures, PresetModel, custom_model, find_preset, presets

KAITO = {  # KAITO v0.7.2: KV bytes per token; docs/concepts/sizing.md says why some are not ours
    "deepseek-r1-0528": 1748992,
    "deepseek-v3-0324": 1748992,
    "deepseek-r1-distill-llama-8b": 131072,
    "deepseek-r1-distill-qwen-14b": 196608,
    "falcon-7b": 8192,
    "falcon-7b-instruct": 8192,
    "falcon-40b": 8192,
    "falcon-40b-instruct": 1966080,
    "gpt-oss-20b": 34560,
    "gpt-oss-120b": 51840,
    "llama-3.1-8b-instruct": 131072,
    "llama-3.3-70b-instruct": 327680,
    "mistral-7b": 131072,
    "mistral-7b-instruct": 131072,
    "phi-2": 327680,
    "phi-3-mini-4k-instruct": 393216,
    "phi-3-mini-128k-instruct": 393216,
    "phi-3.5-mini-instruct": 393216,
    "phi-3-medium-4k-instruct": 204800,
    "phi-3-medium-128k-instruct": 204800,
    "phi-4": 204800,
    "phi-4-mini-instruct": 131072,
    "qwen2.5-coder-7b-instruct": 57344,
    "qwen2.5-coder-32b-instruct": 262144,
}
KAITO_0_12 = [
    "gemma-3-4b-instruct",
    "gemma-3-27b-instruct",
    "ministral-3-3b-instruct",
    "ministral-3-8b-instruct",
    "ministral-3-14b-instruct",
    "mistral-large-3-675b-instruct",
]
ALL = pytest.mark.parametrize("preset", presets().values(), ids=presets())


def test_kaito_s_names_are_all_there():
    assert not {*KAITO, *KAITO_0_12} - presets().keys()


def test_kv_figures_are_kaito_s_except_for_those_that_the_documentation_lists(sizing_doc):
    ours = {name: presets()[name].kv_bytes_per_token for name in KAITO}
    differing = {name: (KAITO[name], ours[name]) for name in KAITO if KAITO[name] != ours[name]}
    rows = sizing_doc("| preset | KAITO | here | why |")
    assert {name: (int(kaito), int(here)) for name, kaito, here, _ in rows} == differing
    assert f"the other {len(KAITO) - len(differing)} presets agree" in sizing_doc.text


@ALL
def test_every_preset_has_all_figures(preset):
    assert preset.kv_bytes_per_token
    assert preset.stated_kv_bytes_per_token is None
    assert preset.attention_heads % preset.kv_heads == 0
    assert (preset.head_dim is None) == (preset.latent_width is not None)
    if preset.latent_width:
        assert preset.kv_heads == 1


@ALL
def test_weights_and_parameters_tell_of_the_same_model(preset):
    """16-bit weights take 2 bytes for each parameter; only quantized models take less, and none takes more."""
    bytes_per_parameter = preset.weights_gib * 2**30 / (preset.parameters_billion * 1e9)
    exact = pytest.approx(2, rel=0.01)
    untied = preset.name == "qwen3-0.6b"  # its head is stored twice, which for so small a model is a quarter
    if not untied and bytes_per_parameter != exact:
        assert 0.4 < bytes_per_parameter < 1.25
        assert preset.min_compute_capability >= 7.5  # as quantized weights need


@ALL
def test_a_preset_is_found_by_all_its_names(preset):
    assert all(find_preset(name) is preset for name in (preset.name, preset.model, *preset.aliases))


def test_a_preset_is_served_under_its_own_name_whichever_it_was_asked_by():
    assert find_preset("gemma-3-27b-it").name == find_preset("google/gemma-3-27b-it").name == "gemma-3-27b-instruct"


def test_names_are_unique():
    names = [name for preset in presets().values() for name in (preset.name, preset.model, *preset.aliases)]
    assert len(names) == len(set(names)) > 2 * 60


def test_what_is_gated_is_what_hugging_face_gates():
    gated = {preset.model for preset in presets().values() if preset.gated}
    assert {model.partition("/")[0] for model in gated} == {"meta-llama", "google"}
    of_owners = {preset.model for preset in presets().values() if preset.model.startswith(("meta-llama/", "google/"))}
    assert {model for model in of_owners - gated if not model.startswith("google/gemma-4-")} == set()  # Apache-2.0


@ALL
def test_flags_are_long_options_that_the_controller_does_not_set_itself(preset):
    ours = {
        "--served-model-name",
        "--port",
        "--max-model-len",
        "--tensor-parallel-size",
        "--pipeline-parallel-size",
        "--download-dir",
    }
    names = [flag.partition("=")[0] for flag in preset.flags]
    assert all(name.startswith("--") for name in names)
    assert len(names) == len(set(names))
    assert not ours & set(names)
    assert ("--tool-call-parser" in names) == ("--enable-auto-tool-choice" in names)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("phi4-mini", "inference.preset.name 'phi4-mini' is not known; did you mean phi-4-mini-instruct?"),
        ("Phi-4-Mini-Instruct", "inference.preset.name 'Phi-4-Mini-Instruct' is not known; did you mean phi-4-mini-instruct?"),
        ("!!!", "inference.preset.name '!!!' is not known; `workspace-ctrl presets` lists the models"),
        ("some-lab/Model", "'some-lab/Model' is not in the catalog, and its size is not set; set"),
        ("llama3", "did you mean llama-3.1-8b-instruct?"),
        ("deepseek-r1", "did you mean deepseek-r1-0528?"),
        ("qwen/qwen3-8b", "did you mean Qwen/Qwen3-8B?"),
        ("--port=1/x", "'--port=1/x' is not a Hugging Face id; use the form organization/model"),
        ("a/b/c", "is not a Hugging Face id"),
    ],
)
def test_an_unknown_name_is_answered_with_a_way_out(name, text):
    with pytest.raises(SpecError) as caught:
        find_preset(name)
    assert text in str(caught.value)
    assert caught.value.path == "inference.preset.name"


def test_any_other_model_needs_only_its_size():
    model = find_preset("some-lab/Model", ModelFigures(weights_gib=10, layers=32, kv_heads=8, head_dim=128))
    assert (model.name, model.model, model.kv_bytes_per_token) == ("some-lab/Model", "some-lab/Model", 131072)
    assert model.distributed
    assert custom_model("some-lab/Model", ModelFigures(weights_gib=10)).kv_bytes_per_token is None
    assert custom_model("some-lab/Model", ModelFigures(weights_gib=10, kv_bytes_per_token=7)).kv_bytes_per_token == 7


def test_the_catalog_s_figures_go_before_a_stated_size():
    assert find_preset("microsoft/phi-4", ModelFigures(weights_gib=1)) is presets()["phi-4"]


@pytest.mark.parametrize("figures", [{"weights_gib": 0}, {"weights_gib": float("inf")}, {"weights_gib": 1, "layers": 0}])
def test_figures_are_positive(figures):
    with pytest.raises(ValidationError):
        ModelFigures(**figures)


@given(layers=st.integers(1, 200), kv_heads=st.integers(1, 200), head_dim=st.integers(1, 512), width=st.integers(1, 1000))
def test_kv_bytes_follow_from_the_shape(layers, kv_heads, head_dim, width):
    shape = {"name": "m", "model": "o/m", "weights_gib": 1, "layers": layers}
    heads = PresetModel(**shape, kv_heads=kv_heads, head_dim=head_dim)
    assert heads.kv_bytes_per_token == sum(2 * (kv_heads * head_dim) * 2 for _ in range(layers))
    assert PresetModel(**shape, kv_heads=1, latent_width=width).kv_bytes_per_token == sum(width * 2 for _ in range(layers))
