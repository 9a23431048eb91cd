"""What `workspace-ctrl doctor` reads of a cluster."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workspace_ctrl.api.labels import API_VERSION, KIND, MODEL_INDEX_LABEL
from workspace_ctrl.api.yaml.documents import YamlError, parse_documents
from workspace_ctrl.cache.watches import (
    CONFIG_MAP,
    DEPLOYMENT,
    GATEWAY,
    GATEWAY_CLASS,
    HTTP_ROUTE,
    INFERENCE_POOL,
    NODE,
    OCI_REPOSITORY,
    WORKSPACE,
)
from workspace_ctrl.cli.inspect.installed_parts import OUR_DEPLOYMENTS, InstalledParts, installed_parts
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ApiError, ForbiddenError, KindNotServedError, NotFoundError, RejectedError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource, Json

_REVIEW: Final = ApiResource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False)
_WEBHOOKS: Final = ApiResource(
    "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False
)
_ENVOY_PROXIES: Final = "app.kubernetes.io/component=proxy,app.kubernetes.io/managed-by=envoy-gateway"
RIGHTS: Final = (
    ("create", "kaito.sh", "workspaces", ""),
    ("list", "kaito.sh", "workspaces", ""),
    ("watch", "kaito.sh", "workspaces", ""),
    ("list", "", "pods", ""),
    ("get", "", "pods", "log"),
    ("list", "", "events", ""),
)
"""What the commands need in a namespace: verb, group, resource, subresource."""
EXAMPLE: Final[Json] = {
    "apiVersion": API_VERSION,
    "kind": KIND,
    "resource": {"labelSelector": {"matchLabels": {"kubernetes.io/os": "linux"}}},
    "inference": {
        "template": {"spec": {"containers": [{"name": "server", "image": "example.com/server", "ports": [{"containerPort": 80}]}]}}
    },
}
"""Applied by a dry-run; valid without a catalog, nodes or a model."""


@dataclass(frozen=True, slots=True)
class TriedWorkspace:
    """What came of the dry-run of a Workspace."""

    problem: str = ""
    """Why the API server rejects it; empty if it accepts it."""
    created: str = ""
    """The API server's time."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """All that is checked. A kind that is not served has no objects, one that may not be listed is in `unreadable`."""

    parts: InstalledParts
    namespace: str
    tried: TriedWorkspace = field(default_factory=TriedWorkspace)
    denied: tuple[str, ...] = ()
    """Rights that the user has not, such as `create workspaces.kaito.sh`."""
    settings: Mapping[str, Any] | None = None
    """The controller's settings file; None if it is not known."""
    classes: Sequence[Json] = ()
    gateways: Sequence[Json] = ()
    pools: Sequence[Json] = ()
    index_routes: Sequence[Json] = ()
    """HTTPRoutes of the list of models."""
    istiods: Sequence[Json] = ()
    envoy_proxies: Sequence[Json] = ()
    """Deployments that Envoy Gateway has made for Gateways."""
    nodes: Sequence[Json] = ()
    sources: Sequence[Json] = ()
    webhooks: Sequence[Json] = ()
    unreadable: frozenset[str] = frozenset()


async def cluster_facts(client: Client, namespace: str) -> ClusterFacts:
    """Return what is checked, by some 25 requests.

    Raises:
        ApiError: the API server cannot be reached, or fails.
    """
    parts = await installed_parts(client)
    reader = _Reader(client)
    classes, gateways, pools, index_routes, istiods, proxies, nodes, sources, webhooks = await asyncio.gather(
        reader.read(GATEWAY_CLASS),
        reader.read(GATEWAY),
        reader.read(INFERENCE_POOL),
        reader.read(HTTP_ROUTE, MODEL_INDEX_LABEL),
        reader.read(DEPLOYMENT, "app=istiod"),
        reader.read(DEPLOYMENT, _ENVOY_PROXIES),
        reader.read(NODE),
        reader.read(OCI_REPOSITORY),
        reader.read(_WEBHOOKS, OUR_DEPLOYMENTS),
    )
    return ClusterFacts(
        parts=parts,
        namespace=namespace,
        tried=await _try(client, namespace),
        denied=await _denied(client, namespace),
        settings=await _settings(client, parts),
        classes=classes,
        gateways=gateways,
        pools=pools,
        index_routes=index_routes,
        istiods=istiods,
        envoy_proxies=proxies,
        nodes=nodes,
        sources=sources,
        webhooks=webhooks,
        unreadable=frozenset(reader.unreadable),
    )


class _Reader:
    def __init__(self, client: Client) -> None:
        self._client = client
        self.unreadable: set[str] = set()

    async def read(self, resource: ApiResource, selector: str = "") -> Sequence[Json]:
        """Return all objects of a kind; none if it is not served, or may not be listed."""
        try:
            return await list_all(self._client, resource, {"labelSelector": selector} if selector else {})
        except KindNotServedError:
            return ()
        except ForbiddenError:
            self.unreadable.add(resource.kind)
            return ()


async def _try(client: Client, namespace: str) -> TriedWorkspace:
    manifest = {**EXAMPLE, "metadata": {"namespace": namespace, "name": "workspace-ctrl-doctor"}}
    try:
        answer = await client.apply(WORKSPACE, manifest, force=False, dry_run=True)
    except KindNotServedError:
        return TriedWorkspace("its CRD is not installed")
    except (RejectedError, NotFoundError) as error:
        return TriedWorkspace(error.message)
    return TriedWorkspace(created=str(answer["metadata"].get("creationTimestamp") or ""))


async def _denied(client: Client, namespace: str) -> tuple[str, ...]:
    allowed = await asyncio.gather(*(_is_allowed(client, namespace, *right) for right in RIGHTS))
    return tuple(_words(*right) for right, is_allowed in zip(RIGHTS, allowed, strict=True) if not is_allowed)


async def _is_allowed(client: Client, namespace: str, verb: str, group: str, resource: str, subresource: str) -> bool:  # noqa: PLR0917
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": subresource}
    document = {
        "apiVersion": _REVIEW.api_version,
        "kind": _REVIEW.kind,
        "metadata": {},
        "spec": {"resourceAttributes": attributes},
    }
    answer = await client.create(_REVIEW, document)
    return bool((answer.get("status") or {}).get("allowed"))


def _words(verb: str, group: str, resource: str, subresource: str) -> str:
    what = f"{resource}/{subresource}" if subresource else resource
    return f"{verb} {what}.{group}" if group else f"{verb} {what}"


async def _settings(client: Client, parts: InstalledParts) -> Mapping[str, Any] | None:
    """Return the settings file of the first controller, which the chart keeps in a ConfigMap of its name."""
    for deployment in parts.controllers or ():
        metadata = deployment["metadata"]
        try:
            found = await client.get(CONFIG_MAP, str(metadata["namespace"]), str(metadata["name"]))
            documents = parse_documents(str((found.get("data") or {}).get("settings.yaml") or ""))
        except (ApiError, YamlError):
            return None  # the check says that it is not known
        document = next(iter(documents), None)
        return document if isinstance(document, Mapping) else {}
    return None
