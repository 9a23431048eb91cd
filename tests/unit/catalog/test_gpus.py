"""GPUs, by instance type and by the labels of nodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.gpus import gpus, gpus_from_labels
from workspace_ctrl.catalog.instance_types import DEFAULT_INSTANCE_TYPE, _others, find_instance_type, instance_types

A100 = {
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
    "nvidia.com/gpu.memory": "81920",
    "nvidia.com/gpu.count": "8",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "0",
}


@pytest.mark.parametrize(
    ("name", "count", "gib", "capability"),
    [
        (DEFAULT_INSTANCE_TYPE, 1, 80, 8.0),
        ("Standard_ND96isr_H200_v5", 8, 140.4, 9.0),
        ("Standard_NC32_A16", 2, 15, 8.6),
        ("g4dn.metal", 8, 15, 7.5),
        ("g6e.12xlarge", 4, 44.99, 8.9),
        ("p6-b200.48xlarge", 8, 179.06, 10.0),
        ("a2-megagpu-16g", 16, 40, 8.0),
        ("g2-standard-96", 8, 22.49, 8.9),
    ],
)
def test_known_instance_types(name, count, gib, capability):
    node = find_instance_type(name)
    assert (node.gpus, node.gpu_memory_gib, node.compute_capability) == (count, gib, capability)
    assert node.memory_gib == count * gib


def test_every_provider_is_there_and_every_gpu_can_run_vllm():
    assert {node.provider for node in instance_types().values()} == {"azure", "arc", "aws", "gcp"}
    assert all(node.compute_capability >= 7.0 for node in instance_types().values())


def test_an_unknown_instance_type_is_answered_with_the_closest():
    with pytest.raises(SpecError, match="did you mean Standard_NC24ads_A100_v4"):
        find_instance_type("Standard_NC24ads_A100")
    with pytest.raises(SpecError, match="--instance-types` lists the known ones"):
        find_instance_type("!!!")


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("Standard_ND96isr_MI300X_v5", "AMD GPUs"),
        ("Standard_NV4as_v4", "AMD GPUs"),
        ("Standard_NV24ads_V710_v5", "AMD GPUs"),
        ("g4ad.xlarge", "AMD GPUs"),
        ("Standard_NP10s", "FPGAs"),
        ("trn1.32xlarge", "accelerators of AWS"),
        ("inf2.xlarge", "accelerators of AWS"),
        ("dl1.24xlarge", "accelerators of other vendors than NVIDIA"),
        ("ct5lp-hightpu-4t", "TPUs"),
        ("Standard_NC6", "NVIDIA GPUs that are too old"),
        ("standard_nc6s_v2", "NVIDIA GPUs that are too old"),
        ("p2.xlarge", "NVIDIA GPUs that are too old"),
        ("Standard_D4s_v5", "no GPUs"),
        ("Standard_DC4as_v5", "no GPUs"),
        ("Standard_E4-2s_v5", "no GPUs"),
        ("m7i-flex.large", "no GPUs"),
        ("u-6tb1.metal", "no GPUs"),
        ("n2-standard-8", "no GPUs of their own"),
    ],
)
def test_nodes_without_gpus_of_nvidia_are_named_as_such_and_not_taken_for_a_slip(name, has):
    with pytest.raises(SpecError, match=f"names nodes with {has}, on which") as raised:
        find_instance_type(name)
    assert "did you mean" not in str(raised.value)


@pytest.mark.parametrize("name", ["Standard_NC24ads_A100", "g5.xlarg", "a3-highgpu-8", "Standard_NC6s_v33", "p4d.24xlarges"])
def test_a_slip_is_none_of_them(name):
    with pytest.raises(SpecError, match="did you mean"):
        find_instance_type(name)


def test_no_known_instance_type_is_of_a_family_that_cannot_serve():
    assert [name for name in instance_types() if any(pattern.fullmatch(name) for pattern in _others())] == []


def test_labels_tell_the_gpus_of_a_node():
    node = gpus_from_labels(A100)
    assert (node.gpus, node.gpu_memory_gib, node.compute_capability) == (8, 80, 8.0)
    assert node.name == "node with NVIDIA-A100-SXM4-80GB"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"nvidia.com/gpu.memory": ""}, (8, 80, 8.0), id="memory from the product"),
        pytest.param({"nvidia.com/gpu.compute.major": ""}, (8, 80, 8.0), id="capability from the product"),
        pytest.param({"nvidia.com/gpu.product": "New", "nvidia.com/gpu.compute.major": "11"}, (8, 80, 11.0), id="unknown product"),
        pytest.param({"nvidia.com/gpu.product": "New", "nvidia.com/gpu.compute.major": ""}, (8, 80, None), id="unknown capability"),
        pytest.param({"nvidia.com/gpu.count": "0"}, (1, 80, 8.0), id="no count"),
        pytest.param({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-SHARED"}, (1, 80, 8.0), id="shared: one"),
        pytest.param(
            {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb", "nvidia.com/gpu.memory": "40192"},
            (1, 39.25, 8.0),
            id="a part of a GPU",
        ),
    ],
)
def test_incomplete_and_unusual_labels(changes, expected):
    node = gpus_from_labels({**A100, **changes})
    assert (node.gpus, node.gpu_memory_gib, node.compute_capability) == expected


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"nvidia.com/gpu.count": "8"},
        {"nvidia.com/gpu.product": "New", "nvidia.com/gpu.memory": "0"},
        {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb"},
    ],
)
def test_labels_without_memory_tell_nothing(labels):
    assert gpus_from_labels(labels) is None


@given(st.dictionaries(st.sampled_from(sorted(A100)), st.text(max_size=30) | st.integers().map(str), max_size=5))
def test_no_label_is_an_exception(labels):
    node = gpus_from_labels(labels)
    assert node is None or node.memory_gib > 0


def test_products_are_unique():
    products = [product for gpu in gpus().values() for product in gpu.products]
    assert len(products) == len(set(products))
