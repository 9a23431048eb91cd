"""What is built from Go modules: one folder per independent set of versions, and what is taken from each.

The versions themselves are in `programs/<folder>/go.mod`, and a test holds them to the table of tested versions.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.cluster.places import PACKAGE
from e2e.cluster.time_left import Usual
from workspace_ctrl.catalog.versions import known_good

STRIP = "-s -w"
ISTIO_VERSION = known_good("Istio")
"""The release whose development the Istio module of go.mod belongs to; modules of Istio carry no release tags."""


@dataclass(frozen=True)
class Asset:
    """A folder of a Go module (charts, CRDs) that a running cluster needs, copied into the cache at build time."""

    name: str
    module: str
    path: str


@dataclass(frozen=True)
class GoFolder:
    """A folder under `programs` with its own go.mod."""

    name: str
    assets: tuple[Asset, ...] = ()
    tags: tuple[str, ...] = ()
    """Build tags."""
    usual: Usual | None = None
    """What its build takes, as measured on two cores on 2026-11-28; None: it was not measured."""

    @property
    def path(self) -> Path:
        """Where its go.mod lies."""
        return PACKAGE / "programs" / self.name

    @cached_property
    def go_mod(self) -> str:
        """The text of go.mod."""
        return (self.path / "go.mod").read_text()

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The texts of the folder's own Go files, where it has any."""
        return tuple(path.read_text() for path in sorted(self.path.rglob("*.go")))

    @property
    def has_programs(self) -> bool:
        """Whether anything is compiled; otherwise only folders of modules are taken."""
        return re.search(r"^tool\b", self.go_mod, re.MULTILINE) is not None

    def version(self, module: str) -> str:
        """Return the version of a required module, with its v."""
        match = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", self.go_mod, re.MULTILINE)
        if match is None:
            raise ClusterError(f"{self.path}/go.mod does not require {module}")
        return match[1]

    @property
    def ldflags(self) -> str:
        """Return the linker's flags: stripped, and with the version that a release build would report."""
        if self.name == "kubernetes":
            version = self.version("k8s.io/kubernetes")
            return f"{STRIP} {' '.join(_kubernetes_stamp(version))}"
        if self.name == "flux":
            return f"{STRIP} -X helm.sh/helm/v4/internal/version.version={self.version('helm.sh/helm/v4')}"
        if self.name == "istio":
            stamp = "istio.io/istio/pkg/version"
            return f"{STRIP} -X {stamp}.buildVersion={ISTIO_VERSION} -X {stamp}.buildStatus=Clean"
        return STRIP


def _kubernetes_stamp(version: str) -> list[str]:
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]


GWIE = "sigs.k8s.io/gateway-api-inference-extension"

KUBERNETES = GoFolder("kubernetes", usual=Usual(packages=2846, cpu_seconds=510))
FLUX = GoFolder(
    "flux",
    assets=(
        Asset("source-crds", "github.com/fluxcd/source-controller", "config/crd/bases"),
        Asset("helm-crds", "github.com/fluxcd/helm-controller", "config/crd/bases"),
    ),
    usual=Usual(packages=2142, cpu_seconds=315),
)
INFERENCE = GoFolder(
    "inference",
    assets=(Asset("inference-crds", GWIE, "config/crd/bases"), Asset("charts", GWIE, "config/charts")),
    usual=Usual(packages=1035, cpu_seconds=230),
)
CHARTS_OF_OLD = tuple(
    GoFolder(f"charts-{version}", assets=(Asset("charts", GWIE, "config/charts"),))
    for version in ("1.0.0", "1.0.1", "1.1.0", "1.2.1", "1.3.1", "1.4.0")
)
"""Earlier versions of the chart `inferencepool`."""
PICKERS_OF_OLD = tuple(GoFolder(f"picker-{version}") for version in ("1.0.1", "1.3.1", "1.4.0"))
"""The endpoint pickers that belong to some of them."""
COREDNS = GoFolder("coredns", usual=Usual(packages=60, cpu_seconds=12))
"""A main of our own with the plugins that the cluster needs, as CoreDNS documents it: all plugins bring the clients of three clouds along.

Its libraries have the versions of `kubernetes`, so that most of them are compiled when it is its turn. kwok's have those of `flux`. Neither
is what the tests are about; programs that are keep the versions that they are released with.
"""
ISTIO = GoFolder(
    "istio",
    assets=(
        Asset("gateway-crds", "sigs.k8s.io/gateway-api", "config/crd/standard"),
        Asset("istio-base", "istio.io/istio", "manifests/charts/base"),
        Asset("istio-discovery", "istio.io/istio", "manifests/charts/istio-control/istio-discovery"),
        Asset("istio-packaging", "istio.io/istio", "tools/packaging/common"),
    ),
    tags=("disable_pgv",),
    usual=Usual(packages=1402, cpu_seconds=340),
)
"""Istio's releases, too, are built without the validation code of Envoy's messages, which only Envoy's side would call."""
ENVOY_GATEWAY = GoFolder(
    "envoy-gateway",
    assets=(
        Asset("gateway-helm", "github.com/envoyproxy/gateway", "charts/gateway-helm"),
        Asset("ai-gateway", "github.com/envoyproxy/ai-gateway", "manifests"),
        Asset("ai-gateway-inference-pool", "github.com/envoyproxy/ai-gateway", "examples/inference-pool"),
    ),
)
KTHENA = GoFolder("kthena", assets=(Asset("kthena", "github.com/volcano-sh/kthena", "charts/kthena"),))
KEDA = GoFolder("keda", assets=(Asset("config", "github.com/kedacore/keda/v2", "config"),))
PROMETHEUS = GoFolder("prometheus", tags=("remove_all_sd", "enable_kubernetes_sd"))
"""It finds what it reads in Kubernetes alone; the clients of all clouds would be most of the build."""
KWOK = GoFolder("kwok", assets=(Asset("stages", "sigs.k8s.io/kwok", "kustomize/stage"),), usual=Usual(packages=90, cpu_seconds=19))
ACTIONLINT = GoFolder("actionlint", usual=Usual(packages=14, cpu_seconds=5))
"""Needed by no cluster: checks the workflows of `.github`."""

FOLDERS = {
    folder.name: folder
    for folder in (
        KUBERNETES,
        FLUX,
        ISTIO,
        INFERENCE,
        *CHARTS_OF_OLD,
        KWOK,
        COREDNS,
        *PICKERS_OF_OLD,
        ENVOY_GATEWAY,
        KTHENA,
        KEDA,
        PROMETHEUS,
        ACTIONLINT,
    )
}
"""In the order in which they are built: the longest first, so that none of them is alone at the end, and each after the one whose compiled
packages it shares."""
