"""The versions of what is installed in a cluster: Kubernetes, the CRDs, the controller with its chart, Flux."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.labels import GROUP, PLURAL
from workspace_ctrl.cache.watches import DEPLOYMENT
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError, NotFoundError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource, Json

CRD: Final = ApiResource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
WORKSPACES: Final = f"{PLURAL}.{GROUP}"
GATEWAYS: Final = "gateways.gateway.networking.k8s.io"
POOLS: Final = "inferencepools.inference.networking.k8s.io"
OCI_REPOSITORIES: Final = "ocirepositories.source.toolkit.fluxcd.io"
HELM_RELEASES: Final = "helmreleases.helm.toolkit.fluxcd.io"
NEEDED_CRDS: Final = (WORKSPACES, GATEWAYS, POOLS, OCI_REPOSITORIES, HELM_RELEASES)
_BUNDLE_VERSIONS: Final = ("gateway.networking.k8s.io/bundle-version", "inference.networking.k8s.io/bundle-version")
OUR_DEPLOYMENTS: Final = "app.kubernetes.io/name=workspace-ctrl"
FLUX_DEPLOYMENTS: Final = "app in (source-controller,helm-controller)"


@dataclass(frozen=True, slots=True)
class InstalledParts:
    """What was found; None for what the user may not read."""

    server: str
    """Version of Kubernetes."""
    crds: Mapping[str, Json | None]
    """The needed CRDs by name; None for one that is not installed."""
    controllers: Sequence[Json] | None
    """Deployments of workspace-ctrl."""
    flux: Sequence[Json] | None
    """Deployments of source-controller and helm-controller."""
    may_read_crds: bool = True

    def crd_version(self, name: str) -> str:
        """Return the version of the bundle that a CRD is of; empty if it is not installed, or has none."""
        crd = self.crds.get(name)
        annotations = (crd["metadata"].get("annotations") or {}) if crd is not None else {}
        return next((str(annotations[key]) for key in _BUNDLE_VERSIONS if key in annotations), "")


async def installed_parts(client: Client) -> InstalledParts:
    """Return what is installed in the cluster, by eight requests.

    Raises:
        ApiError: the API server cannot be reached.
    """
    version, controllers, flux, *crds = await asyncio.gather(
        client.get_path("/version"),
        _deployments(client, OUR_DEPLOYMENTS),
        _deployments(client, FLUX_DEPLOYMENTS),
        *(_crd(client, name) for name in NEEDED_CRDS),
    )
    may_read = not any(isinstance(found, ForbiddenError) for found in crds)
    known = {name: found if isinstance(found, dict) else None for name, found in zip(NEEDED_CRDS, crds, strict=True)}
    return InstalledParts(str(version.get("gitVersion") or "unknown"), known, controllers, flux, may_read)


async def _crd(client: Client, name: str) -> dict[str, Any] | ForbiddenError | None:
    try:
        return await client.get(CRD, "", name)
    except NotFoundError:
        return None
    except ForbiddenError as error:
        return error


async def _deployments(client: Client, selector: str) -> Sequence[Json] | None:
    try:
        return await list_all(client, DEPLOYMENT, {"labelSelector": selector})
    except ForbiddenError:
        return None


def chart_of(deployment: Json) -> str:
    """Return name and version of the chart that made a Deployment; empty if none did."""
    return str((deployment["metadata"].get("labels") or {}).get("helm.sh/chart") or "")


def version_of(deployment: Json) -> str:
    """Return the version of what a Deployment runs: that in its labels, else the tag of its image."""
    labels = deployment["metadata"].get("labels") or {}
    tag = next(_tags(deployment), "")
    of_flux = "source-controller" in deployment["metadata"]["name"] or "helm-controller" in deployment["metadata"]["name"]
    return tag if of_flux and tag else str(labels.get("app.kubernetes.io/version") or tag or "unknown")


def variables_of(deployment: Json) -> Mapping[str, str]:
    """Return the environment variables of a Deployment's containers that have a value of their own."""
    pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    found = [entry for container in pod.get("containers") or () for entry in container.get("env") or ()]
    return {str(entry.get("name")): str(entry.get("value")) for entry in found}


def is_running(deployment: Json) -> bool:
    """Whether a replica of a Deployment is ready."""
    return bool((deployment.get("status") or {}).get("readyReplicas"))


def _tags(deployment: Json) -> Iterator[str]:
    pods = (deployment.get("spec") or {}).get("template") or {}
    for container in (pods.get("spec") or {}).get("containers") or ():
        name, _, tag = str(container.get("image") or "").partition("@")[0].rpartition(":")
        if name and "/" not in tag:
            yield tag
