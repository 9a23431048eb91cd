"""What a test has left in its namespace, removed without the namespace.

A namespace is deleted by listing and deleting all of some seventy kinds in it, again and again while something has a finalizer. Where
every test has a namespace, these are more than a third of all requests to the API server.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from e2e.cluster.api import Api, NotReachableError
from e2e.cluster.identity import INSTALLER, certificate
from e2e.cluster.local import LocalCluster

INERT = frozenset({"configmaps", "events", "leases", "rolebindings", "roles", "secrets", "serviceaccounts"})
"""What nobody acts on in a namespace without anything else. Flux needs some of it to uninstall a release."""
ATTENDED = ("finalizers.fluxcd.io", "kubernetes.io/", "foregroundDeletion", "orphan")
"""Beginnings of finalizers that a program of the cluster takes off; those of controllers that a test has stopped nobody does."""
_CREATED = 201
_PATIENCE_SECONDS = 10.0
_PAUSE = 0.1


class Kind(NamedTuple):
    """A kind of namespaced objects, as the API server's paths name it."""

    group: str
    version: str
    resource: str

    def path(self, namespace: str) -> str:
        """Return the path of its objects in a namespace."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.resource}"


POOLS = Kind("inference.networking.k8s.io", "v1", "inferencepools")
"""The audit log leaves out what Flux creates, and of a suspended release, Flux uninstalls nothing; the rest is of kinds that we create."""


def remove(cluster: LocalCluster, namespace: str, since: int) -> None:
    """Delete what was created in a namespace from the audit log's place `since` on, except what is inert, and wait for nothing.

    Raises:
        ClusterError: the API server refuses it.
    """
    api = Api(cluster.kubeconfig_for(INSTALLER), certificate(cluster.places))
    for kind in sorted(created(cluster.audit_events_with(f'"namespace":"{namespace}"', since))):
        path = kind.path(namespace)
        for item in _answered(partial(api.delete_all, path)):
            metadata = item["metadata"]
            if not all(finalizer.startswith(ATTENDED) for finalizer in metadata.get("finalizers", ())):
                api.release(f"{path}/{metadata['name']}")


def _answered(ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Ask until there is an answer: right after a CRD was made anew, the API server has none."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except NotReachableError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def created(events: Iterable[dict[str, Any]]) -> set[Kind]:
    """Return the kinds of objects that were created, by events of the audit log."""
    places = [event["objectRef"] for event in events if event.get("responseStatus", {}).get("code") == _CREATED]
    kinds = {
        Kind(place.get("apiGroup", ""), place["apiVersion"], place["resource"])
        for place in places
        if not place.get("subresource") and place["resource"] not in INERT and place.get("apiGroup") != "authorization.k8s.io"
    }
    return kinds | {POOLS} if any(kind.resource == "helmreleases" for kind in kinds) else kinds
