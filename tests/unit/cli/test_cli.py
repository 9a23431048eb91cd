"""The command line: exit codes, and sentences with a way out."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from workspace_ctrl.api.crd import crd
from workspace_ctrl.cli.main import main

REPOSITORY = Path(__file__).parents[3]


def run(*arguments, **environment):
    return CliRunner().invoke(main, arguments, env={"KUBECONFIG": "/nowhere", **environment})


def test_the_crd_in_the_repository_is_the_one_that_is_printed():
    printed = run("crd").output
    assert yaml.safe_load(printed) == crd()
    assert (REPOSITORY / "charts/workspace-ctrl/crds/kaito.sh_workspaces.yaml").read_text() == printed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("run", "--feature-gates", "magic=true"), 2, "feature gate 'magic' is not known", id="gate"),
        pytest.param(("run", "--chart-version", "v9.0.0"), 2, "values of chart inferencepool v9.0.0 are not known", id="chart"),
        pytest.param(("run", "--gateway", "only-a-name"), 2, "--gateway needs NAMESPACE/NAME", id="gateway"),
        pytest.param(("run", "--leader-elect"), 2, "needs --leader-election-namespace", id="election where"),
        pytest.param(("run", "--shard-selector", "a=b=c"), 2, "'a=b=c' is no label selector; write for example", id="selector"),
        pytest.param(("run",), 1, "/nowhere: ", id="no kubeconfig"),
        pytest.param(("status",), 1, "set KUBECONFIG or --kubeconfig", id="no kubeconfig for status"),
        pytest.param(("status", "--watch"), 2, "--watch needs the name of one Workspace", id="watch what"),
        pytest.param(("stauts",), 2, "No such command", id="no such command"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence_and_an_exit_code(arguments, code, words):
    result = run(*arguments)
    assert result.exit_code == code
    assert words in result.output
    assert "Traceback" not in result.output


QUICKSTART = str(REPOSITORY / "examples/quickstart/workspace.yaml")


def test_plan_prints_every_object_in_order_without_a_cluster():
    result = run("plan", "-f", QUICKSTART, "-o", "yaml")
    assert result.exit_code == 0
    kinds = [document["kind"] for document in yaml.safe_load_all(result.output)]
    assert kinds == ["Deployment", "Service", "OCIRepository", "HelmRelease", "HTTPRoute"]
    assert "&id" not in result.output
    assert "assumed: the API server accepts the workload as Deployment" in run("plan", "-f", QUICKSTART).output


def test_plan_with_the_gate_off_shows_the_workload_only():
    result = run("plan", "-f", QUICKSTART, "-o", "yaml", "--feature-gates", "gatewayAPIInferenceExtension=false")
    assert [document["kind"] for document in yaml.safe_load_all(result.output)] == ["Deployment", "Service"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "kind: Workspace\nmetadata: {name: w}\n",
            "Workspace w is refused: a Workspace needs exactly one of inference and tuning",
            id="refused",
        ),
        pytest.param("kind: Workspace\n", "is refused: metadata.name must be a DNS label", id="no name"),
        pytest.param("kind: Workspace\nmetadata: [1]\n", "is refused: metadata is not an object", id="strange metadata"),
        pytest.param(
            "kind: Workspace\nmetadata: {name: 3, namespace: [1]}\n", "metadata.name must be a DNS label", id="name is a number"
        ),
        pytest.param("kind: Gateway\n", "there is no Workspace in <stdin>", id="none"),
        pytest.param("a: [", "is not YAML", id="not YAML"),
    ],
)
def test_plan_says_what_is_wrong_and_exits_with_2(text, words):
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input=text)
    assert (result.exit_code, words in result.output) == (2, True), result.output


def test_presets_lists_the_catalog_and_shows_one():
    assert "phi-4-mini-instruct" in run("presets").output
    assert "model: microsoft/phi-4\n" in run("presets", "phi-4").output
    assert "did you mean phi-4?" in run("presets", "phi4").output


def test_help_names_the_commands():
    assert all(command in run("--help").output for command in ("run", "status", "plan", "presets", "crd"))
