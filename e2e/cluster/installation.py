"""What a step of a start works with: the cluster, its API, and waiting that notices a dead program at once."""

import functools
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.api import CRDS, Api, NotReachableError, crds
from e2e.cluster.builder import Build, build
from e2e.cluster.catalog import FLUX, GoFolder
from e2e.cluster.errors import ClusterError
from e2e.cluster.forms import Form
from e2e.cluster.identity import INSTALLER, certificate
from e2e.cluster.images import layout
from e2e.cluster.local import LocalCluster
from e2e.cluster.node import CONTAINERD_NAMESPACE
from e2e.cluster.oci import Image, archive, publish
from e2e.cluster.places import INSIDE, ClusterPlaces
from e2e.cluster.program import Program
from e2e.cluster.progress import Steps
from e2e.cluster.settings import Settings

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Present:
    """What a cluster has from the start, by name, so that it need not be installed."""

    crds: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Installation:
    """A cluster that is being started or added to."""

    cluster: LocalCluster
    api: Api
    steps: Steps
    present: Present = Present()
    given_up: threading.Event = field(default_factory=threading.Event)
    """Set when one part has failed, so that the others stop waiting."""

    @classmethod
    def on(cls, cluster: LocalCluster, steps: Steps, present: Present | None = None) -> "Installation":
        """Return the means to work on a running cluster."""
        return cls(cluster, Api(cluster.kubeconfig_for(INSTALLER), certificate(cluster.places)), steps, present or Present())

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

    def apply_crds(self, *folders: Path) -> None:
        """Apply the CRDs of folders, unless they are there from the start, and wait until they are served.

        Also for clients that discover them, which is a moment later than established.
        """
        documents = {name: text for folder in folders for name, text in crds(folder).items()}
        for name in documents.keys() - self.present.crds:
            self._persist(f"applying the CRD {name}", functools.partial(self._apply_crd, name, documents[name]))
        by_group: dict[str, set[str]] = {}
        for name in documents:
            self.wait_condition(f"{CRDS}/{name}", "Established")
            plural, _, group = name.partition(".")
            by_group.setdefault(group, set()).add(plural)
        for group, plurals in by_group.items():
            self.wait(f"{group} to be discovered", functools.partial(self._are_discovered, group, plurals))

    def _apply_crd(self, name: str, document: bytes) -> bool:
        return bool(self.api.apply(f"{CRDS}/{name}", document))

    def _are_discovered(self, group: str, plurals: set[str]) -> bool:
        found = self.api.get(f"/apis/{group}")
        versions = [entry["groupVersion"] for entry in found["versions"]] if found is not None else []
        resources = (self.api.get(f"/apis/{version}") or {"resources": []} for version in versions)
        return plurals <= {entry["name"] for listed in resources for entry in listed["resources"]}

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
        if image.name in self.present.images:
            return
        with self.steps.step(f"image {image.name.rpartition('/')[2]}"), archive(source) as stream:
            command, pipe = ["ctr", f"--namespace={CONTAINERD_NAMESPACE}", "images", "import", "-"], subprocess.PIPE
            with self.cluster.popen(command, stdin=stream, stdout=pipe, stderr=pipe) as process:
                out, err = process.communicate()
        self._checked(subprocess.CompletedProcess(command, process.returncode, out, err))

    def _checked(self, result: subprocess.CompletedProcess[str]) -> None:
        if result.returncode:
            self.cluster.control.check()
            raise ClusterError(f"{' '.join(result.args)}: {result.stderr.strip()}")
