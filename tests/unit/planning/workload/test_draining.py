"""What ends the pod of a preset waits for the answers that it has begun."""

import os
import subprocess

import pytest

from tests.unit.planning.preset.test_preset_workload import TWO_NODES, container, pod_spec, serve
from workspace_ctrl.planning.preset.preset_pods import drain_hook, grace_seconds


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [("300s", 330), ("", 330), ("none", 330), ("10s", 330), ("10m", 630), ("1h30m", 3630), ("600s500ms", 630), ("0s", 3630)],
)
def test_the_grace_period_is_as_long_as_an_answer_may_take(timeout, seconds):
    assert grace_seconds(timeout) == seconds


def test_the_pod_of_one_node_is_drained_for_as_long_as_its_route_allows():
    assert container(serve())["lifecycle"] == drain_hook()
    assert pod_spec(serve())["terminationGracePeriodSeconds"] == 330
    assert pod_spec(serve(gateway={"timeout": "20m"}))["terminationGracePeriodSeconds"] == 1230


def test_the_pods_of_several_nodes_end_together():
    assert "lifecycle" not in container(serve(**TWO_NODES))
    assert "terminationGracePeriodSeconds" not in pod_spec(serve(**TWO_NODES))


def metrics(running, waiting):
    return (
        "# HELP vllm:num_requests_running Number of requests in model execution batches.\\n"
        f'vllm:num_requests_running{{engine="0",model_name="phi"}} {running}\\n'
        f'vllm:num_requests_waiting{{engine="0",model_name="phi"}} {waiting}\\n'
        'vllm:num_requests_waiting_by_reason{engine="0"} 7.0\\n'
    )


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        pytest.param([metrics(0.0, 0.0)], 1, id="nothing to wait for"),
        pytest.param(
            [metrics(2.0, 1.0), metrics(1.0, 0.0), metrics(0.0, 1.0), metrics(0.0, 0.0)], 4, id="until the last is answered"
        ),
        pytest.param([metrics(10.0, 0.0), metrics(0, 0)], 2, id="numbers that end with 0"),
        pytest.param([""], 1, id="metrics cannot be read"),
    ],
)
def test_the_hook_waits_until_there_is_no_request(tmp_path, answers, asked):
    for index, answer in enumerate(answers):
        (tmp_path / f"answer-{index}").write_text(answer.replace("\\n", "\n"))
    count = tmp_path / "count"
    count.write_text("0")
    script = f"#!/bin/sh\nn=$(cat {count}); echo $((n + 1)) > {count}; cat {tmp_path}/answer-$n\n"
    for name, text in (("curl", script), ("sleep", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    command = drain_hook()["preStop"]["exec"]["command"]
    subprocess.run(command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True, timeout=20)
    assert count.read_text().strip() == str(asked)
