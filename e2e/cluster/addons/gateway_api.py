"""The kinds of Gateway API and of its inference extension."""

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import INFERENCE, ISTIO
from e2e.cluster.installation import Installation


def install(work: Installation) -> None:
    """Install both sets of CRDs."""
    with work.steps.step("Gateway API CRDs"):
        work.apply_crds(work.build(ISTIO).asset("gateway-crds"))
        work.apply_crds(work.build(INFERENCE).asset("inference-crds"))


ADDON = Addon(
    "gateway-api",
    "CRDs of Gateway API and its inference extension",
    install,
    folders=(ISTIO, INFERENCE),
)
