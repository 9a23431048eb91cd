"""What `workspace-ctrl plan` prints is what a real API server takes."""

from pathlib import Path

from click.testing import CliRunner

from workspace_ctrl.cli.main import main

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "workspace.yaml"


def test_every_planned_object_passes_strict_validation(installed, plane_namespace):
    planned = CliRunner().invoke(main, ["plan", "-f", str(QUICKSTART), "-o", "yaml"]).output
    moved = planned.replace("namespace: default", f"namespace: {plane_namespace}")
    answer = installed.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=moved)
    assert len(answer.splitlines()) == 5
