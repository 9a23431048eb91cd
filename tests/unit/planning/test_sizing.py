"""Sizing: the arithmetic, and the refusal with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.instance_types import InstanceType, instance_types
from workspace_ctrl.catalog.presets import PresetModel, presets
from workspace_ctrl.planning.sizing import size


@pytest.mark.parametrize(
    ("preset", "node", "gpus", "length"),
    [
        pytest.param("phi-4-mini-instruct", "Standard_NC24ads_A100_v4", 1, 131072, id="the model's own limit"),
        pytest.param("llama-3.1-8b-instruct", "Standard_NC24ads_A100_v4", 1, 131072, id="limit again"),
        pytest.param("phi-4", "Standard_NC24ads_A100_v4", 1, 16384, id="a short model"),
        pytest.param("llama-3.3-70b-instruct", "Standard_NC96ads_A100_v4", 4, 131072, id="split over four GPUs"),
        pytest.param("falcon-7b", "Standard_NC96ads_A100_v4", 1, 2048, id="cannot be split: one GPU"),
        pytest.param("phi-3-mini-128k-instruct", "Standard_NC6s_v3", 1, 10496, id="as much context as the memory holds"),
    ],
)
def test_known_sizes(preset, node, gpus, length):
    sizing = size(presets()[preset], instance_types()[node])
    assert (sizing.gpus, sizing.max_model_len) == (gpus, length)


@pytest.mark.parametrize(
    ("preset", "node"),
    [
        ("phi-4", "Standard_NV36ads_A10_v5"),
        ("llama-3.3-70b-instruct", "Standard_NC24ads_A100_v4"),
        ("llama-3.1-8b-instruct", "Standard_NC6s_v3"),
        ("deepseek-r1-0528", "Standard_ND96isr_H100_v5"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_arithmetic(preset, node):
    with pytest.raises(
        SpecError, match=rf"{node} is too small for {preset}: of [\d.]+ GiB usable on each .* GiB of KV cache, \d+ tokens"
    ):
        size(presets()[preset], instance_types()[node])


@given(
    weights=st.floats(0.1, 2000),
    kv=st.integers(1_000, 3_000_000),
    limit=st.integers(2048, 200_000),
    gpus=st.sampled_from([1, 2, 4, 8]),
    memory=st.floats(8, 200),
)
def test_what_is_accepted_fits_in_memory(weights, kv, limit, gpus, memory):
    preset = PresetModel(name="m", model="o/m", weights_gib=weights, kv_bytes_per_token=kv, context_limit=limit)
    node = InstanceType(name="n", gpus=gpus, gpu_memory_gib=memory * gpus, gpu="g")
    try:
        sizing = size(preset, node)
    except SpecError:
        return
    used = (weights * 1.02 / gpus) + 2.3 + sizing.max_model_len * kv / gpus / 2**30
    assert used <= memory * 0.84 + 1e-6
    assert 2048 <= sizing.max_model_len <= limit
