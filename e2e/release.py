"""A release of the controller's chart on a local cluster, handled with helm as its users do."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from e2e import workspaces
from e2e.chat import chat_until_answered, fetch
from e2e.cluster import ClusterError, LocalCluster
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from e2e.cluster.chart import NAME, chart, flux_values, image_values
from e2e.cluster.installation import Installation
from e2e.cluster.oci import Image
from e2e.cluster.own_image import controller
from e2e.cluster.progress import Steps
from e2e.controller import SMALL_REQUESTS
from e2e.waiting import KUBECTL_TIMEOUT

NAMESPACE = "workspace-ctrl"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{NAME}"
"""The controller's user on the API server."""

GATE = {"featureGates": {"gatewayAPIInferenceExtension": True}}
NO_FLUX = {"flux2": {"enabled": False}}
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
FORBIDDEN = 403


def import_image(cluster: LocalCluster, tag: str = "", image: Image | None = None) -> None:
    """Make an image known to the node, where it is not yet: by default the controller's, under `tag` where one is given."""
    work, image = Installation.on(cluster, Steps()), image or controller(tag)
    if not work.has_image(image):
        work.import_image(image)


def own_chart(cluster: LocalCluster) -> dict[str, Any]:
    """Return the values that name the chart inferencepool of the cluster's registry, as pods and processes of the node reach it."""
    return {"chartSources": [{"url": f"oci://{cluster.settings.registry_for_pods}/charts/inferencepool", "insecure": True}]}


class Release:
    """The release `workspace-ctrl` in a namespace that lets only restricted pods in."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        import_image(cluster)
        self._audit_place = cluster.audit_place()
        if not cluster.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found"):
            cluster.kubectl("create", "namespace", NAMESPACE)
        cluster.kubectl("label", "namespace", NAMESPACE, RESTRICTED, "--overwrite")

    def helm(self, *arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """Run helm in the release's namespace, whatever becomes of it."""
        command = [
            str(build(FLUX).binary("helm")),
            f"--kubeconfig={self.cluster.kubeconfig}",
            f"--namespace={NAMESPACE}",
            *arguments,
        ]
        command += ["--values=-"] if values is not None else []
        return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)

    def upgrade(self, *values: dict[str, Any], package: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Install or upgrade, and wait until all pods are ready; later values go over earlier ones, key by key.

        Raises:
            ClusterError: it failed, and `check` was asked for.
        """
        merged = merge({}, image_values(), flux_values(), own_chart(self.cluster), FAST, SMALL_SERVERS, *values)
        source = str(package or chart())
        result = self.helm("upgrade", "--install", NAME, source, "--wait", KUBECTL_TIMEOUT, values=merged)
        if check and result.returncode:
            raise ClusterError(f"helm upgrade: {result.stderr.strip()}\n{self.problem()}")
        return result

    def problem(self) -> str:
        """Return what the release's pods say of themselves."""
        pods = self.cluster.kubectl("describe", "pods", f"--namespace={NAMESPACE}", check=False)
        return f"{pods}\n{self.log()}"

    def log(self) -> str:
        """Return the controller's log."""
        return self.cluster.kubectl("logs", f"deployment/{NAME}", f"--namespace={NAMESPACE}", "--all-pods", check=False)

    def events(self) -> list[dict[str, Any]]:
        """Return the audit log's events of the controller since this object was made."""
        return self.cluster.audit_events(ACCOUNT, self._audit_place)

    def forbidden(self) -> Counter[str]:
        """Return what the controller was not allowed to do: "verb resource" → how often."""
        refused = [event for event in self.events() if event["responseStatus"]["code"] == FORBIDDEN]
        return Counter(f"{event['verb']} {event['objectRef']['resource']}" for event in refused)

    def metric(self, name: str) -> float:
        """Return a metric of the leading replica, read through its Service."""
        text = fetch(self.cluster, f"http://{NAME}-metrics.{NAMESPACE}.svc.cluster.local:9090/metrics").text
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))

    def remove(self, *, crds: bool = True) -> None:
        """Remove the release and all Workspaces, whatever state they are in, and Flux's objects with them.

        Without `crds`, their kinds stay, which helm leaves as well: to make them anew takes an API server seconds of CPU time.
        """
        kubectl = self.cluster.kubectl
        if kubectl("get", "secrets", f"--selector=owner=helm,name={NAME}", f"--namespace={NAMESPACE}", "-o", "name"):
            self.helm("uninstall", NAME, "--no-hooks", "--wait", KUBECTL_TIMEOUT)
        kubectl("delete", "jobs,pods,leases", "--all", f"--namespace={NAMESPACE}", "--now")
        names = [name for name in kubectl("get", "crds", "-o", "name").split() if name.endswith(("toolkit.fluxcd.io", "kaito.sh"))]
        if not names:
            return
        kinds = ",".join(name.partition("/")[2] for name in names)
        for item in json.loads(kubectl("get", kinds, "-A", "-o", "json"))["items"]:
            metadata = item["metadata"]
            if "finalizers" in metadata:
                target = f"{item['kind'].lower()}.{item['apiVersion'].partition('/')[0]}/{metadata['name']}"
                # The end of an earlier test's namespace may be quicker.
                kubectl("patch", target, "-n", metadata["namespace"], "--type=merge", "-p", NO_FINALIZERS, check=False)
        if crds:
            kubectl("delete", *names)  # and all that there is of them
        else:
            kubectl("delete", kinds, "--all", "-A")


FAST = {"extraArgs": ["--progress-interval=0.5"]}
SMALL_SERVERS = {"modelServer": {"resources": {"requests": SMALL_REQUESTS}}}
NO_FINALIZERS = '{"metadata":{"finalizers":null}}'


def merge(base: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """Return values merged as helm merges files of values: mappings key by key, everything else replaced."""
    result = dict(base)
    for other in others:
        for key, value in other.items():
            old = result.get(key)
            result[key] = merge(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return result


def wait_answered(cluster: LocalCluster, namespace: str, name: str, model: str) -> None:
    """Wait until a Workspace answers through its Gateway.

    Raises:
        AssertionError: it does not.
    """
    url = workspaces.get(cluster, namespace, "workspace", name)["status"]["gateway"]["url"]
    chat_until_answered(cluster, url, model, "are you there?")
