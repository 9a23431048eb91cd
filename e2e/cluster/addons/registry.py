"""A registry: Debian's docker-registry, filled with the packaged charts of the inference extension, and the stand-ins of llm-d's.

The filled storage is made once and kept in the cache; a cluster gets a copy. It has the images of the other add-ons
as well, and the node asks it for everything, so pods with `imagePullPolicy: Always` work as they do elsewhere.
"""

import hashlib
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import cache, llm_d
from e2e.cluster.addons.base import Addon
from e2e.cluster.builder import build, output_of
from e2e.cluster.catalog import CHARTS_OF_OLD, FLUX, GWIE, INFERENCE, GoFolder
from e2e.cluster.errors import ClusterError
from e2e.cluster.installation import Installation
from e2e.cluster.places import cache_dir, locked
from e2e.cluster.program import Program
from e2e.cluster.settings import free_port

CHART_SOURCES: tuple[GoFolder, ...] = (INFERENCE, *CHARTS_OF_OLD)
"""Folders with an asset `charts`; another version of the chart is another folder with its own go.mod."""

POOL_CHART = "inferencepool"
BODY_ROUTER_CHART = "body-based-routing"
CHARTS: tuple[tuple[GoFolder, str], ...] = (*((folder, POOL_CHART) for folder in CHART_SOURCES), (INFERENCE, BODY_ROUTER_CHART))
ANSWER_SECONDS = 60.0


def install(work: Installation) -> None:
    """Start the registry on a copy of the filled storage."""
    storage = work.places.registry
    shutil.copytree(filled_storage(), storage, dirs_exist_ok=True)
    config = work.places.config / "registry.yaml"
    # In the full form for pods, too: every address there is the cluster's own.
    address = f"0.0.0.0:{work.settings.ports['registry']}" if work.full else work.settings.registry
    config.write_text(_config(storage, address))
    work.start(Program.make("registry", "docker-registry", "serve", str(config), env={"OTEL_TRACES_EXPORTER": "none"}))


def filled_storage() -> Path:
    """Return the registry's storage with all charts, made now if it is not in the cache."""
    content = "\n".join((*(f"{output_of(folder).root.name} {chart}" for folder, chart in CHARTS), llm_d.fingerprint()))
    final = cache_dir() / "charts" / hashlib.sha256(content.encode()).hexdigest()[:16]
    with locked("charts"):
        if not cache.take(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as scratch:
                _fill(Path(scratch))
                (Path(scratch) / "storage").rename(final)
            cache.trim("charts")
    return final


def _fill(scratch: Path) -> None:
    with served(scratch) as address:
        for folder, chart in CHARTS:
            _push_module_chart(folder, chart, scratch, address)
        for version in llm_d.VERSIONS:
            _push(llm_d.assemble(scratch / "charts", version), version, scratch, address)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a registry with its storage in `folder` until the end of the block; yields its address, of plain HTTP on loopback.

    Raises:
        ClusterError: it does not answer.
    """
    address = f"127.0.0.1:{free_port()}"
    config = folder / "config.yaml"
    config.write_text(_config(folder / "storage", address))
    with subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as registry:
        try:
            _wait_until_served(address, registry)
            yield address
        finally:
            registry.terminate()


def _push_module_chart(folder: GoFolder, chart: str, scratch: Path, address: str) -> None:
    charts = shutil.copytree(build(folder).asset("charts"), scratch / "charts")
    _push(charts / chart, folder.version(GWIE), scratch, address)


def _push(chart: Path, version: str, scratch: Path, address: str) -> None:
    """Pack a chart in that version, push it, and remove the folder that it and its dependencies are in."""
    helm = str(build(FLUX).binary("helm"))
    versions = ["--version", version, "--app-version", version]
    _run([helm, "package", str(chart), "--dependency-update", *versions, "--destination", str(scratch)])
    _run([helm, "push", str(scratch / f"{chart.name}-{version}.tgz"), f"oci://{address}/charts", "--plain-http"])
    shutil.rmtree(chart.parent)


def _wait_until_served(address: str, registry: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://{address}/v2/", timeout=1).close()
        except OSError as error:  # among them that it did not answer in time, which urllib passes on as it is
            if registry.poll() is not None or time.monotonic() > deadline:
                raise ClusterError(f"docker-registry does not answer: {error}") from error
            time.sleep(0.05)
        else:
            return


def _config(storage: Path, address: str) -> str:
    return f"""\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: {address}}}
"""


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"{' '.join(command)}: {result.stderr.strip()}")


ADDON = Addon(
    "registry",
    "an OCI registry with the charts inferencepool, 1.0 to 1.5, body-based-routing, and stand-ins of llm-d-router-gateway",
    install,
    folders=(FLUX, *CHART_SOURCES),
    programs=("docker-registry",),
)
