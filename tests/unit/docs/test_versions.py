"""One table of versions: what the local cluster builds, the chart installs and the documents name is what the table says."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from docsite.compatibility_page import compatibility_page
from e2e.cluster.catalog import ENVOY_GATEWAY, FLUX, INFERENCE, ISTIO, ISTIO_VERSION, KEDA, KTHENA, KUBERNETES
from e2e.cluster.debian import PYTHON_VERSION
from workspace_ctrl.catalog.charts import chart_layouts
from workspace_ctrl.catalog.versions import known_good, numbers, part_versions
from workspace_ctrl.planning.plan_settings import DEFAULT_MODEL_SERVER_IMAGE, ChartSource

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "charts/workspace-ctrl"
ABOUT = yaml.safe_load((CHART / "Chart.yaml").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
BUILT = {
    "Kubernetes": KUBERNETES.version("k8s.io/kubernetes"),
    "Gateway API": ISTIO.version("sigs.k8s.io/gateway-api"),
    "Gateway API Inference Extension": INFERENCE.version("sigs.k8s.io/gateway-api-inference-extension"),
    "source-controller": FLUX.version("github.com/fluxcd/source-controller"),
    "helm-controller": FLUX.version("github.com/fluxcd/helm-controller"),
    "Istio": ISTIO_VERSION,
    "Envoy Gateway": ENVOY_GATEWAY.version("github.com/envoyproxy/gateway"),
    "Envoy AI Gateway": ENVOY_GATEWAY.version("github.com/envoyproxy/ai-gateway"),
    "KEDA": KEDA.version("github.com/kedacore/keda/v2"),
    "kthena-router": KTHENA.version("github.com/volcano-sh/kthena"),
    "Helm": FLUX.version("helm.sh/helm/v4"),
}
CONTROLLED = {
    "source-controller": VALUES["flux2"]["sourceController"]["tag"],
    "helm-controller": VALUES["flux2"]["helmController"]["tag"],
    "chart flux2": ABOUT["dependencies"][0]["version"],
    "chart inferencepool": ChartSource().version,
    "vLLM": DEFAULT_MODEL_SERVER_IMAGE.rpartition(":")[2],
}
HISTORY = {"CHANGELOG.md", "compatibility.md", "performance.md", "reliability.md", "comparison.md"}
"""Documents that say what was once measured or compared, and the page itself."""
DOCUMENTS = [
    path
    for path in sorted(REPOSITORY.glob("**/*.md"))
    if path.name not in HISTORY and not any(part.startswith(".") for part in path.relative_to(REPOSITORY).parts)
]
RELEASES = re.compile(r"kubernetes-sigs/(gateway-api(?:-inference-extension)?)/releases/download/(v[\d.]+)/")
RELEASED = {"gateway-api": "Gateway API", "gateway-api-inference-extension": "Gateway API Inference Extension"}


@pytest.mark.parametrize("part", BUILT)
def test_the_local_cluster_builds_the_tested_version(part):
    assert BUILT[part] == known_good(part)


@pytest.mark.parametrize("part", CONTROLLED)
def test_chart_and_controller_install_the_tested_version(part):
    assert CONTROLLED[part] == known_good(part)


def test_oldest_versions_are_those_that_are_demanded_elsewhere():
    assert ABOUT["kubeVersion"] == f">={part_versions()['Kubernetes'].since}.0-0"
    assert PYPROJECT["project"]["requires-python"] == f">={part_versions()['Python'].since}"
    supported = [layout for layout in chart_layouts() if not layout.refused]
    for chart in ("inferencepool", "llm-d-router-gateway"):
        assert f">={part_versions()[f'chart {chart}'].since}" in {
            bound for layout in supported if layout.name == chart for bound in layout.versions.split(",")
        }


def test_the_python_of_the_image_is_named():
    assert f"which has {PYTHON_VERSION}" in part_versions()["Python"].note


def test_kaito_s_manifests_of_the_tested_version_are_there():
    assert (REPOSITORY / f"tests/kaito/v{known_good('KAITO')}").is_dir()


def test_no_version_is_older_than_the_oldest():
    for version in part_versions().values():
        assert not version.since or numbers(version.since) <= numbers(version.tested)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_document_downloads_the_tested_release(document):
    for project, version in RELEASES.findall(document.read_text()):
        assert version == known_good(RELEASED[project])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_document_names_no_patch_version_of_a_part_but_the_tested_one(document):
    named = "|".join(re.escape(part) for part in BUILT)
    for part, version in re.findall(rf"({named})[` ]*\s+v?(\d+\.\d+\.\d+)", document.read_text()):
        assert version == known_good(part).removeprefix("v"), f"{part} {version}"


def test_the_page_is_current():
    assert (REPOSITORY / "docs/compatibility.md").read_text() == compatibility_page()
