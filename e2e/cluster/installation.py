"""What a step of a start works with: the cluster, its API, and waiting that notices a dead program at once."""

import functools
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.api import Api, NotReachableError
from e2e.cluster.builder import Build, build
from e2e.cluster.catalog import FLUX, GoFolder
from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form
from e2e.cluster.identity import INSTALLER, certificate
from e2e.cluster.images import layout
from e2e.cluster.local import LocalCluster
from e2e.cluster.node import CONTAINERD_NAMESPACE
from e2e.cluster.oci import Image, publish
from e2e.cluster.places import INSIDE, ClusterPlaces
from e2e.cluster.program import Program
from e2e.cluster.progress import Steps
from e2e.cluster.settings import Settings

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Installation:
    """A cluster that is being started or added to."""

    cluster: LocalCluster
    api: Api
    steps: Steps
    given_up: threading.Event = field(default_factory=threading.Event)
    """Set when one part has failed, so that the others stop waiting."""

    @classmethod
    def on(cls, cluster: LocalCluster, steps: Steps) -> "Installation":
        """Return the means to work on a running cluster."""
        return cls(cluster, Api(cluster.kubeconfig_for(INSTALLER), certificate(cluster.places)), steps)

    @property
    def settings(self) -> Settings:
        """The cluster's form and ports."""
        return self.cluster.settings

    @property
    def places(self) -> ClusterPlaces:
        """The cluster's paths."""
        return self.cluster.places

    @property
    def full(self) -> bool:
        """Whether pods really run."""
        return self.cluster.form is Form.FULL

    def build(self, folder: GoFolder) -> Build:
        """Return a folder's programs and assets."""
        return build(folder)

    def client_env(self, program: str) -> dict[str, str]:
        """Return the environment of a program that finds its kubeconfig there."""
        return {"KUBECONFIG": str(self.places.kubeconfig(program, INSIDE))}

    def start(self, program: Program) -> None:
        """Start a program under the supervisor."""
        self.cluster.control.start(program)

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until a condition holds; raise at once if a program of the cluster dies."""
        deadline = time.monotonic() + seconds
        last: ClusterError | None = None
        while True:
            try:
                if holds():
                    return
                last = None
            except NotReachableError as error:
                last = error
            self.cluster.control.check()
            if self.given_up.wait(POLL_SECONDS):
                raise ClusterError(f"given up waiting for {what}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{what} did not come true within {seconds:.0f} s" + (f": {last}" if last else ""))

    def wait_condition(self, path: str, kind: str) -> None:
        """Wait until an object has a condition with status True."""
        self.wait(f"{path} {kind}", functools.partial(self.api.condition, path, kind))

    def wait_deployment(self, namespace: str, name: str) -> None:
        """Wait until a Deployment is available."""
        self.wait_condition(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "Available")

    def wait_node(self) -> None:
        """Wait until the node is Ready."""
        self.wait_condition(f"/api/v1/nodes/{self.settings.node_name}", "Ready")

    def apply(self, path: str, document: bytes) -> None:
        """Apply a document at its path, again while the API server is busy."""
        self._persist(f"applying {path}", lambda: bool(self.api.apply(path, document)))

    def patch(self, path: str, change: object) -> None:
        """Merge a change into an object, again while the API server is busy."""
        self._persist(f"patching {path}", lambda: bool(self.api.patch(path, change)))

    def _persist(self, what: str, act: Callable[[], bool]) -> None:
        self.wait(what, act)

    def apply_crds(self, folder: Path) -> None:
        """Apply a folder of CRDs and wait until they are served, also for clients that discover them: a moment later than established."""
        names: list[str] = []

        def act() -> bool:
            names[:] = self.api.apply_crds(folder)
            return True

        self._persist(f"applying the CRDs of {folder.name}", act)
        for name in names:
            self.wait_condition(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", "Established")
        for name in names:
            self.wait(f"{name} to be discovered", functools.partial(self._is_discovered, *name.split(".", 1)))

    def _is_discovered(self, plural: str, group: str) -> bool:
        found = self.api.get(f"/apis/{group}")
        versions = [entry["groupVersion"] for entry in found["versions"]] if found is not None else []
        resources = (self.api.get(f"/apis/{version}") or {"resources": []} for version in versions)
        return any(entry["name"] == plural for listed in resources for entry in listed["resources"])

    def helm(self, *arguments: str) -> None:
        """Run helm against the cluster."""
        command = [str(build(FLUX).binary("helm")), f"--kubeconfig={self.cluster.kubeconfig_for(INSTALLER)}", *arguments]
        self._checked(subprocess.run(command, capture_output=True, text=True, check=False))

    def has_image(self, image: Image) -> bool:
        """Say whether the node knows an image of that name."""
        listed = self.cluster.run(
            ["ctr", f"--namespace={CONTAINERD_NAMESPACE}", "images", "list", "--quiet", f"name=={image.name}"]
        )
        return bool(listed.stdout.strip())

    def import_image(self, image: Image) -> None:
        """Make an image known to the node, and to the registry for pods whose policy is to pull always."""
        source = layout(image)
        publish(source, image.name, self.places.registry)
        with self.steps.step(f"image {image.name.rpartition('/')[2]}"):
            # Another cluster that links the same blobs changes nothing in them.
            tar = ["tar", "--create", "--warning=no-file-changed", f"--directory={source}", "."]
            with subprocess.Popen(tar, stdout=subprocess.PIPE) as stream:
                command = ["ctr", f"--namespace={CONTAINERD_NAMESPACE}", "images", "import", "-"]
                pipe = subprocess.PIPE
                with self.cluster.popen(command, stdin=stream.stdout, stdout=pipe, stderr=pipe) as process:
                    out, err = process.communicate()
        self._checked(subprocess.CompletedProcess(command, process.returncode, out, err))

    def _checked(self, result: subprocess.CompletedProcess[str]) -> None:
        if result.returncode:
            self.cluster.control.check()
            raise ClusterError(f"{' '.join(result.args)}: {result.stderr.strip()}")
