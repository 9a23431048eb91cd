"""`make e2e-kind`: the scenarios against a kind cluster, on a machine with Docker and the Internet.

What the local cluster builds is used here as well (kubectl, helm, CRDs, Istio's charts and images, the stand-in for vLLM); Flux comes with
its own command line, the chart and its endpoint picker from their registry.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from e2e.cluster import images
from e2e.cluster.addons.gpus import GPUS, RESOURCE
from e2e.cluster.addons.istio import NAMESPACE, VALUES
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX, INFERENCE, ISTIO, KUBERNETES
from e2e.cluster.oci import Image
from e2e.cluster.places import PACKAGE
from workspace_ctrl.planning.plan_settings import ChartSource

NAME = "workspace-ctrl"
NEEDED = {"docker": "runs the node", "kind": "makes the cluster", "flux": "installs Flux"}


def main() -> None:
    """Make the cluster where it is not there, fill it, and run the scenarios against it."""
    missing = [f"{tool} ({why})" for tool, why in NEEDED.items() if shutil.which(tool) is None]
    if missing:
        sys.exit(
            f"make e2e-kind needs programs that are not on PATH: {', '.join(missing)}; without Docker, make test does the same"
        )
    if NAME not in _run("kind", "get", "clusters").split():
        _run("kind", "create", "cluster", "--config", str(PACKAGE / "kind.yaml"))
    with tempfile.TemporaryDirectory() as scratch:
        kubeconfig = Path(scratch) / "kubeconfig"
        kubeconfig.write_text(_run("kind", "get", "kubeconfig", "--name", NAME))
        path = f"{build(KUBERNETES).binary('kubectl').parent}:{build(FLUX).binary('helm').parent}:{os.environ['PATH']}"
        os.environ.update(KUBECONFIG=str(kubeconfig), PATH=path)
        _fill(Path(scratch))
        charts = ChartSource().url.rpartition("/")[0]
        environment = {**os.environ, "WORKSPACE_CTRL_E2E": "external", "WORKSPACE_CTRL_E2E_CHARTS": charts}
        # Those of the chart begin with a cluster without Flux.
        tests = [sys.executable, "-m", "pytest", "e2e/scenarios", "--ignore-glob=*test_install*", *sys.argv[1:]]
        sys.exit(subprocess.run(tests, env=environment, check=False).returncode)


def _fill(scratch: Path) -> None:
    for image in (images.istio_pilot(), images.istio_proxy(), images.vllm()):
        _load(image, scratch)
    _run("flux", "install", "--components=source-controller,helm-controller")
    for crds in (build(ISTIO).asset("gateway-crds"), build(INFERENCE).asset("inference-crds")):
        for file in sorted(crds.glob("*.yaml")):
            if file.name != "kustomization.yaml":
                _run("kubectl", "apply", "--server-side", "--filename", str(file))
    values = scratch / "values.yaml"
    values.write_text(json.dumps(VALUES))
    for chart in ("istio-base", "istio-discovery"):
        place = [f"--namespace={NAMESPACE}", "--create-namespace", f"--values={values}", "--wait"]
        _run("helm", "upgrade", "--install", chart, str(build(ISTIO).asset(chart)), *place)
    gpus = json.dumps({"status": {"capacity": {RESOURCE: GPUS}, "allocatable": {RESOURCE: GPUS}}})
    _run("kubectl", "patch", "node", f"{NAME}-control-plane", "--subresource=status", "--type=merge", "--patch", gpus)


def _load(image: Image, scratch: Path) -> None:
    archive = scratch / f"{image.fingerprint}.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(images.layout(image), arcname=".")
    _run("kind", "load", "image-archive", str(archive), "--name", NAME)


def _run(*command: str) -> str:
    print("$", " ".join(command), file=sys.stderr, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
