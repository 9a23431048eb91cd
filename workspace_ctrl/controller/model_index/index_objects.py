"""What exists of the list of models: its Service, its routes, and the routes of others, each filled by an informer of its own."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from workspace_ctrl.api.labels import OWNER_LABEL
from workspace_ctrl.cache.watches import HTTP_ROUTE, SERVICE
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.kube.store import Store
from workspace_ctrl.planning.plan_settings import ModelIndexSettings
from workspace_ctrl.records.meta import Meta
from workspace_ctrl.records.other_routes import OtherRoute, parse_other_route
from workspace_ctrl.records.unreadable_objects import isolated
from workspace_ctrl.records.workloads import Service, parse_service

_READ_ROUTE: Final = isolated(parse_other_route)
_READ_SERVICE: Final = isolated(parse_service)


class IndexObjects:
    """The observed objects."""

    def __init__(self, client: Client, settings: ModelIndexSettings, changed: Callable[[], None]) -> None:
        """Make it empty; `changed` is called after each change, once the informers run."""
        self._settings = settings
        self._routes: Store[OtherRoute] = Store(_no_owner)
        self._services: Store[Service] = Store(_no_owner)
        routes = Source(HTTP_ROUTE, _READ_ROUTE, f"!{OWNER_LABEL}")
        service = Source(
            SERVICE, _READ_SERVICE, field_selector=f"metadata.name={settings.service}", namespace=settings.service_namespace
        )
        self.informers: tuple[Informer[Any], ...] = (
            Informer(client, routes, self._routes, lambda _record: changed(), changed),
            Informer(client, service, self._services, lambda _record: changed(), changed),
        )

    @property
    def service(self) -> Meta | None:
        """The Service of the list, which owns the routes; None if it does not exist, or is being deleted."""
        found = self._services.get((self._settings.service_namespace, self._settings.service))
        return found.meta if found is not None and found.meta.is_usable else None

    @property
    def all_routes(self) -> tuple[OtherRoute, ...]:
        """The HTTPRoutes that belong to no Workspace."""
        return tuple(self._routes.values())

    @property
    def own_routes(self) -> Mapping[str, Meta]:
        """The routes of the list by name."""
        settings = self._settings
        return {
            route.meta.ref.name: route.meta
            for route in self._routes.values()
            if (route.meta.ref.namespace, route.index) == (settings.service_namespace, settings.service)
        }

    def write_through(self, answer: Json) -> None:
        """Take in a route that the API server returned for one of our writes."""
        metadata = answer["metadata"]
        key = metadata["namespace"], metadata["name"]
        self._routes.write_through(key, _READ_ROUTE(answer, HTTP_ROUTE.kind), int(metadata["resourceVersion"]))


def _no_owner(_record: OtherRoute | Service) -> None:
    """Return no owner: they belong to no Workspace."""
