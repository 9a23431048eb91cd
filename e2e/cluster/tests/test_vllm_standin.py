"""The stand-in's command line: vLLM's flags in, the simulator's flags out."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import os
import subprocess

import pytest

from e2e.cluster.places import PACKAGE

SCRIPT = PACKAGE / "standins" / "vllm.sh"
MODEL = "microsoft/Phi-4-mini-instruct"


@pytest.fixture
def serve(tmp_path):
    simulator = tmp_path / "llm-d-inference-sim"
    simulator.write_text('#!/bin/sh\necho "$POD_NAME"\nprintf "%s\\n" "$@"\n')
    simulator.chmod(0o755)

    def run(*arguments, **env):
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "POD_NAME": "pod", **env}
        return subprocess.run(["/bin/sh", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)

    return run


def expected(model=MODEL, port="8000", names=(MODEL,), length="32768"):
    flags = ["--model", model, "--port", port, "--served-model-name", *names, "--max-model-len", length]
    return [*flags, "--mode=echo", "--force-dummy-tokenizer"]


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        pytest.param([MODEL], expected(), id="only a model"),
        pytest.param([MODEL, "--port", "5000"], expected(port="5000"), id="value as a word"),
        pytest.param([MODEL, "--port=5000"], expected(port="5000"), id="value after an equals sign"),
        pytest.param(["--port", "5000", MODEL], expected(port="5000"), id="model last"),
        pytest.param(["--model", MODEL, "--port=1"], expected(port="1"), id="model as a flag"),
        pytest.param([MODEL, "--served-model-name", "a"], expected(names=["a"]), id="one name"),
        pytest.param([MODEL, "--served-model-name", "a", "b"], expected(names=["a", "b"]), id="several names"),
        pytest.param([MODEL, "--served-model-name=a"], expected(names=["a"]), id="name after an equals sign"),
        pytest.param([MODEL, "--gpu-memory-utilization", "0.9", "-tp", "2"], expected(), id="unknown flags with values"),
        pytest.param(["--trust-remote-code", MODEL], expected(), id="a switch does not swallow the model"),
        pytest.param([MODEL, "--enable-prefix-caching", "--port", "9"], expected(port="9"), id="a switch before a flag"),
        pytest.param([MODEL, "--max-model-len", "4096"], expected(length="4096"), id="length"),
        pytest.param([MODEL, "--max-model-len", "auto"], expected(), id="a length that is no number"),
    ],
)
def test_flags(serve, arguments, flags):
    assert serve("serve", *arguments).stdout.splitlines() == ["pod", *flags]


def test_a_test_may_add_flags_of_the_simulator(serve):
    assert serve("serve", MODEL, SIMULATOR_FLAGS="--a=1 --b=2").stdout.splitlines()[-2:] == ["--a=1", "--b=2"]


@pytest.mark.parametrize("arguments", [[], ["chat"], ["serve"], ["serve", "--port", "1"]])
def test_without_a_model_to_serve_it_fails(serve, arguments):
    result = serve(*arguments)
    assert result.returncode == 2
    assert "vllm serve" in result.stderr
