"""docs/quickstart.md: its commands and files exist."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from workspace_ctrl.cli.main import main

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/quickstart.md").read_text()
COMMANDS = [
    command.strip()
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    for command in line.removeprefix("$ ").split(" && ")
]
OURS = [command for command in COMMANDS if command.startswith("workspace-ctrl ")]


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
