"""The command that starts vLLM: which flags a placement becomes."""

import pytest

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.presets import ModelFigures, custom_model
from workspace_ctrl.planning.vllm.layout import Layout
from workspace_ctrl.planning.workload.sizing import Sizing
from workspace_ctrl.planning.workload.vllm import check_version, multi_node_mode, serve_command
from workspace_ctrl.planning.workload.vllm_config import EngineConfig

MODEL = custom_model("org/model", ModelFigures(weights_gib=10))
RAY, NATIVE = (0, 10, 2), (0, 33, 0)


def sizing(nodes=1, tensor=1, pipeline=1, data=1, **fields):
    return Sizing(Layout(nodes, tensor, pipeline, data), fields.pop("length", 4096), "", **fields)


def command(placed, config=None, adapters=(), version=None):
    return serve_command(MODEL, placed, config or EngineConfig(), adapters, multi_node_mode(placed, version))


def parallel(flags):
    return {flag for flag in flags if "parallel-size" in flag}


@pytest.mark.parametrize(
    ("placed", "flags"),
    [
        pytest.param(sizing(), {"--tensor-parallel-size=1"}, id="one GPU"),
        pytest.param(sizing(tensor=2), {"--tensor-parallel-size=2"}, id="layers are split"),
        pytest.param(sizing(pipeline=2), {"--tensor-parallel-size=1", "--pipeline-parallel-size=2"}, id="stages"),
        pytest.param(sizing(data=2), {"--tensor-parallel-size=1", "--data-parallel-size=2"}, id="copies"),
    ],
)
def test_a_size_of_one_is_not_a_flag_but_for_the_first(placed, flags):
    assert parallel(command(placed)) == flags


def test_one_node_starts_vllm_itself():
    assert multi_node_mode(sizing(tensor=8, pipeline=2), RAY) is None
    assert multi_node_mode(sizing(tensor=8, pipeline=2), None) is None
    assert command(sizing())[:3] == ["vllm", "serve", "org/model"]


@pytest.mark.parametrize("nodes", [2, 3])
def test_several_nodes_start_it_by_a_script_that_knows_how_many_there_are(nodes):
    made = command(sizing(nodes=nodes, pipeline=nodes), version=NATIVE)
    assert made[:2] == ["/bin/sh", "-c"]
    assert made[3:6] == ["vllm", "serve", "org/model"]
    assert made[-3:] == ["--distributed-executor-backend=mp", f"--nnodes={nodes}", "--master-port=29501"]
    assert f"--pipeline-parallel-size={nodes}" in made


@pytest.mark.parametrize("stages", [2, 3])
def test_versions_before_have_ray(stages):
    made = command(sizing(nodes=stages, pipeline=stages), version=RAY)
    assert "ray start --head" in made[2]
    assert made[-1] == "--distributed-executor-backend=ray"


def test_with_ray_there_are_at_most_three_stages():
    with pytest.raises(SpecError, match="needs 4 pipeline stages, for which vLLM .* or newer is required"):
        multi_node_mode(sizing(nodes=4, pipeline=4), RAY)
    assert multi_node_mode(sizing(nodes=4, pipeline=4), NATIVE) is not None


@pytest.mark.parametrize(
    ("placed", "flag"),
    [
        pytest.param(sizing(length=4096), "--max-model-len=4096", id="a length"),
        pytest.param(sizing(length=None), None, id="vLLM's own"),
        pytest.param(sizing(length=None, automatic_context=True), "--max-model-len=auto", id="automatic"),
        pytest.param(sizing(length=4096, automatic_context=True), "--max-model-len=auto", id="automatic whatever would fit"),
    ],
)
def test_the_context(placed, flag):
    assert [each for each in command(placed) if "max-model-len" in each] == ([flag] if flag else [])


def test_a_fixed_cache_has_no_utilization():
    assert "--gpu-memory-utilization=0.84" in command(sizing(utilization=0.84))
    assert not any("utilization" in flag for flag in command(sizing(utilization=None)))


def test_adapters_are_named_with_their_folders():
    made = command(sizing(), adapters=["a", "b"])
    place = made.index("--enable-lora")
    assert made[place : place + 4] == ["--enable-lora", "--lora-modules", "a=/mnt/adapter/a", "b=/mnt/adapter/b"]
    assert "--enable-lora" not in command(sizing())


@pytest.mark.parametrize(
    ("needed", "version", "fits"),
    [
        (None, (0, 1, 0), True),
        ("0.9.0", None, True),
        ("0.9.0", (0, 9, 0), True),
        ("0.9.0", (0, 8, 5), False),
        ("0.9.0", (0, 9, 1), True),
    ],
)
def test_a_model_that_needs_a_newer_vllm_is_refused(needed, version, fits):
    model = MODEL.model_copy(update={"min_vllm": needed})
    if fits:
        check_version(model, version)
    else:
        with pytest.raises(SpecError, match=r"needs vLLM 0\.9\.0 or newer, but the model server image has 0\.8\.5"):
            check_version(model, version)
