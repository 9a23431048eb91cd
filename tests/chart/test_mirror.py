"""An installation without the Internet: with the documented values, nothing is left of another registry than the mirror."""

import shutil

import pytest
import yaml
from click.testing import CliRunner

from e2e.cluster.builder import build
from e2e.cluster.catalog import CHARTS_OF_OLD, GWIE, INFERENCE
from e2e.cluster.places import REPOSITORY
from e2e.policies import read_documents
from tests.chart.helm import find, helm, render
from tests.unit.docs.documents import DOCUMENTS, yaml_blocks
from workspace_ctrl.cli.main import main

MIRROR = "registry.example/"
PAGE = "docs/prerequisites.md"
ALL_PODS = {"ui": {"enabled": True}, "modelIndex": {"enabled": True}}
REFUSED = "charts-1.0.0"
EXAMPLES = ("quickstart/workspace.yaml", "multi-node/workspace.yaml", "inference-set/inferenceset.yaml")
ROUTED = """
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: routed, namespace: default}
resource: {labelSelector: {matchLabels: {kubernetes.io/os: linux}}}
inference: {preset: {name: phi-4-mini-instruct}}
gateway: {match: {header: true}}
"""
BEFORE_1_5 = {"inferenceExtension": {"image": {"hub": "registry.example/mirror", "name": "epp"}}}


def documented():
    (values,) = (block for block in map(yaml.safe_load, yaml_blocks(DOCUMENTS[PAGE])) if "flux2" in block)
    return values


def sources(value):
    """Yield all images and addresses of charts within a manifest; values of releases are those of other charts."""
    if isinstance(value, list):
        for each in value:
            yield from sources(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in {"image", "reference", "url"} and isinstance(each, str):
                yield each.removeprefix("oci://")
            elif key != "values":
                yield from sources(each)


def sources_of_all(manifests):
    return {source for each in manifests if each["kind"] != "CustomResourceDefinition" for source in sources(each)}


def test_pods_of_the_chart_are_of_the_mirror():
    manifests = render({**documented(), **ALL_PODS})
    found = sources_of_all(manifests)
    assert {source.removeprefix(f"{MIRROR}mirror/").partition(":")[0] for source in found} == {
        "workspace-ctrl",
        "source-controller",
        "helm-controller",
    }
    # The stand-in for the chart flux2 has no check before the installation.
    assert documented()["flux2"]["cli"]["image"].startswith(MIRROR)


def planned(folder, values):
    """Return the objects that the controller makes with the settings in these values."""
    settings, workspace = folder / "settings.yaml", folder / "routed.yaml"
    settings.write_text(find(render(values), "ConfigMap")["data"]["settings.yaml"])
    workspace.write_text(ROUTED)
    files = [*(REPOSITORY / "examples" / name for name in EXAMPLES), workspace]
    result = CliRunner().invoke(main, ["plan", f"--config={settings}", *(f"--filename={file}" for file in files), "-o", "yaml"])
    assert result.exit_code == 0, result.output
    return read_documents(result.stdout)


def rendered(folder, chart, values):
    """Return what a chart makes of values; `folder` has the chart and those that it is made of."""
    assert not helm("dependency", "update", str(folder / chart)).returncode
    result = helm("template", "of-flux", str(folder / chart), values=values)
    assert not result.returncode, result.stderr
    return read_documents(result.stdout)


@pytest.mark.parametrize(
    ("charts", "picker", "mode"),
    [
        pytest.param(INFERENCE, None, "managed", id="1.5"),
        *(pytest.param(folder, BEFORE_1_5, "off", id=folder.name) for folder in CHARTS_OF_OLD if folder.name != REFUSED),
    ],
)
def test_what_the_controller_and_flux_make_is_of_the_mirror(charts, picker, mode, tmp_path):
    values = documented()
    values["chartSources"][0]["version"] = charts.version(GWIE)
    values["endpointPicker"]["values"] = picker or values["endpointPicker"]["values"]
    values["bodyBasedRouting"]["mode"] = mode
    objects = planned(tmp_path, values)
    shutil.copytree(build(charts).asset("charts"), tmp_path / "charts")
    by_chart = {
        "body-based-routing" if "bbr" in each["spec"]["values"] else "inferencepool": each["spec"]["values"]
        for each in objects
        if each["kind"] == "HelmRelease"
    }
    assert len(by_chart) == (2 if mode == "managed" else 1)
    objects += [each for chart, of_release in by_chart.items() for each in rendered(tmp_path / "charts", chart, of_release)]
    found = sources_of_all(objects)
    assert {source for source in found if not source.startswith(MIRROR)} == set()
    assert len(found) == (5 if mode == "managed" else 3)  # presets, and chart and image of pickers and of routers
