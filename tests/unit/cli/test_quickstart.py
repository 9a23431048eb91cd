"""docs/quickstart.md: its versions are those that are tested, and its commands and files exist."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from e2e.cluster.catalog import FLUX, INFERENCE, ISTIO, ISTIO_VERSION, KUBERNETES
from workspace_ctrl.cli.main import main

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/quickstart.md").read_text()
TABLE = dict(re.findall(r"^\| ([^|]+?) \| (v?[0-9][^|]*?) \|$", PAGE, re.MULTILINE))
COMMANDS = [
    command.strip()
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    for command in line.removeprefix("$ ").split(" && ")
]
OURS = [command for command in COMMANDS if command.startswith("workspace-ctrl ")]


def test_the_versions_are_those_that_are_tested():
    assert {
        "Kubernetes": KUBERNETES.version("k8s.io/kubernetes"),
        "Gateway API": ISTIO.version("sigs.k8s.io/gateway-api"),
        "Gateway API Inference Extension": INFERENCE.version("sigs.k8s.io/gateway-api-inference-extension"),
        "Istio": ISTIO_VERSION,
        "Flux: source-controller": FLUX.version("github.com/fluxcd/source-controller"),
        "Flux: helm-controller": FLUX.version("github.com/fluxcd/helm-controller"),
    } == TABLE


def test_commands_have_the_versions_of_the_table():
    urls = re.findall(r"kubernetes-sigs/(\S+?)/releases/download/(v\S+?)/", PAGE)
    names = {"gateway-api": "Gateway API", "gateway-api-inference-extension": "Gateway API Inference Extension"}
    assert dict(urls) == {name: TABLE[title] for name, title in names.items()}


def test_there_are_ten_steps():
    assert re.findall(r"^\*\*(\d+)\.", PAGE, re.MULTILINE) == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("command", OURS)
def test_our_commands_are_understood(command):
    _, name, *arguments = shlex.split(command)
    known = main.get_command(None, name)
    with known.make_context(name, arguments, resilient_parsing=False) as context:
        assert context.params


def test_files_exist_and_the_workspace_is_accepted():
    files = re.findall(r"examples/[\w/.-]+", " ".join(COMMANDS))
    assert files
    assert all((REPOSITORY / file).exists() for file in files)
    arguments = [word for file in files for word in ("-f", str(REPOSITORY / file))]
    assert CliRunner().invoke(main, ["plan", *arguments]).exit_code == 0


def test_targets_of_make_exist():
    targets = {match for command in COMMANDS for match in re.findall(r"^make (\w+)", command)}
    assert targets <= set(re.findall(r"^(\w[\w-]*):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert targets == {"image", "chart"}
