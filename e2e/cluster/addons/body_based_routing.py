"""The body-based router: its image, and its chart in the cluster's registry, for gateways that choose a model by the request's body."""

import tempfile

from e2e.cluster.addons.base import Addon
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX, GWIE, INFERENCE
from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form
from e2e.cluster.images import body_based_router
from e2e.cluster.installation import Installation

CHART = "body-based-routing"


def install(work: Installation) -> None:
    """Package the chart and push it to the cluster's registry, under the version of its module."""
    version = INFERENCE.version(GWIE)
    chart = str(build(INFERENCE).asset("charts") / CHART)
    with work.steps.step(f"chart {CHART}"), tempfile.TemporaryDirectory() as folder:
        _helm(work, "package", chart, "--version", version, "--app-version", version, "--destination", folder)
        archive = f"{folder}/{CHART}-{version}.tgz"
        registry = f"oci://{work.settings.registry}/charts"
        work.wait("the registry", lambda: _helm(work, "push", archive, registry, "--plain-http"))


def _helm(work: Installation, *arguments: str) -> bool:
    """Run helm where the registry is reached; False if it is not there yet."""
    result = work.cluster.run([str(build(FLUX).binary("helm")), *arguments])
    if result.returncode and "connection refused" not in result.stderr:
        raise ClusterError(f"helm {' '.join(arguments)}: {result.stderr.strip()}")
    return result.returncode == 0


ADDON = Addon(
    "bbr",
    f"the body-based router's image and its chart {CHART}",
    install,
    needs=("registry",),
    folders=(INFERENCE, FLUX),
    images=(body_based_router,),
    forms=frozenset({Form.FULL}),
    optional=True,
)
