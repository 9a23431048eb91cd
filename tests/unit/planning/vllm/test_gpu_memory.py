"""The memory on a GPU: what vLLM's settings need beyond its defaults, to the byte."""

import pytest

from workspace_ctrl.catalog.instance_types import instance_types
from workspace_ctrl.catalog.presets import ModelFigures, custom_model
from workspace_ctrl.planning.vllm.gpu_memory import ModelLoad
from workspace_ctrl.planning.vllm.gpu_parallelism import Layout
from workspace_ctrl.planning.vllm.memory_flags import MemorySettings

NODE = instance_types()["Standard_NC24ads_A100_v4"]
GIB = 2**30
KNOWN = custom_model("o/m", ModelFigures(weights_gib=10, layers=10, attention_heads=8, head_dim=128, kv_bytes_per_token=1000))
UNKNOWN = custom_model("o/m", ModelFigures(weights_gib=10))


def runtime(model=KNOWN, *, adapters=False, **settings):
    """Bytes of the runtime beyond those with all defaults."""

    def on_node(found, with_adapters):
        return ModelLoad(model, found, 0.9, with_adapters).on(NODE, Layout(1, 1, 1)).runtime

    return round((on_node(MemorySettings(**settings), adapters) - on_node(MemorySettings(), False)) * GIB)  # noqa: FBT003


@pytest.mark.parametrize(
    ("settings", "extra"),
    [
        pytest.param({}, 0, id="defaults"),
        pytest.param({"batched_tokens": 8192}, 0, id="as many tokens as by default"),
        pytest.param({"batched_tokens": 8193}, 32 * 1024, id="one token more"),
        pytest.param({"batched_tokens": 2048}, 0, id="fewer cost nothing less"),
        pytest.param({"sequences": 1024}, 0, id="as many sequences as by default"),
        pytest.param({"sequences": 1025}, 1_300_000, id="one sequence more"),
        pytest.param({"lora": True}, 16 * 10 * 20 * 1024 * 2, id="adapters"),
        pytest.param({"lora": True, "loras": 2, "lora_rank": 8}, 2 * 8 * 10 * 20 * 1024 * 2, id="their number and ranks"),
        pytest.param({"loras": 2, "lora_rank": 8}, 0, id="without adapters, ranks cost nothing"),
    ],
)
def test_what_goes_beyond_the_defaults(settings, extra):
    assert runtime(**settings) == extra


def test_adapters_of_the_workspace_cost_as_those_that_are_enabled():
    assert runtime(adapters=True) == runtime(lora=True) > 0


def test_a_model_of_unknown_width_counts_as_a_wide_one_of_eighty_layers():
    assert runtime(UNKNOWN, batched_tokens=8193) == 32 * 8192
    assert runtime(UNKNOWN, lora=True) == 16 * 80 * 20 * 8192 * 2


def test_whole_prompts_need_memory_for_each_token_of_the_longest():
    def per_token(**settings):
        return round(ModelLoad(KNOWN, MemorySettings(**settings), 0.9).on(NODE, Layout(1, 1, 1)).kv_per_token * GIB)

    assert per_token() == 1000
    assert per_token(whole_prompts=True) == 1000 + 32 * 1024
    assert per_token(cache_width=0.5) == 500
    assert per_token(full_precision=True) == 2000


def test_a_fixed_cache_takes_what_it_takes_up_to_nearly_the_whole_gpu():
    def usable(gib):
        placed = ModelLoad(KNOWN, MemorySettings(cache_gib=gib), 0.9).on(NODE, Layout(1, 1, 1))
        return placed.usable, placed.weights + placed.runtime

    small, used = usable(5)
    assert small == pytest.approx(used + 5)
    assert usable(500)[0] == pytest.approx(NODE.gpu_memory_gib * 0.97)


@pytest.mark.parametrize(("tokens", "limit", "fit"), [(1024, 1024, 1024), (1000, 4096, 768), (1024, 4096, 1024), (100, 4096, 0)])
def test_tokens_fit_in_whole_blocks(tokens, limit, fit):
    placed = ModelLoad(KNOWN, MemorySettings(), 0.9).on(NODE, Layout(1, 1, 1))
    room = placed.kv_per_token * (tokens + 0.5)
    small = type(placed)(placed.weights + placed.runtime + room, placed.weights, placed.runtime, placed.kv_per_token)
    assert small.most_tokens(limit) == fit
    assert small.holds(fit)
    assert not small.holds(tokens + 1)
