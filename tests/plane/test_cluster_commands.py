"""`explain`, `events`, `logs`, `version`, `doctor` and `diff` against a real API server with real Flux."""

import json
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import pytest
import yaml
from click.testing import CliRunner

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import WAIT_SECONDS, until
from tests.faults import proxy as faults
from workspace_ctrl.cli.main import main

MOST_REQUESTS = 12


@pytest.fixture
def ready(installed, plane_namespace, gateway):
    """A Workspace that was ready, and whose controller runs no more."""
    workspaces.apply(installed, plane_namespace, workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace)))
    with ControllerProcess(installed):
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")


def broken(result):
    """The link that is marked, and its reason."""
    lines = [line for line in result.output.splitlines() if line.startswith("> ")]
    assert len(lines) == 1, result.output
    title, _, words = lines[0][4:].partition("  ")
    return title, words.strip().partition(":")[0]


def test_explain_finds_what_is_broken_without_a_controller(installed, plane_namespace, ready, run):
    whole = run("explain", "phi")
    assert (whole.exit_code, f"Workspace {plane_namespace}/phi is ready" in whole.output) == (0, True), whole.output
    for command, expected in (
        (("patch", "helmrelease/phi-inferencepool", "--type=merge", '-p={"spec":{"suspend":true}}'), ("chart release", "Paused")),
        (("scale", "deployment/phi-inferencepool-epp", "--replicas=0"), ("chart release", "Paused")),
        (("delete", "httproute", "phi"), ("chart release", "Paused")),
    ):
        installed.kubectl(*command, "-n", plane_namespace)
        found = run("explain", "phi")
        assert (found.exit_code, broken(found)) == (1, expected)
        assert "is the controller running?" in found.output
    assert "next       flux resume helmrelease phi-inferencepool" in found.output
    assert "EndpointPickerScaledToZero: Deployment" in found.output
    assert "HTTPRouteNotCreated" in found.output
    assert run("explain").output.splitlines()[0] == f"Workspace {plane_namespace}/phi is not ready: Paused"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(
            ("scale", "deployment/phi-inferencepool-epp", "--replicas=0"),
            ("endpoint picker", "EndpointPickerScaledToZero"),
            id="endpoint picker scaled to 0",
        ),
        pytest.param(("delete", "httproute", "phi"), ("HTTPRoute", "HTTPRouteNotCreated"), id="HTTPRoute deleted"),
        pytest.param(("delete", "gateway", "inference-gateway"), ("Gateway", "NoGateway"), id="Gateway deleted"),
        pytest.param(("delete", "ocirepository", "phi-inferencepool"), ("chart source", "ChartNotRequested"), id="chart deleted"),
    ],
)
def test_explain_names_one_fault(installed, plane_namespace, ready, run, command, expected):
    installed.kubectl(*command, "-n", plane_namespace)
    found = run("explain", "phi")
    assert (found.exit_code, broken(found)) == (1, expected)


def test_explain_takes_few_requests(installed, plane_namespace, ready, tmp_path):
    with faults.in_thread(installed.kubeconfig_for("user")) as proxy:
        kubeconfig = faults.kubeconfig_through(proxy, installed.kubeconfig_for("user"), tmp_path)
        with ThreadPoolExecutor(1) as executor:
            arguments = ("explain", "phi", "-n", plane_namespace, "--kubeconfig", str(kubeconfig))
            result = executor.submit(CliRunner().invoke, main, arguments).result(WAIT_SECONDS)
        assert result.exit_code == 0, result.output
        assert 0 < len(proxy.calls) <= MOST_REQUESTS


def test_explain_before_any_controller_has_run(installed, plane_namespace, gateway, run):
    workspaces.apply(
        installed,
        plane_namespace,
        workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace)),
        workspaces.workspace("wrong", inference={"preset": {"name": "phi-5"}}),
    )
    found = run("explain", "phi")
    assert broken(found) == ("model server", "WorkloadNotCreated")
    assert "no controller has written a status" in found.output
    assert broken(run("explain", "wrong")) == ("workload", "InvalidSpec")


def test_explain_without_rights_is_a_sentence(installed, plane_namespace, ready, account):
    with ThreadPoolExecutor(1) as executor:
        arguments = ("explain", "phi", "-n", plane_namespace, "--kubeconfig", str(account))
        result = executor.submit(CliRunner().invoke, main, arguments).result(WAIT_SECONDS)
    assert (result.exit_code, "Error: " in result.output) == (1, True)


def test_events_and_logs(installed, plane_namespace, ready, run):
    rows = []

    def names_the_release():
        """Say whether Flux has written its event, which follows its status."""
        rows[:] = [line.split() for line in run("events", "phi").stdout.splitlines()]
        return "HelmRelease/phi-inferencepool" in {word for row in rows for word in row if "/" in word}

    until(names_the_release, "an event on the HelmRelease")
    assert rows[0] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    document = json.loads(run("events", "phi", "-o", "json").stdout)
    assert {event["involvedObject"]["name"] for event in document["items"]} >= {"phi-inferencepool"}
    nothing = run("logs", "phi", "-c", "nothing")
    assert (nothing.exit_code, "Error: " in nothing.output) == (1, True)


def test_version_names_all_parts(run, installed):
    result = CliRunner().invoke(main, ["version", "--client"])
    assert result.output.split() == ["PART", "VERSION", "client", version("workspace-ctrl")]
    with ThreadPoolExecutor(1) as executor:
        arguments = ("version", "-o", "json", "--kubeconfig", str(installed.kubeconfig_for("user")))
        found = json.loads(executor.submit(CliRunner().invoke, main, arguments).result(WAIT_SECONDS).stdout)
    assert found["kubernetes"].startswith("v1.")
    assert found["gateway-api"].startswith("v1.")
    assert found["inference-extension"].startswith("v1.")


def test_doctor_lists_what_is_missing_with_ways_out(run, gateway):
    result = run("doctor")
    assert "✔ CRDs" in result.output
    assert "Gateway API Inference Extension" in result.output
    assert [line.split()[1] for line in result.output.splitlines()[:2]] == ["Kubernetes", "CRDs"]
    assert "✘ controller" in result.output  # it runs as a process here
    assert "->" in result.output
    assert result.exit_code == 1
    levels = {finding["level"] for finding in json.loads(run("doctor", "-o", "json").stdout)}
    assert levels >= {"ok", "failure"}
    assert "this machine and the API server agree" in result.output


def test_diff_shows_what_an_apply_would_change(installed, plane_namespace, run, tmp_path):
    path = tmp_path / "workspace.yaml"
    before, after = workspaces.workspace("phi"), workspaces.workspace("phi", gateway={"enabled": False})
    path.write_text(yaml.safe_dump(before))
    created = run("diff", "-f", str(path))
    assert created.exit_code == 1
    assert "+    name: phi-4-mini-instruct" in created.output
    installed.kubectl("apply", "--server-side", "-n", plane_namespace, "-f", str(path), actor="user")
    assert run("diff", "-f", str(path)).output == ""
    path.write_text(yaml.safe_dump(after))
    changed = run("diff", "-f", str(path))
    assert (changed.exit_code, "+gateway:\n+  enabled: false\n" in changed.output) == (1, True), changed.output
    path.write_text(yaml.safe_dump({**before, "inference": {"preset": {"name": "x"}, "template": {"spec": {}}}}))
    rejected = run("diff", "-f", str(path))
    assert (rejected.exit_code, "is rejected" in rejected.output) == (2, True)
    assert workspaces.get(installed, plane_namespace, "workspace", "phi")["inference"]["preset"]["name"] == "phi-4-mini-instruct"


def test_diff_hides_the_values_of_secrets_as_kubectl_does(installed, plane_namespace, run, tmp_path):
    path = tmp_path / "secret.yaml"

    def write(**data):
        metadata = {"name": "it", "namespace": plane_namespace}
        path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}))

    def values(output):
        return {line for line in output.splitlines() if line[1:].startswith(("  same:", "  changed:", "  added:"))}

    write(same="hidden-1", changed="hidden-2")
    installed.kubectl("apply", "-f", str(path), actor="user")  # keeps the values in an annotation, too
    write(same="hidden-1", changed="hidden-3", added="hidden-4")
    theirs = installed.kubectl_result("diff", "--server-side", "--force-conflicts", "-f", str(path), actor="user")
    ours = run("diff", "-f", str(path))
    assert (ours.exit_code, theirs.returncode) == (1, 1), ours.output
    assert values(ours.output) == values(theirs.stdout)
    assert "hidden" not in ours.output
    assert "aGlkZGVu" not in ours.output  # the same in base64
