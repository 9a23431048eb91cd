"""Every command of the documents, as it is written: programs, targets, options and files exist. `tests/chart` asks kubectl and helm."""

import importlib.util
import re

import click
import pytest

from e2e import quickstart
from tests.unit.docs.documents import DOCUMENTS, REPOSITORY, commands, inline_commands
from workspace_ctrl.catalog.conditions_page import reasons_in
from workspace_ctrl.catalog.reasons import own_reasons, quoted_reasons
from workspace_ctrl.cli.main import main

ALL = [(document, words) for document, text in DOCUMENTS.items() for words in commands(text)]
PROGRAMS = {"workspace-ctrl", "kubectl", "helm", "make", "python"}
"""Programs whose commands are checked further, here and in tests/chart."""
OF_OTHERS = {
    *("cosign", "curl", "docker", "flux", "gh", "istioctl", "kind", "openssl", "velero"),
    *("az", "eksctl", "gcloud"),
    *("echo", "for", "grep", "kill", "mktemp", "rm", "sha256sum", "source", "sudo", "xargs"),
}
"""Programs of others, which are not on every machine."""
FOLDERS = re.compile(r"(?:^|=)((?:charts|docs|e2e|examples|flux|requirements)/[\w./-]*)")
MAKEFILE = (REPOSITORY / "Makefile").read_text()
INLINE = sorted({(document, words) for document, text in DOCUMENTS.items() for words in inline_commands(text)})
CHAPTERS = re.compile(r"^\*\*(\d+)\.", re.MULTILINE)


def of(program):
    found = sorted({words for _, words in ALL if words[0] == program})
    assert found
    return found


def identified(words):
    return " ".join(words)[:80]


def subcommand(words):
    """Our command that the words begin with, its name, and the rest of them."""
    group, rest = main, list(words)
    while isinstance(group, click.Group) and rest:
        context = click.Context(group)
        found = group.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]}"
        group, rest = found, rest[1:]
    return group, rest


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def test_every_program_is_known():
    assert sorted({words[0] for _, words in ALL} - PROGRAMS - OF_OTHERS) == []


@pytest.mark.parametrize("words", of("workspace-ctrl"), ids=identified)
def test_our_commands_are_understood(words):
    command, rest = subcommand(words[1:])
    if command is main:
        return
    try:
        with command.make_context(command.name, rest) as context:
            assert context.params
    except click.BadParameter as error:  # a file of the reader's own
        assert "does not exist" in error.message, error.message


@pytest.mark.parametrize(("document", "words"), INLINE, ids=lambda value: value if isinstance(value, str) else identified(value))
def test_our_commands_in_running_text_have_these_options(document, words):
    command, rest = subcommand(words)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help",
        "-h",
        "--version",
    }
    options = {word.partition("=")[0].rstrip(".,") for word in rest if word.startswith("-") and word != "-"}
    assert options <= known


def test_targets_and_variables_of_make_exist():
    words = {word for command in of("make") for word in command[1:]}
    variables = {word.partition("=")[0] for word in words if "=" in word}
    assert words - {word for word in words if "=" in word} <= set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    assert variables <= set(re.findall(r"^(\w+) \??=", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("words", of("python"), ids=identified)
def test_modules_exist(words):
    assert words[1] == "-m"
    assert importlib.util.find_spec(words[2]) is not None


def test_files_exist():
    named = {(document, found) for document, words in ALL for word in words for found in FOLDERS.findall(word)}
    assert len(named) > 20
    assert sorted(entry for entry in named if not (REPOSITORY / entry[1]).exists()) == []


@pytest.mark.parametrize("reason", [*reasons_in(own_reasons()), *reasons_in(quoted_reasons())], ids=lambda reason: reason.name)
def test_the_next_command_of_a_reason_exists(reason):
    words = reason.command_for("ns", "phi", "phi-inferencepool").split()
    if words[:1] == ["workspace-ctrl"]:
        subcommand(words[1:])


def test_the_quickstart_has_ten_steps():
    assert CHAPTERS.findall(quickstart.PAGE.read_text()) == [str(number) for number in range(1, 11)]
    assert quickstart.steps()[-1].command == quickstart.REMOVAL


def test_without_kind_its_script_says_what_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match=r"not on PATH: docker \(.*kind \(.*make demo"):
        quickstart.main()
