"""docs/quickstart.md, followed: as it is written where kind is (`make demo-kind`), else with the replacements of this module."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e import guide
from e2e.cluster import LocalCluster
from e2e.cluster.addons.istio import NAMESPACE, VALUES
from e2e.cluster.builder import build
from e2e.cluster.catalog import INFERENCE, ISTIO, GoFolder
from e2e.cluster.chart import chart
from e2e.cluster.own_image import version
from e2e.cluster.places import REPOSITORY
from e2e.release import own_chart
from workspace_ctrl.catalog.versions import known_good

PAGE = REPOSITORY / "docs" / "quickstart.md"
RELEASES = "https://github.com/kubernetes-sigs/{project}/releases/download/{version}/{file}"
SWITCH = "ENABLE_GATEWAY_API_INFERENCE_EXTENSION"
NEEDED = {
    "docker": "runs the node, and builds the image",
    "kind": "makes the cluster",
    "kubectl": "talks to it",
    "helm": "packs and installs the chart",
    "istioctl": "installs Istio",
    "curl": "asks the model",
}
NAME = "models"
REMOVAL = f"kind delete cluster --name {NAME}"
PROGRAMS = Path(sys.executable).parent
"""Where workspace-ctrl is, as with an activated virtual environment."""


def steps() -> list[guide.Step]:
    """Return the commands of the page."""
    return list(guide.steps(PAGE.read_text()))


def replacements(cluster: LocalCluster, scratch: Path) -> dict[str, str]:
    """Return what replaces the commands, or parts of them, for which a local cluster has no Docker or Internet; files go to `scratch`."""
    istio = {
        **VALUES,
        "env": {key: value for key, value in VALUES["env"].items() if key != SWITCH},
    }  # the page sets the switch itself
    values = _file(scratch / "istio.yaml", json.dumps(istio))
    charts = _file(scratch / "charts.yaml", json.dumps(own_chart(cluster)))
    switch = f"--set env.{SWITCH}=true"
    place = f"--namespace {NAMESPACE} --create-namespace --values {values}"
    istio_charts = [
        f"helm upgrade --install {name} {build(ISTIO).asset(name)} {place}" for name in ("istio-base", "istio-discovery")
    ]
    return {
        # The cluster is there, and its node has the image of this repository.
        "kind create cluster --name models": "kubectl get nodes",
        f"make image && kind load docker-image localhost/workspace-ctrl:{version()} --name models": "true",
        REMOVAL: "true",
        # The same CRDs, from Go modules.
        _release("gateway-api", "Gateway API", "standard-install.yaml"): _manifests(ISTIO, "gateway-crds", scratch),
        _release("gateway-api-inference-extension", "Gateway API Inference Extension", "manifests.yaml"): _manifests(
            INFERENCE, "inference-crds", scratch
        ),
        # Istio's charts, for which istioctl is another way, and small requests.
        f"istioctl install --skip-confirmation --set profile=minimal --set values.pilot.env.{SWITCH}=true": (
            f"{istio_charts[0]} && {istio_charts[1]} {switch} --wait"
        ),
        # The chart with a stand-in for its dependency, and the chart inferencepool of the cluster's registry.
        "make chart && ": "",
        f"dist/workspace-ctrl-{version()}.tgz": f"{chart()} --values {charts}",
    }


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _release(project: str, part: str, file: str) -> str:
    return RELEASES.format(project=project, version=known_good(part), file=file)


def _manifests(folder: GoFolder, asset: str, scratch: Path) -> str:
    files = sorted(path for path in build(folder).asset(asset).glob("*.yaml") if path.name != "kustomization.yaml")
    return str(_file(scratch / f"{asset}.yaml", "---\n".join(path.read_text() for path in files)))


class ThisMachine:
    """Commands run as they would in the user's shell."""

    def popen(self, argv: Sequence[str], *, env: Mapping[str, str], stdin: int, stdout: int, stderr: int) -> subprocess.Popen[str]:
        """Start a command with these variables in addition."""
        return subprocess.Popen(argv, env={**os.environ, **env}, stdin=stdin, stdout=stdout, stderr=stderr, text=True)


def problem() -> str:
    """Return why the page cannot be followed on this machine, before anything is made; empty if it can."""
    missing = [f"{tool} ({why})" for tool, why in NEEDED.items() if shutil.which(tool) is None]
    if missing:
        return f"make demo-kind needs programs that are not on PATH: {', '.join(missing)}; without Docker: make demo"
    daemon = subprocess.run(("docker", "version"), capture_output=True, text=True, check=False)
    if daemon.returncode:
        return (
            f"docker does not work: {daemon.stderr.strip()}; is the daemon running, and may you use it? Without Docker: make demo"
        )
    clusters = subprocess.run(("kind", "get", "clusters"), capture_output=True, text=True, check=False)
    if NAME in clusters.stdout.split():
        return f"kind has a cluster {NAME} already, of an earlier attempt or of yours; to remove it: {REMOVAL}"
    return ""


def main() -> None:
    """Follow the page on this machine as it is written, up to where it removes what it has made."""
    if words := problem():
        sys.exit(words)
    os.chdir(REPOSITORY)
    with guide.Shell(ThisMachine(), {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}) as shell:
        try:
            guide.follow(shell, itertools.takewhile(lambda step: not step.command.startswith("kubectl delete"), steps()), print)
        except AssertionError as error:
            sys.exit(f"docs/quickstart.md, {error}\nThe cluster is still there; to begin again: {REMOVAL}")
    print(f"The model still serves: workspace-ctrl chat llama. To remove all of it: {REMOVAL}")


if __name__ == "__main__":
    main()
