"""`workspace-ctrl chart check` on the real charts, rendered by the real Helm: every layout of the catalog is that of its chart."""

import json
import tarfile

import pytest
from click.testing import CliRunner

from e2e.cluster import llm_d
from e2e.cluster.builder import output_of
from e2e.cluster.catalog import FLUX
from e2e.repacking import repack
from workspace_ctrl.catalog.charts import chart_layouts, find_layout
from workspace_ctrl.cli.main import main

VERSIONS = {
    "inferencepool": ("v1.0.1", "v1.1.0", "v1.2.1", "v1.3.1", "v1.4.0", "v1.5.0"),
    llm_d.CHART: llm_d.VERSIONS,
}
HELM = ("--helm", str(output_of(FLUX).binary("helm")))


def check(*arguments):
    """Run the command; return its exit code and what it printed, as JSON."""
    result = CliRunner().invoke(main, ["chart", "check", *arguments, *HELM, "-o", "json"])
    assert result.exit_code in {0, 1}, result.output
    return result.exit_code, json.loads(result.stdout)


def broken(report):
    return [entry["name"] for entry in report["checks"] if not entry["holds"]]


def names_of(report):
    return {entry["name"] for entry in report["checks"]}


def fetch(plane, version, folder, chart="inferencepool"):
    """Return the packed chart of that version, out of the cluster's registry."""
    pull = ["helm", "pull", plane.chart_source_url(chart), "--version", version, "--plain-http", "--destination", str(folder)]
    result = plane.run(pull)
    assert result.returncode == 0, result.stderr
    return str(folder / f"{chart}-{version}.tgz")


@pytest.mark.parametrize(("chart", "version"), [(chart, version) for chart, versions in VERSIONS.items() for version in versions])
def test_each_layout_is_that_of_its_chart(plane, chart, version):
    """With the providers istio, gke and none; the charts of llm-d are our stand-ins."""
    code, report = check(plane.chart_source_url(chart), "--version", version, "--insecure")
    assert (code, broken(report), report["holds"]) == (0, [], True)
    assert (report["chart"], report["version"]) == (chart, version)
    assert len(report["checks"]) > 30
    assert "GKE: its health check requests /health at the port of the model server" in names_of(report)


def test_every_layout_is_compared_with_a_chart():
    compared = {(chart, find_layout(chart, version).versions) for chart, versions in VERSIONS.items() for version in versions}
    assert compared == {(layout.name, layout.versions) for layout in chart_layouts() if not layout.refused}


@pytest.mark.parametrize("form", ["a file", "a folder"])
def test_a_chart_on_disk_is_checked_and_not_changed(plane, tmp_path, form):
    """Most defaults of this chart are those of a subchart, which `helm show values` does not print."""
    packed = fetch(plane, "v0.10.0", tmp_path, llm_d.CHART)
    if form == "a folder":
        with tarfile.open(packed) as archive:
            archive.extractall(tmp_path, filter="data")
        packed = str(tmp_path / llm_d.CHART)
    before = contents(tmp_path)
    code, report = check(packed)
    assert (code, broken(report), report["version"]) == (0, [], "v0.10.0")
    assert contents(tmp_path) == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_subchart_that_lacks_a_key_is_found_out(plane, tmp_path):
    with tarfile.open(fetch(plane, "v0.9.0", tmp_path, llm_d.CHART)) as archive:
        archive.extractall(tmp_path, filter="data")
    values = tmp_path / llm_d.CHART / "charts" / "router" / "values.yaml"
    values.write_text(values.read_text().replace("extProcPort:", "extProcessorPort:"))
    code, report = check(str(tmp_path / llm_d.CHART))
    assert (code, "values.yaml has router.epp.extProcPort" in broken(report)) == (1, True)


def test_a_fork_that_labels_its_objects_with_the_version_of_the_chart_is_found_out(plane, tmp_path):
    """Flux appends the digest to the version: 1.5.0+d75ac2922fc6, which no label may be."""
    labelled = (
        'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: {{ .Release.Name }}-x, labels: {chart: "{{ .Chart.Version }}"}}\n'
    )
    url = repack(plane, tmp_path, name="labelling", template=labelled)
    code, report = check(url, "--version", "v1.5.0", "--insecure", "--layout", "inferencepool")
    name = "every label is valid, also with the chart version that Flux sets"
    assert (code, broken(report)) == (1, [name])
    (found,) = [entry["found"] for entry in report["checks"] if entry["name"] == name]
    assert "ServiceAccount chart-check-a-inferencepool-x: chart=1.5.0+" in found


def test_a_version_with_build_metadata_is_fetched_by_its_tag(plane, tmp_path):
    repack(plane, tmp_path, version="v1.5.0+team.2")
    for written in ("v1.5.0+team.2", "v1.5.0_team.2"):
        code, report = check(plane.chart_source_url(), "--version", written, "--insecure")
        assert (code, broken(report), report["version"]) == (0, [], written)


@pytest.mark.parametrize(
    ("chart", "layout", "version"), [("inferencepool", llm_d.CHART, "v0.10.0"), (llm_d.CHART, "inferencepool", "v1.5.0")]
)
def test_the_layout_of_another_chart_does_not_hold(plane, tmp_path, chart, layout, version):
    packed = fetch(plane, VERSIONS[chart][-1], tmp_path, chart)
    result = CliRunner().invoke(main, ["chart", "check", packed, "--layout", layout, "--version", version, *HELM])
    assert (result.exit_code, "Helm failed: " in result.output) == (1, True), result.output


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
