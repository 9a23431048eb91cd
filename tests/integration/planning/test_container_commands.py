"""The commands of containers, run by a shell."""

import os
import subprocess

import pytest

from e2e.waiting import WAIT_SECONDS
from tests.unit.planning.preset.test_preset_workload import TWO_NODES, container, serve
from workspace_ctrl.planning.preset.preset_pods import drain_hook


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
    subprocess.run(command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True, timeout=WAIT_SECONDS)
    assert count.read_text().strip() == str(asked)


@pytest.mark.parametrize("index", [0, 1])
def test_the_pods_of_several_nodes_start_vllm_with_their_rank(index, tmp_path):
    """The script itself, with programs that print how they are called."""
    command = container(serve(**TWO_NODES))["command"]
    for name, text in (("getent", "echo '10.0.0.7 leader'"), ("vllm", 'printf "%s\\n" "$@"')):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LEADER": "leader", "POD_INDEX": str(index)}
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=WAIT_SECONDS)
    words = run.stdout.split()
    assert words[:2] == ["serve", "meta-llama/Llama-3.3-70B-Instruct"]
    assert words[-2:] == [f"--node-rank={index}", "--master-addr=10.0.0.7"]
    assert ("--headless" in words) is (index > 0)
