"""The guides, followed to the letter: what their READMEs say is what runs here."""

import json
import os
import sys
from pathlib import Path

import pytest

from e2e import guide
from e2e.cluster import Form, up
from e2e.cluster.addons.registry import BODY_ROUTER_CHART
from e2e.cluster.chart import chart as own
from e2e.cluster.chart import flux_values, image_values
from e2e.cluster.own_image import version
from e2e.cluster.places import REPOSITORY
from e2e.release import SMALL_SERVERS, merge, own_chart

GUIDES = REPOSITORY / "examples" / "guides"
WITH_ADDON = {"llama-cpp": "llama-cpp"}
"""Guides that need an add-on, which only some clusters have."""
NAMES = [
    pytest.param(name, marks=[pytest.mark.optional_addons] if name in WITH_ADDON else [])
    for name in sorted(path.parent.name for path in GUIDES.glob("*/README.md"))
]
PUBLISHED_CHARTS = "oci://registry.k8s.io/gateway-api-inference-extension/charts"


@pytest.fixture
def shell(first_release, monkeypatch):
    """A user's shell in the repository, with kubectl, helm and workspace-ctrl; what a guide that broke off left behind is removed."""
    monkeypatch.chdir(REPOSITORY)
    cluster = first_release.cluster
    path = ":".join([cluster.environment()["PATH"], str(Path(sys.executable).parent)])
    with guide.Shell(cluster, {"PATH": path, "HOME": os.environ["HOME"]}) as running:
        yield running
    first_release.remove()
    cluster.kubectl("delete", "gateways,inferencepools,secrets,deployments,destinationrules,envoyfilters", "--all", "-n", "default")
    cluster.kubectl("delete", "namespace", "ai-inference", "team-blue", "--ignore-not-found")


@pytest.fixture
def replaced(bare_cluster, tmp_path):
    """What cannot be had here: images and charts of registries, and the chart packed with the published Flux."""
    values = tmp_path / "values.json"
    values.write_text(json.dumps(merge(image_values(), flux_values(), own_chart(bare_cluster), SMALL_SERVERS)))
    registry = f"oci://{bare_cluster.settings.registry}/charts/{BODY_ROUTER_CHART} --plain-http"
    return {
        f"dist/workspace-ctrl-{version()}.tgz": f"{own()} --values={values}",
        f"{PUBLISHED_CHARTS}/{BODY_ROUTER_CHART}": registry,
        "--timeout=10m": "--timeout=240s",  # no model is loaded here
        "--timeout=5m": "--timeout=240s",
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_guide_works_as_it_is_written(bare_cluster, shell, replaced, name):
    if name in WITH_ADDON:
        up(bare_cluster.name, Form.FULL, [WITH_ADDON[name]])
    found = guide.steps((GUIDES / name / "README.md").read_text())
    guide.follow(shell, guide.adapted(found, replaced))
