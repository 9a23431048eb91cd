"""The controller itself, in a pod, from its own chart. Flux is an add-on of its own here, so the chart installs none."""

from e2e.cluster import chart
from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import FLUX
from e2e.cluster.forms import Form
from e2e.cluster.installation import Installation
from e2e.cluster.own_image import below, controller

NAMESPACE = "workspace-ctrl"
VALUES = {
    "featureGates": {"gatewayAPIInferenceExtension": True},
    "flux2": {"enabled": False},
    "extraArgs": ["--progress-interval=0.5"],
    # Of the stand-ins for model servers, which need next to nothing.
    "modelServer": {"resources": {"requests": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "1Mi"}}},
}


def install(work: Installation) -> None:
    """Install or upgrade the chart, and wait until the controller is ready."""
    source = {"chartSources": [{"url": work.cluster.chart_source_url(), "insecure": True}]}
    values = chart.write_values(work.places.config / "workspace-ctrl-values.yaml", VALUES, source, chart.image_values())
    place = [f"--namespace={NAMESPACE}", "--create-namespace"]
    work.helm("upgrade", "--install", chart.NAME, str(chart.chart()), *place, f"--values={values}", "--wait", "--timeout=240s")


def _nothing(_: Installation) -> None:
    """Nothing but the image is needed."""


IMAGE = Addon(
    "workspace-ctrl-image",
    "the image of the controller of this repository",
    _nothing,
    images=(controller,),
    lasting=(below,),
    programs=("mmdebstrap",),
    forms=frozenset({Form.FULL}),
    optional=True,
)
ADDON = Addon(
    "workspace-ctrl",
    "the controller of this repository, from its chart",
    install,
    needs=("flux", "registry", "gateway-api"),
    folders=(FLUX,),
    images=(controller,),
    lasting=(below,),
    programs=("mmdebstrap",),
    forms=frozenset({Form.FULL}),
    optional=True,
)
