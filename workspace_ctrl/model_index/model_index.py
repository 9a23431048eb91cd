"""The list of models as the API server has it now: informers of Workspaces, InferenceSets and the routes of the list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from workspace_ctrl.api.labels import MODEL_INDEX_LABEL
from workspace_ctrl.cache.watches import HTTP_ROUTE, INFERENCE_SET, WORKSPACE
from workspace_ctrl.kube.bounded_cache import BoundedCache
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.informer import Informer, Source
from workspace_ctrl.kube.store import Store
from workspace_ctrl.model_index.index_routes import GatewaySides, IndexRoute, Side, parse_index_route, sides_by_key
from workspace_ctrl.model_index.listed_models import ListedModel, parse_listed_companion, parse_listed_model
from workspace_ctrl.model_index.listing import Listing, listing
from workspace_ctrl.planning.plan_settings import ModelIndexSettings
from workspace_ctrl.records.unreadable_objects import isolated

_MOST_KEPT: Final = 16
"""Listings that are kept; one of 5,000 models needs 2.4 MiB."""
_REUSED_SECONDS: Final = 1.0
"""While models change, a listing is made at most once in this time."""


@dataclass(frozen=True, slots=True)
class _Kept:
    listing: Listing
    version: int
    at: float
    """Time of the monotonic clock."""


class ModelIndex:
    """The list of models of each Gateway."""

    def __init__(self, client: Client, settings: ModelIndexSettings, *, companion: bool = False) -> None:
        """Make it empty; `companion` is whether the status of Workspaces is KAITO's."""
        self._settings = settings
        self._models: tuple[Store[ListedModel], Store[ListedModel]] = (Store(_no_owner), Store(_no_owner))
        self._routes: Store[IndexRoute] = Store(_no_owner)
        self._version = 0
        self._sides: Mapping[str, GatewaySides] | None = None
        """None if it has to be made again."""
        self._kept: BoundedCache[Side, _Kept] = BoundedCache(_MOST_KEPT)
        read = isolated(parse_listed_companion if companion else parse_listed_model)
        models = [
            Informer(client, Source(resource, read), store, self._changed, self._served)
            for resource, store in zip((WORKSPACE, INFERENCE_SET), self._models, strict=True)
        ]
        routes = Source(
            HTTP_ROUTE, isolated(parse_index_route), f"{MODEL_INDEX_LABEL}={settings.service}", namespace=settings.service_namespace
        )
        self.informers: Sequence[Informer[Any]] = (
            *models,
            Informer(client, routes, self._routes, self._route_changed, self._served),
        )

    def side(self, key: str, host: str) -> Side | None:
        """Return the side of a Gateway that sends `key` with a request for `host`; None if there is no such Gateway."""
        if self._sides is None:
            self._sides = sides_by_key(self._routes.values())
        sides = self._sides.get(key)
        return sides.side(host) if sides is not None else None

    def listing(self, side: Side) -> Listing:
        """Return the models at `side`, at most a second old."""
        kept, now = self._kept.get(side), monotonic()
        if kept is not None and (kept.version == self._version or now < kept.at + _REUSED_SECONDS):
            return kept.listing
        models = (model for store in self._models for model in store.values())
        found = listing(models, side, self._settings.namespaces)
        self._kept.keep(side, _Kept(found, self._version, now))
        return found

    @property
    def unsynced(self) -> tuple[str, ...]:
        """The kinds that were not listed yet, or cannot be, in order."""
        missing = {informer.resource.kind for informer in self.informers if not informer.is_synced or informer.is_missing}
        return tuple(sorted(missing))

    def _changed(self, _model: ListedModel) -> None:
        self._version += 1

    def _route_changed(self, _route: IndexRoute) -> None:
        self._sides = None

    def _served(self) -> None:
        """Do nothing: the records that are gone were reported as changes."""


def _no_owner(_record: object) -> None:
    """Return no owner."""
