"""What `workspace-ctrl plan` prints is what a real API server takes."""

from pathlib import Path

from click.testing import CliRunner

from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from workspace_ctrl.cli.main import main

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "workspace.yaml"


def test_every_planned_object_passes_strict_validation(installed, plane_namespace):
    planned = CliRunner().invoke(main, ["plan", "-f", str(QUICKSTART), "-o", "yaml"]).output
    moved = planned.replace("namespace: default", f"namespace: {plane_namespace}")
    answer = installed.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=moved)
    assert len(answer.splitlines()) == 5


def test_what_the_chart_renders_passes_it_too(installed, plane_namespace):
    source = ["--chart-url", installed.chart_source_url(), "--chart-insecure", "--helm", str(build(FLUX).binary("helm"))]
    result = CliRunner().invoke(main, ["plan", "-f", str(QUICKSTART), "-o", "yaml", "--render", *source])
    assert not result.exit_code, result.output
    moved = result.stdout.replace("namespace: default", f"namespace: {plane_namespace}")
    answer = installed.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-n", plane_namespace, "-f", "-", input=moved
    )
    kinds = {line.partition(".")[0].partition("/")[0] for line in answer.splitlines()}
    assert {"deployment", "helmrelease", "inferencepool", "destinationrule", "role", "rolebinding"} <= kinds
