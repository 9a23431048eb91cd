"""Settings of the file without effect are told where they are used: in the log of `run`, and by `plan`."""

import json

import pytest
from click.testing import CliRunner

from tests.unit.cli.test_cli import REPOSITORY
from workspace_ctrl.cli import run as command
from workspace_ctrl.cli.main import main

QUICKSTART = str(REPOSITORY / "examples/quickstart/workspace.yaml")
TEXT = """
featureGates: {gatewayAPIInferenceExtension: false}
sharedPaths: [/models]
modelHub: {networks: [127.0.0.0/8]}
autoscaling: {prometheus: {url: "http://prometheus.example:9090"}}
"""
KUBECONFIG = {
    "clusters": [{"name": "a", "cluster": {"server": "https://cluster.example"}}],
    "users": [{"name": "a", "user": {"token": "t"}}],
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    "current-context": "a",
}
SHARED = "sharedPaths has no effect: the feature gate gatewayAPIInferenceExtension is off"
NETWORKS = "modelHub.networks has no effect: modelHub.url is off"
PROMETHEUS = "autoscaling.prometheus has no effect: autoscaling.enabled is false"
PROBES = "probe.interval has no effect: probe.mode is off"
ON = "--feature-gates=gatewayAPIInferenceExtension=true"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(TEXT)
    return str(file)


@pytest.fixture
def log(monkeypatch, tmp_path):
    """Runs `run` up to its process, which ends at once, and returns the records of its log."""
    monkeypatch.setattr(command, "run", lambda *_, **__: None)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(KUBECONFIG))

    def started(*options):
        result = CliRunner().invoke(main, ["run", "--log-format=json", *options], env={"KUBECONFIG": str(kubeconfig)})
        assert (result.exit_code, result.stdout) == (0, ""), result.output
        return [json.loads(line) for line in result.stderr.splitlines()]

    return started


def test_run_logs_each_as_a_warning_and_goes_on(log, path):
    records = log("--config", path)
    assert [record["message"] for record in records] == [f"{path}: {SHARED}", f"{path}: {PROMETHEUS}"]
    assert {record["level"] for record in records} == {"warning"}


def test_run_judges_by_what_its_options_leave_of_the_file(log, path):
    assert [record["message"] for record in log("--config", path, ON)] == [f"{path}: {PROMETHEUS}"]
    said = [record["message"] for record in log("--config", path, ON, "--model-hub=off")]
    assert said == [f"{path}: {NETWORKS}", f"{path}: {PROMETHEUS}"]


def test_run_logs_nothing_without_a_file_or_with_one_that_is_heeded(log, tmp_path):
    file = tmp_path / "heeded.yaml"
    file.write_text("featureGates: {gatewayAPIInferenceExtension: true}\nprobe: {interval: 5}")
    assert log() == log("--config", str(file)) == []
    assert [record["message"] for record in log("--config", str(file), "--probe=off")] == [f"{file}: {PROBES}"]


def test_plan_warns_of_them_beside_its_result(path):
    result = CliRunner().invoke(main, ["plan", "-f", QUICKSTART, "--config", path, "-o", "yaml"])
    assert result.exit_code == 0
    assert result.stderr.splitlines()[:2] == [f"warning: {path}: {SHARED}", f"warning: {path}: {PROMETHEUS}"]
    assert "no effect" not in result.stdout
