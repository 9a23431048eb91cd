"""What ends a process at its start is read by what reads its log: in the format json, it is one record."""

import json
from datetime import datetime

import click
import pytest
from click.testing import CliRunner

from workspace_ctrl.cli.main import COMMANDS, main
from workspace_ctrl.cli.pods.logged_command import LoggedCommand, log_format_option

TWICE = "chartSources: [{name: a}, {name: a}]"
WITHOUT_SERVICE = "featureGates: {gatewayAPIInferenceExtension: true}"
LOGGED = {"run", "model-index"}


def errors(*arguments, environment=None):
    """The exit code of a command, and what it writes to standard error."""
    result = CliRunner().invoke(main, arguments, env={"KUBECONFIG": "/nowhere", **(environment or {})})
    assert not result.stdout
    return result.exit_code, result.stderr


@pytest.fixture
def settings(tmp_path):
    """Returns the path of a settings file with that text."""

    def file(text):
        path = tmp_path / "settings.yaml"
        path.write_text(text)
        return str(path)

    return file


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [
        pytest.param(("run",), TWICE, 2, id="settings"),
        pytest.param(("run",), "", 1, id="no kubeconfig"),
        pytest.param(("run", "--health-port=8080", "--metrics-port=8080"), "", 2, id="options that do not go together"),
        pytest.param(("run", "--metrics-port=99999"), "", 2, id="value of an option"),
        pytest.param(("run", "--leader-elect"), "", 2, id="option that another one needs"),
        pytest.param(("model-index",), TWICE, 2, id="settings of the list of models"),
        pytest.param(("model-index",), WITHOUT_SERVICE, 2, id="setting that is missing"),
        pytest.param(("model-index", "--port=0"), "", 2, id="its port"),
    ],
)
def test_an_error_is_one_record_with_the_words_that_people_read(settings, arguments, text, code):
    command = (*arguments, f"--config={settings(text)}")
    ended, words = errors(*command)
    assert ended == code
    said = words.rpartition("Error: ")[2].strip()
    assert said

    ended, line = errors(*command, "--log-format=json")
    assert ended == code
    record = json.loads(line)
    assert list(record) == ["time", "level", "logger", "message"]
    assert (record["level"], record["message"]) == ("critical", said)
    assert datetime.fromisoformat(record["time"]).tzinfo
    assert line.endswith("\n")
    assert line.count("\n") == 1


def test_an_option_that_is_missing_is_one_too():
    assert json.loads(errors("model-index", "--log-format=json")[1])["message"] == "Missing option '--config'."


@pytest.mark.parametrize("form", [("--log-format=json",), ("--log-format", "json")])
def test_an_option_that_does_not_exist_is_one_however_the_format_is_given(form):
    code, line = errors("run", "--nope", *form)
    assert code == 2
    assert json.loads(line)["message"].startswith("No such option '--nope'.")


def test_the_format_may_come_from_the_environment(settings):
    code, line = errors("run", f"--config={settings(TWICE)}", environment={"WORKSPACE_CTRL_RUN_LOG_FORMAT": "json"})
    assert (code, json.loads(line)["level"]) == (2, "critical")


@click.command("once", cls=LoggedCommand)
@log_format_option
def once(log_format):
    raise ValueError("nobody\nexpected it")


def test_an_unexpected_error_is_one_record_with_its_traceback():
    result = CliRunner().invoke(once, ["--log-format=json"])
    record = json.loads(result.stderr)
    assert (result.exit_code, record["level"]) == (1, "critical")
    assert "ValueError: nobody\nexpected it" in record["exception"]


def test_as_text_it_is_python_s_own():
    result = CliRunner().invoke(once, [])
    assert isinstance(result.exception, ValueError)


def test_help_is_no_error():
    result = CliRunner().invoke(main, ["run", "--log-format=json", "--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: ")


def test_every_command_with_a_format_of_its_log_is_such_a_command():
    with click.Context(main) as context:
        commands = {name: main.get_command(context, name) for name in COMMANDS}
    assert {name for name, command in commands.items() if isinstance(command, LoggedCommand)} == LOGGED
    assert {name for name, command in commands.items() if any(each.name == "log_format" for each in command.params)} == LOGGED
