"""The objects of body-based routers that exist: one typed store per kind, filled by an informer of its own."""

from collections.abc import Callable
from typing import Final, TypeVar

from workspace_ctrl.api.labels import BODY_ROUTER_LABEL
from workspace_ctrl.cache.watches import DEPLOYMENT, HELM_RELEASE, OCI_REPOSITORY, Record
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import ApiResource, Json
from workspace_ctrl.kube.store import Key, Store
from workspace_ctrl.model.body_router import BodyRouter
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, parse_helm_release, parse_oci_repository
from workspace_ctrl.records.unreadable_objects import isolated
from workspace_ctrl.records.workloads import Workload, parse_workload

RecordT = TypeVar("RecordT", bound=Record)

ROUTER_RESOURCES: Final = {resource.kind: resource for resource in (OCI_REPOSITORY, HELM_RELEASE, DEPLOYMENT)}
"""Kind → where it is served, of a router's objects."""
_READ_SOURCE: Final = isolated(parse_oci_repository)
_READ_RELEASE: Final = isolated(parse_helm_release)
_READ_WORKLOAD: Final = isolated(parse_workload)


class RouterObjects:
    """The observed objects of all routers."""

    def __init__(self, client: Client, changed: Callable[[], None]) -> None:
        """Make it empty; `changed` is called after each change, once one of the informers runs."""
        self._changed = changed
        self._sources: Store[OCIRepository] = Store(_owner)
        self._releases: Store[HelmRelease] = Store(_owner)
        self._workloads: Store[Workload] = Store(_owner)
        self.informers = (
            self._informer(client, OCI_REPOSITORY, _READ_SOURCE, self._sources),
            self._informer(client, HELM_RELEASE, _READ_RELEASE, self._releases),
            self._informer(client, DEPLOYMENT, _READ_WORKLOAD, self._workloads),
        )

    def of(self, key: Key) -> BodyRouter:
        """Return the objects of one router."""
        return BodyRouter(self._sources.get(key), self._releases.get(key), self._workloads.get(key))

    def keys(self) -> set[Key]:
        """Return the routers of which Flux's objects exist."""
        return {*self._sources.keys(), *self._releases.keys()}

    def write_through(self, answer: Json) -> None:
        """Take in an object that the API server returned for one of our writes."""
        metadata, version = answer["metadata"], int(answer["metadata"]["resourceVersion"])
        key = (metadata["namespace"], metadata["name"])
        match answer["kind"]:
            case OCI_REPOSITORY.kind:
                self._sources.write_through(key, _READ_SOURCE(answer, OCI_REPOSITORY.kind), version)
            case HELM_RELEASE.kind:
                self._releases.write_through(key, _READ_RELEASE(answer, HELM_RELEASE.kind), version)
            case DEPLOYMENT.kind:
                self._workloads.write_through(key, _READ_WORKLOAD(answer, DEPLOYMENT.kind), version)

    def _informer(
        self, client: Client, resource: ApiResource, read: Callable[[Json, str], RecordT], store: Store[RecordT]
    ) -> Informer[RecordT]:
        return Informer(client, Source(resource, read, BODY_ROUTER_LABEL), store, lambda _record: self._changed(), self._changed)


def _owner(_record: Record) -> None:
    """Return no owner: routers belong to Gateways."""
