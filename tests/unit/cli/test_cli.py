"""The command line: exit codes, and sentences with a way out."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from workspace_ctrl.api.crd import KINDS, crd
from workspace_ctrl.cli.main import main

REPOSITORY = Path(__file__).parents[3]


def run(*arguments, **environment):
    return CliRunner().invoke(main, arguments, env={"KUBECONFIG": "/nowhere", **environment})


def test_both_crds_are_printed():
    assert list(yaml.load_all(run("crd").output, yaml.CSafeLoader)) == [crd(kind) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_the_crd_in_the_repository_is_the_one_that_is_printed(kind):
    printed = run("crd", kind.lower()).output
    assert yaml.load(printed, yaml.CSafeLoader) == crd(kind)
    assert (REPOSITORY / f"charts/workspace-ctrl/files/kaito.sh_{kind.lower()}s.yaml").read_text() == printed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("run", "--feature-gates", "magic=true"), 2, "feature gate 'magic' is not known", id="gate"),
        pytest.param(("run", "--chart-version", "v9.0.0"), 2, "chart inferencepool v9.0.0 is not supported", id="chart"),
        pytest.param(("run", "--gateway", "only-a-name"), 2, "--gateway must be NAMESPACE/NAME", id="gateway"),
        pytest.param(("run", "--leader-elect"), 2, "needs --leader-election-namespace", id="election where"),
        pytest.param(
            ("run", "--admission-port", "9443"), 2, "needs --admission-certificates", id="admission without a certificate"
        ),
        pytest.param(
            ("run", "--health-port=8080", "--load-port=9090", "--metrics-port=8080"),
            2,
            "--health-port and --metrics-port are both 8080; choose another port for one of them",
            id="two servers at one port",
        ),
        pytest.param(
            ("run", "--metrics-port=9443", "--admission-port=9443"), 2, "--metrics-port and --admission-port", id="other two"
        ),
        pytest.param(
            ("model-index", "--config=none.yaml", "--health-port=8081"),
            2,
            "--port and --health-port are both 8081",
            id="two of the list",
        ),
        pytest.param(
            ("run", "--shard-selector", "a=b=c"), 2, "'a=b=c' is not a valid label selector; use for example", id="selector"
        ),
        pytest.param(("run",), 1, "/nowhere: ", id="no kubeconfig"),
        pytest.param(
            ("uninstall-check", "--shard-selector", "a=b=c"), 2, "'a=b=c' is not a valid label selector", id="selector of the check"
        ),
        pytest.param(("uninstall-check",), 1, "/nowhere: ", id="no kubeconfig for the check"),
        pytest.param(("status",), 1, "set KUBECONFIG or --kubeconfig", id="no kubeconfig for status"),
        pytest.param(("status", "a", "b", "--watch"), 2, "name one, or none", id="watch what"),
        pytest.param(("stauts",), 2, "No such command 'stauts'; did you mean status?", id="no such command"),
        pytest.param(("status", "-o", "jsn"), 2, "did you mean json?", id="format"),
        pytest.param(("status", "-o", "jsonpath"), 2, "jsonpath needs a template", id="no template"),
        pytest.param(("status", "-o", "jsonpath={.a"), 2, "a brace is not closed", id="template"),
        pytest.param(("status", "--timeout", "5x"), 2, "'5x' is not a duration such as 90s, 5m or 1h30m", id="duration"),
        pytest.param(("status", "a/b/c"), 2, "'a/b/c' must be NAME, workspace/NAME or NAMESPACE/NAME", id="name"),
        pytest.param(("status", "a", "-l", "b=c"), 2, "--selector goes with lists only", id="names and labels"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence_and_an_exit_code(arguments, code, words):
    result = run(*arguments)
    assert result.exit_code == code
    assert words in result.output
    assert "Traceback" not in result.output


def test_presets_lists_the_catalog_and_shows_one():
    assert "phi-4-mini-instruct" in run("presets").output
    assert "model: microsoft/phi-4\n" in run("presets", "phi-4").output
    assert "did you mean phi-4?" in run("presets", "phi4").output


def test_help_names_the_commands():
    assert all(command in run("--help").output for command in ("run", "status", "plan", "presets", "crd"))
