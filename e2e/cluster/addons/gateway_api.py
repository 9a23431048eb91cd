"""The kinds of Gateway API and its inference extension, and the endpoint picker's image that charts ask for."""

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import INFERENCE, ISTIO
from e2e.cluster.images import endpoint_picker
from e2e.cluster.installation import Installation


def install(work: Installation) -> None:
    """Install both sets of CRDs."""
    with work.steps.step("Gateway API CRDs"):
        work.apply_crds(ISTIO, "gateway-crds")
        work.apply_crds(INFERENCE, "inference-crds")


ADDON = Addon(
    "gateway-api",
    "CRDs of Gateway API and its inference extension, image of the endpoint picker",
    install,
    folders=(ISTIO, INFERENCE),
    images=(endpoint_picker,),
)
