"""Sizing: known placements, refusals with the arithmetic, and properties over all models and nodes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.gpus import NodeGpus
from workspace_ctrl.catalog.instance_types import instance_types
from workspace_ctrl.catalog.presets import ModelFigures, PresetModel, custom_model, presets
from workspace_ctrl.planning.preset.gpu_sizing import Wanted, size, unchecked
from workspace_ctrl.planning.vllm.gpu_parallelism import Layout
from workspace_ctrl.planning.vllm.memory_flags import MemorySettings


def sized(preset, node, **wanted):
    return size(presets()[preset], instance_types()[node], Wanted(**wanted))


@pytest.mark.parametrize(
    ("preset", "node", "gpus", "length"),
    [
        pytest.param("phi-4-mini-instruct", "Standard_NC24ads_A100_v4", 1, 131072, id="the model's own limit"),
        pytest.param("phi-4", "Standard_NC24ads_A100_v4", 1, 16384, id="a short model"),
        pytest.param("llama-3.3-70b-instruct", "Standard_NC96ads_A100_v4", 4, 131072, id="split over four GPUs"),
        pytest.param("falcon-7b", "Standard_NC96ads_A100_v4", 1, 2048, id="cannot be split: one GPU"),
        pytest.param("phi-4", "Standard_NC96ads_A100_v4", 2, 16384, id="10 KV heads: two of four GPUs"),
        pytest.param("gemma-3-1b-instruct", "Standard_ND96isr_H100_v5", 4, 32768, id="4 heads: four of eight GPUs"),
        pytest.param("phi-3-mini-128k-instruct", "Standard_NC6s_v3", 1, 12032, id="as much context as the memory holds"),
        pytest.param("gpt-oss-120b", "Standard_NC24ads_A100_v4", 1, 67072, id="that again"),
    ],
)
def test_known_sizes_on_one_node(preset, node, gpus, length):
    sizing = sized(preset, node)
    assert (sizing.nodes, sizing.gpus, sizing.max_model_len) == (1, gpus, length)


def test_the_documentation_compares_with_kaito_as_it_is(sizing_doc):
    heading = "| model | instance type | wanted context | KAITO: nodes | here: nodes | here: context |"
    for preset, node, wanted, _, nodes, context in sizing_doc(heading):
        try:
            sizing = sized(preset, node, max_model_len=None if wanted == "-" else int(wanted))
            here = str(sizing.nodes), str(sizing.max_model_len)
        except SpecError:
            here = "refused", "-"
        assert here == (nodes, context), (preset, node)


def test_where_the_models_agree_so_do_we_with_kaito(sizing_doc):
    heading = "| model | instance type | wanted context | KAITO: nodes | here: nodes | here: context |"
    rows = sizing_doc(heading)
    assert [row for row in rows if row[3] != row[4]] == rows[-2:]
    assert all(row[0].startswith("deepseek") for row in rows[-2:])


def test_the_explanation_says_it_all_in_one_line():
    assert sized("llama-3.3-70b-instruct", "Standard_NC80adis_H100_v5").explanation == (
        "1 x Standard_NC80adis_H100_v5: 134.0 GiB weights and 23.1 GiB KV cache on 2 x NVIDIA H100 NVL "
        "(tensor 2 x pipeline 1), context 75520 tokens"
    )


@pytest.mark.parametrize(
    ("preset", "node", "nodes", "gpus", "length"),
    [
        pytest.param("kimi-k2-instruct", "p5.48xlarge", 2, 8, 125440, id="61 layers on 2 nodes; every rank holds the whole cache"),
        pytest.param("llama-3.1-8b-instruct", "Standard_NC6s_v3", 2, 1, 66816, id="32 layers on 2 nodes"),
        pytest.param("mixtral-8x22b-instruct", "a2-highgpu-1g", 10, 1, 65536, id="56 layers on 10 nodes: 6 on the fullest"),
        pytest.param("phi-4-mini-instruct", "g4dn.12xlarge", 1, 4, 131072, id="8 KV heads on 4 GPUs"),
        pytest.param("gemma-3-4b-instruct", "g5.48xlarge", 1, 8, 131072, id="4 KV heads on 8 GPUs"),
    ],
)
def test_known_sizes_on_several_nodes_and_gpus(preset, node, nodes, gpus, length):
    sizing = sized(preset, node)
    assert (sizing.nodes, sizing.gpus, sizing.max_model_len) == (nodes, gpus, length)


def test_there_are_never_more_nodes_than_layers():
    two_layers = custom_model("o/m", ModelFigures(weights_gib=300, layers=2, kv_bytes_per_token=1000))
    with pytest.raises(SpecError, match=r"on each of 2 x 1 GPU\(s\), weights need 153.0 and"):
        size(two_layers, SOME.model_copy(update={"gpus": 1}))


def test_a_pipeline_has_at_most_as_many_stages_as_layers():
    two_layers = custom_model("o/m", ModelFigures(weights_gib=3, layers=2, kv_bytes_per_token=1000))
    assert size(two_layers, SOME, Wanted(settings=MemorySettings(pipeline_parallel=2))).pipeline_parallel_size == 2
    with pytest.raises(SpecError, match=r"sets pipeline-parallel-size to 3, but .* has 2 layers"):
        size(two_layers, SOME, Wanted(settings=MemorySettings(pipeline_parallel=3)))


def test_copies_of_data_parallelism_are_never_spread_over_nodes():
    large = custom_model("o/m", ModelFigures(weights_gib=100, layers=4, kv_bytes_per_token=1000))
    node = SOME.model_copy(update={"gpus": 2})
    assert size(large, node, Wanted()).nodes == 1
    with pytest.raises(SpecError):
        size(large, node, Wanted(settings=MemorySettings(data_parallel=2)))


def test_a_dtype_that_the_gpus_do_not_have_is_named_and_the_way_out_is_another_one():
    old = SOME.model_copy(update={"compute_capability": 7.0})
    small = custom_model("o/m", ModelFigures(weights_gib=1))
    with pytest.raises(SpecError) as caught:
        size(small, old, Wanted(settings=MemorySettings(bfloat16=True)))
    assert "with compute capability 7.0, but bfloat16 needs 8.0 or higher" in str(caught.value)
    assert str(caught.value).endswith("use GPUs with compute capability 8.0 or higher, or another dtype")


def test_parallel_sizes_are_vllm_s_words_for_gpus_and_nodes():
    sizing = sized("deepseek-r1-0528", "Standard_ND96isr_H100_v5")
    assert (sizing.tensor_parallel_size, sizing.pipeline_parallel_size) == (sizing.gpus, sizing.nodes) == (8, 2)


@pytest.mark.parametrize(
    ("preset", "node", "words"),
    [
        pytest.param(
            "phi-4",
            "Standard_NV36ads_A10_v5",
            "Standard_NV36ads_A10_v5 is too small for phi-4: of 20.2 GiB usable on each of 1 GPU(s), weights need 27.9 and the runtime "
            "3.7, which leaves 0.0 GiB of KV cache, but 2048 tokens need 0.4; the smallest instance "
            "type that fits is Standard_NV72ads_A10_v5",
            id="one node only",
        ),
        pytest.param(
            "gpt-oss-20b",
            "g4dn.xlarge",
            "g4dn.xlarge has NVIDIA T4 with compute capability 7.5, but gpt-oss-20b needs 8.0 or higher; the smallest instance type that "
            "fits is g5.xlarge",
            id="old GPU",
        ),
        pytest.param(
            "deepseek-v3.2",
            "Standard_NC4_A2",
            "needs 9.0 or higher; use GPUs with compute capability 9.0 or higher, or another model",
            id="nothing here",
        ),
        pytest.param(
            "qwen3-30b-a3b", "g2-standard-4", "the smallest instance type that fits is a3-highgpu-1g", id="79.65 GiB, not 2 x 40"
        ),
        pytest.param("falcon-7b", "Standard_NK12", "falcon-7b: of 6.8 GiB usable on each of 1 GPU(s)", id="cannot be split"),
    ],
)
def test_a_refusal_shows_the_arithmetic_and_a_way_out(preset, node, words):
    with pytest.raises(SpecError) as caught:
        sized(preset, node)
    assert caught.value.path == "resource.instanceType"
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("gib", "capability", "words"),
    [
        pytest.param(
            32, 7.0, "gpt-oss-20b needs 8.0 or higher; use GPUs with compute capability 8.0 or higher, or another model", id="old"
        ),
        pytest.param(4, 8.0, "use nodes with more GPU memory, or a smaller or quantized model", id="small"),
    ],
)
def test_the_remedy_for_own_nodes_is_for_what_they_lack(gib, capability, words):
    own = NodeGpus(name="node with X", gpu="X", gpus=1, gpu_memory_gib=gib, compute_capability=capability)
    with pytest.raises(SpecError) as caught:
        size(presets()["gpt-oss-20b"], own)
    assert words in str(caught.value)


def test_the_remedy_is_one_that_works():
    for preset in ("phi-4", "llama-3.3-70b-instruct", "falcon-40b"):
        for node in instance_types():
            try:
                sized(preset, node)
            except SpecError as error:
                if "the smallest instance type that fits is " in error.remedy:
                    name, _, several = error.remedy.removeprefix("the smallest instance type that fits is ").partition(" (")
                    assert sized(preset, name).nodes == (int(several.split()[0]) if several else 1)
                    assert instance_types()[name].provider == instance_types()[node].provider


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (16385, "sets max-model-len to 16385, but phi-4 supports at most 16384 tokens; set at most 16384"),
        (0, "at least 1"),
    ],
)
def test_a_length_that_cannot_be_is_refused(asked, words):
    with pytest.raises(SpecError, match=words) as caught:
        sized("phi-4", "Standard_NC24ads_A100_v4", max_model_len=asked)
    assert caught.value.path == "inference.config"


def test_a_wanted_length_is_kept_as_it_is():
    assert sized("phi-4", "Standard_NC24ads_A100_v4", max_model_len=1000).max_model_len == 1000


def test_the_number_of_nodes_is_ours_where_the_memory_tells_it():
    assert sized("llama-3.1-8b-instruct", "Standard_NC24ads_A100_v4", nodes=7).nodes == 1


@pytest.mark.parametrize(
    ("preset", "flags"),
    [("qwen3-8b", ("--dtype=float16",)), ("mistral-7b", ())],
    ids=["no dtype of its own", "has one already"],
)
def test_gpus_without_bfloat16_get_float16(preset, flags):
    assert sized(preset, "g4dn.12xlarge").flags == flags
    assert sized(preset, "g6e.xlarge").flags == ()


SOME = NodeGpus(name="n", gpus=6, gpu="g", gpu_memory_gib=80)


def test_a_model_of_which_only_the_weights_are_known():
    model = custom_model("o/m", ModelFigures(weights_gib=230))
    sizing = size(model, SOME)
    assert (sizing.nodes, sizing.gpus, sizing.max_model_len) == (2, 4, None)  # 230 x 1.2 / 4 x 1.05 = 72.5 and 2.3 are more than 72
    assert sizing.explanation.endswith("context chosen by vLLM")
    assert size(model, SOME, Wanted(nodes=3)).nodes == 3
    assert size(model, SOME, Wanted(nodes=1)).nodes == 2
    assert size(model, SOME, Wanted(max_model_len=5000)).max_model_len == 5000


def test_without_a_known_limit_vllm_chooses_the_context():
    model = custom_model("o/m", ModelFigures(weights_gib=10, kv_bytes_per_token=100_000))
    assert size(model, SOME).max_model_len is None
    assert size(model, SOME, Wanted(max_model_len=4096)).max_model_len == 4096


def test_who_knows_better_than_the_arithmetic_gets_the_nodes_that_were_asked_for():
    node = instance_types()["Standard_NC48ads_A100_v4"]
    sizing = unchecked(presets()["llama-3.3-70b-instruct"], node, Wanted(nodes=3))
    assert (sizing.nodes, sizing.gpus, sizing.max_model_len) == (3, 2, None)
    assert "not checked" in sizing.explanation
    assert unchecked(presets()["phi-4"], node, Wanted(nodes=3)).nodes == 1
    assert unchecked(presets()["phi-4"], node, Wanted(max_model_len=4096)).max_model_len == 4096


figures = st.fixed_dictionaries(
    {"weights_gib": st.floats(0.1, 2000)},
    optional={
        "layers": st.integers(1, 130),
        "attention_heads": st.integers(1, 130),
        "kv_heads": st.integers(1, 130),
        "head_dim": st.sampled_from([64, 96, 128, 256]),
        "latent_width": st.sampled_from([576]),
        "stated_kv_bytes_per_token": st.integers(1, 3_000_000),
        "context_limit": st.integers(1, 2_000_000),
        "tensor_parallel": st.booleans(),
        "distributed": st.booleans(),
        "min_compute_capability": st.sampled_from([8.0, 9.0]),
    },
)
models = figures.map(lambda known: PresetModel(name="m", model="o/m", **known)) | st.builds(
    lambda preset, gib: preset.model_copy(update={"weights_gib": gib, "distributed": True}),
    st.sampled_from(list(presets().values())),
    st.floats(1, 1000),
)
nodes = st.builds(
    NodeGpus,
    name=st.just("n"),
    gpu=st.just("g"),
    gpus=st.integers(1, 16),
    gpu_memory_gib=st.floats(1, 300),
    compute_capability=st.sampled_from([None, 7.0, 9.0]),
) | st.sampled_from(list(instance_types().values()))
wishes = st.builds(Wanted, max_model_len=st.none() | st.integers(-1, 300_000), nodes=st.none() | st.integers(1, 300))


def fits(model, node, sizing):
    """Compute anew, GPU by GPU, whether the sizing fits: layers dealt out one after the other, heads as vLLM deals them out."""
    stages = [1.0 / sizing.nodes] * sizing.nodes
    if model.layers:
        layers = [model.layers // sizing.nodes + (index < model.layers % sizing.nodes) for index in range(sizing.nodes)]
        assert min(layers) >= 1
        stages = [count / model.layers for count in layers]
    per_token = (model.kv_bytes_per_token or 0) / 2**30
    heads = model.kv_heads or 1
    of_heads = max(1, heads // sizing.gpus) / heads
    need = [
        model.weights_gib * 1.02 * 1.05 * stage / sizing.gpus + 2.3 + per_token * stage * of_heads * (sizing.max_model_len or 0)
        for stage in stages
    ]
    return max(need) <= node.gpu_memory_gib * 0.9 * (1 + 1e-9)


@given(model=models, node=nodes, wanted=wishes)
def test_what_is_accepted_fits(model, node, wanted):
    try:
        sizing = size(model, node, wanted)
    except SpecError as refused:
        assert str(refused)
        return
    assert fits(model, node, sizing)
    assert 1 <= sizing.gpus <= node.gpus
    assert sizing.nodes == 1 or (model.distributed and model.tensor_parallel)
    assert model.attention_heads is None or model.attention_heads % sizing.gpus == 0
    assert sizing.gpus == 1 or model.tensor_parallel
    if sizing.max_model_len is not None:
        assert sizing.max_model_len <= (wanted.max_model_len or model.context_limit)
        assert sizing.max_model_len >= (wanted.max_model_len or min(2048, model.context_limit))


some_settings = st.builds(
    MemorySettings,
    utilization=st.none() | st.floats(0.1, 1),
    cache_gib=st.none() | st.floats(0.1, 100),
    tensor_parallel=st.none() | st.integers(1, 16),
    pipeline_parallel=st.none() | st.integers(1, 16),
    data_parallel=st.integers(1, 8),
    cache_width=st.sampled_from([0.5, 1.0]),
    full_precision=st.booleans(),
    offload_gib=st.floats(0, 50),
    batched_tokens=st.none() | st.integers(1, 10**6),
    whole_prompts=st.booleans(),
    context_limit=st.none() | st.integers(1, 10**6),
)


@given(model=models, node=nodes, settings=some_settings, length=st.none() | st.integers(1, 10**6), checked=st.booleans())
def test_whatever_the_user_sets_the_pods_have_as_many_gpus_as_vllm_uses(model, node, settings, length, checked):
    wanted = Wanted(max_model_len=length, nodes=2, settings=settings)
    try:
        sizing = size(model, node, wanted) if checked else unchecked(model, node, wanted)
    except SpecError as refused:
        assert refused.remedy
        return
    used = sizing.tensor_parallel_size * sizing.pipeline_parallel_size * sizing.data_parallel_size
    assert used == sizing.gpus * sizing.nodes
    assert settings.tensor_parallel in {None, sizing.tensor_parallel_size}
    assert settings.pipeline_parallel in {None, sizing.pipeline_parallel_size}
    assert settings.data_parallel == sizing.data_parallel_size
    assert length in {None, sizing.max_model_len}
    if checked:
        assert sizing.gpus <= node.gpus
        assert sizing.max_model_len is None or sizing.max_model_len > 0


@given(model=models, node=nodes, wanted=wishes, more=st.floats(0, 100))
def test_more_memory_never_needs_more_nodes_nor_gives_less_context_on_as_many(model, node, wanted, more):
    try:
        small = size(model, node, wanted)
    except SpecError:
        return
    large = size(model, node.model_copy(update={"gpu_memory_gib": node.gpu_memory_gib + more}), wanted)
    assert large.nodes <= small.nodes
    if large.nodes == small.nodes:
        assert (large.max_model_len or 0) >= (small.max_model_len or 0)


@given(model=models, node=nodes, wanted=wishes)
def test_no_fewer_nodes_would_do(model, node, wanted):
    assume(model.kv_bytes_per_token is not None)
    try:
        sizing = size(model, node, wanted)
    except SpecError:
        return
    if sizing.nodes > 1:
        shortest = wanted.max_model_len or min(2048, model.context_limit or 2048)
        layout = Layout(nodes=sizing.nodes - 1, tensor=sizing.gpus, pipeline=sizing.nodes - 1)
        smaller = type(sizing)(layout, max_model_len=shortest, explanation="")
        assert not fits(model, node.model_copy(update={"gpu_memory_gib": node.gpu_memory_gib * (1 - 1e-6)}), smaller)
