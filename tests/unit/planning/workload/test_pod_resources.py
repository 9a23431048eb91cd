"""What the container of a preset requests besides its GPUs."""

from dataclasses import replace

import pytest

from tests.unit.factories import SETTINGS, quickstart, workspace
from tests.unit.planning.workload.test_preset_workload import TWO_NODES, container, serve, with_config
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.planning.vllm.layout import Layout
from workspace_ctrl.planning.vllm.pod_resources import default_requests
from workspace_ctrl.planning.workload.model_server import ServerRecords
from workspace_ctrl.planning.workload.server_from_spec import model_server

PHI = {"cpu": "3", "memory": "10Gi", "ephemeral-storage": "10Gi"}
"""Of 7.2 GiB of weights on one GPU."""
GPU = {"nvidia.com/gpu": "1"}


@pytest.mark.parametrize(
    ("weights", "layout", "offloaded", "has_volume", "requests"),
    [
        pytest.param(1.0, Layout(1, 1, 1), 0, False, ("3", "6Gi", "3Gi"), id="a small model"),
        pytest.param(7.2, Layout(1, 1, 1), 0, False, ("3", "10Gi", "10Gi"), id="more than a file of weights"),
        pytest.param(7.2, Layout(1, 1, 1), 0, True, ("3", "10Gi", "2Gi"), id="weights on a volume"),
        pytest.param(7.2, Layout(1, 1, 1), 4.0, False, ("3", "14Gi", "10Gi"), id="a part of the weights in the node's memory"),
        pytest.param(8.0, Layout(1, 4, 1), 0, False, ("6", "22Gi", "10Gi"), id="each GPU loads its part"),
        pytest.param(8.0, Layout(1, 2, 1, data=2), 0, False, ("6", "30Gi", "10Gi"), id="copies of the model"),
        pytest.param(130.0, Layout(2, 2, 2), 0, False, ("4", "18Gi", "132Gi"), id="each node downloads all weights"),
        pytest.param(400.0, Layout(1, 8, 1), 0, False, ("10", "66Gi", "402Gi"), id="a large model"),
    ],
)
def test_requests_follow_from_weights_and_gpus(weights, layout, offloaded, has_volume, requests):
    found = default_requests(weights, layout, offloaded, has_volume=has_volume)
    assert (found["cpu"], found["memory"], found["ephemeral-storage"]) == requests


def test_a_preset_requests_what_it_needs_and_is_limited_in_nothing_but_gpus():
    assert container(serve())["resources"] == {"requests": {**PHI, **GPU}, "limits": GPU}


def test_each_pod_of_a_model_on_several_nodes_requests_the_same():
    requests = container(serve(**TWO_NODES))["resources"]["requests"]
    assert (requests["cpu"], requests["nvidia.com/gpu"]) == ("4", "2")


def test_what_is_offloaded_takes_part():
    requests = container(with_config("vllm: {cpu-offload-gb: 2}"))["resources"]["requests"]
    assert requests["memory"] == "12Gi"


def with_resources(asked=None, installed=None):
    inference = {"preset": {"name": "phi-4-mini-instruct"}, "resources": asked}
    record = workspace(quickstart(inference=inference))
    settings = replace(SETTINGS, model_server_resources=installed or {})
    spec = parse_workspace(record.meta.ref.name, record.fields())
    return container(model_server(record, spec, ServerRecords(), settings))["resources"]


@pytest.mark.parametrize(
    ("installed", "asked", "requests", "limits"),
    [
        pytest.param({}, {"requests": {"cpu": 8}}, {**PHI, "cpu": 8}, {}, id="one request"),
        pytest.param(
            {}, {"limits": {"memory": "8Gi"}}, {**PHI, "memory": "8Gi"}, {"memory": "8Gi"}, id="a limit below our request"
        ),
        pytest.param({"requests": {"cpu": "4"}}, None, {**PHI, "cpu": "4"}, {}, id="the installation's"),
        pytest.param(
            {"requests": {"cpu": "4"}, "limits": {"cpu": "4"}},
            {"requests": {"cpu": "2", "rdma/hca": 1}},
            {**PHI, "cpu": "2", "rdma/hca": 1},
            {"cpu": "2"},
            id="the Workspace's over the installation's",
        ),
    ],
)
def test_workspace_and_installation_set_them(installed, asked, requests, limits):
    assert with_resources(asked, installed) == {"requests": {**requests, **GPU}, "limits": {**limits, **GPU}}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"requests": {"cpu": "much"}}, "inference.resources has 'much' for cpu; use a quantity, such as 1Gi"),
        ({"claims": []}, "inference.resources must contain only requests and limits"),
        (
            {"limits": {"nvidia.com/gpu": 2}},
            "inference.resources must not name nvidia.com/gpu, which follows from the size of the model",
        ),
    ],
)
def test_what_is_wrong_is_rejected(asked, words):
    with pytest.raises(SpecError) as caught:
        with_resources(asked)
    assert str(caught.value).startswith(words)
