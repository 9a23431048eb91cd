"""Flux: its CRDs, source-controller and helm-controller as processes beside the API server."""

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import FLUX
from e2e.cluster.installation import Installation
from e2e.cluster.program import Program

CRDS = ((FLUX, "source-crds"), (FLUX, "helm-crds"))
QUICK = ("--metrics-addr=0", "--health-addr=0", "--events-addr=", "--min-retry-delay=200ms", "--max-retry-delay=10s")


def install(work: Installation) -> None:
    """Install Flux."""
    with work.steps.step("Flux CRDs"):
        work.apply_crds(*(work.build(folder).asset(name) for folder, name in CRDS))
    for program in (_source_controller(work), _helm_controller(work)):
        work.start(program)


def _source_controller(work: Installation) -> Program:
    storage = work.places.data / "artifacts"
    storage.mkdir(exist_ok=True)
    address = f"127.0.0.1:{work.settings.ports['artifacts']}"
    return Program.make(
        "source-controller",
        work.build(FLUX).binary("source-controller"),
        f"--storage-path={storage}",
        f"--storage-addr={address}",
        f"--storage-adv-addr={address}",
        *QUICK,
        env={**work.client_env("source-controller"), "TMPDIR": str(storage)},
    )


def _helm_controller(work: Installation) -> Program:
    return Program.make(
        "helm-controller",
        work.build(FLUX).binary("helm-controller"),
        "--concurrent=8",
        "--requeue-dependency=1s",
        *QUICK,
        env=work.client_env("helm-controller"),
    )


ADDON = Addon("flux", "source-controller and helm-controller", install, folders=(FLUX,), crds=CRDS)
