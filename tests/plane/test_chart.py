"""`workspace-ctrl chart check` on the real charts, rendered by the real Helm: every layout of the catalog is that of its chart."""

import json

import pytest
from click.testing import CliRunner

from e2e.cluster.builder import output_of
from e2e.cluster.catalog import FLUX
from workspace_ctrl.catalog.charts import chart_layouts, find_layout
from workspace_ctrl.cli.main import main

VERSIONS = ("v1.0.1", "v1.1.0", "v1.2.1", "v1.3.1", "v1.4.0", "v1.5.0")
HELM = ("--helm", str(output_of(FLUX).binary("helm")))


def check(*arguments):
    """Run the command; return its exit code and what it printed, as JSON."""
    result = CliRunner().invoke(main, ["chart", "check", *arguments, *HELM, "-o", "json"])
    assert result.exit_code in {0, 1}, result.output
    return result.exit_code, json.loads(result.stdout)


def broken(report):
    return [entry["name"] for entry in report["checks"] if not entry["holds"]]


def fetch(plane, version, folder):
    """Return the packed chart of that version, out of the cluster's registry."""
    pull = ["helm", "pull", plane.chart_source_url(), "--version", version, "--plain-http", "--destination", str(folder)]
    result = plane.run(pull)
    assert result.returncode == 0, result.stderr
    return str(folder / f"inferencepool-{version}.tgz")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_layout_is_that_of_its_chart(plane, version):
    code, report = check(plane.chart_source_url(), "--version", version, "--insecure")
    assert (code, broken(report), report["holds"]) == (0, [], True)
    assert (report["chart"], report["version"]) == ("inferencepool", version)
    assert len(report["checks"]) > 30


def test_every_layout_of_the_chart_is_compared_with_one():
    compared = {find_layout("inferencepool", version).versions for version in VERSIONS}
    assert compared == {layout.versions for layout in chart_layouts() if layout.name == "inferencepool" and not layout.refused}


def test_the_chart_that_is_refused_shows_why(plane):
    code, report = check(plane.chart_source_url(), "--version", "v1.0.0", "--insecure")
    assert (code, "releases in two namespaces share no ClusterRole" in broken(report)) == (1, True)
    assert "same name in all namespaces" in report["refused"]


def test_a_chart_that_is_not_as_its_version_says_is_found_out(plane, tmp_path):
    code, report = check(fetch(plane, "v1.5.0", tmp_path), "--version", "v1.4.0")
    assert code == 1
    assert {"endpoint picker: has the given image", "InferencePool: does not set appProtocol"} <= set(broken(report))
    assert "values.yaml has inferenceExtension.image.hub" in broken(report)


def test_a_chart_that_is_not_there_is_said_in_helms_words(plane):
    result = CliRunner().invoke(
        main, ["chart", "check", plane.chart_source_url("nothing"), "--version", "v1.5.0", "--insecure", *HELM]
    )
    assert (result.exit_code, "Helm failed: " in result.output) == (1, True), result.output


def test_the_table_tells_each_check(plane):
    result = CliRunner().invoke(main, ["chart", "check", plane.chart_source_url(), "--version", "v1.5.0", "--insecure", *HELM])
    assert "✔ InferencePool: selects the pods of the model server\n" in result.output
    assert "✘" not in result.output
