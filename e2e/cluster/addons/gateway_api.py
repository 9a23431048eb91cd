"""The kinds of Gateway API and of its inference extension."""

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import INFERENCE, ISTIO
from e2e.cluster.installation import Installation

CRDS = ((ISTIO, "gateway-crds"), (INFERENCE, "inference-crds"))


def install(work: Installation) -> None:
    """Install both sets of CRDs."""
    with work.steps.step("Gateway API CRDs"):
        work.apply_crds(*(work.build(folder).asset(name) for folder, name in CRDS))


ADDON = Addon(
    "gateway-api",
    "CRDs of Gateway API and its inference extension",
    install,
    folders=(ISTIO, INFERENCE),
    crds=CRDS,
)
