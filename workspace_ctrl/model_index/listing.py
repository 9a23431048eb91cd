"""Which models are listed at one side of a Gateway: a pure function of the records, in the shape of OpenAI's list of models."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from workspace_ctrl.model_index.index_routes import Side
from workspace_ctrl.model_index.listed_models import Endpoint, GroupEndpoint, ListedModel
from workspace_ctrl.planning.plan_settings import ALL, SAME

Entry = Mapping[str, Any]
"""A model as OpenAI's API has it, with fields of ours that begin with `x-`."""
_GROUP: Final = "Group"


@dataclass(frozen=True, slots=True)
class Listing:
    """The models at one side of a Gateway."""

    entries: tuple[Entry, ...] = ()
    """Sorted by namespace and name; several may have the same id, with other paths."""
    by_id: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    body: bytes = b""
    """The whole list as JSON."""

    def of_namespace(self, namespace: str) -> tuple[Entry, ...]:
        """Return the models of one namespace."""
        return tuple(entry for entry in self.entries if entry["owned_by"] == namespace)


def listing(models: Iterable[ListedModel], side: Side, namespaces: str | Sequence[str]) -> Listing:
    """Return the models that are reached at `side`, ready or not, as far as `namespaces` allows (`ModelIndexSettings`)."""
    allowed = _allowed(side.gateway, namespaces)
    there = [model for model in models if model.is_routed and side.gateway in model.gateways and allowed(_namespace(model))]
    there.sort(key=lambda model: (_namespace(model), model.meta.ref.name))
    entries = (*_entries(there, side), *_group_entries(there, side))
    by_id: dict[str, list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry["id"], []).append(entry)
    return Listing(entries, by_id, list_body(entries))


def list_body(entries: Iterable[Entry]) -> bytes:
    """Return a list of models as OpenAI's API has it."""
    return orjson.dumps({"object": "list", "data": list(entries)})


def _allowed(gateway: str, namespaces: str | Sequence[str]) -> Callable[[str], bool]:
    if namespaces == ALL:
        return lambda _namespace: True
    listed = {gateway.partition("/")[0]} if namespaces == SAME else frozenset(namespaces)
    return lambda namespace: namespace in listed


def _namespace(model: ListedModel) -> str:
    return model.meta.ref.namespace


def _entries(models: Iterable[ListedModel], side: Side) -> Iterator[Entry]:
    for model in models:
        path = _path(model, side)
        for name in model.names if path is not None else ():
            base = {"x-adapter-of": model.names[0]} if name in model.adapters else {}
            about = {"x-ready": model.is_ready, "x-reason": model.reason, "x-path": path, "x-kind": model.meta.ref.kind}
            yield _entry(name, model) | about | {"x-name": model.meta.ref.name} | base


def _group_entries(models: Iterable[ListedModel], side: Side) -> Iterator[Entry]:
    groups: dict[tuple[str, str], list[tuple[ListedModel, GroupEndpoint]]] = {}
    for model in models:
        if model.group is not None:
            groups.setdefault((_namespace(model), model.group.name), []).append((model, model.group))
    for (_, group), members in groups.items():
        endpoint = next((found.endpoint for _, found in members if found.endpoint is not None), None)
        if endpoint is None or not _is_at(endpoint, side):
            continue
        is_ready = any(found.is_ready for _, found in members)
        oldest = min((model for model, _ in members), key=lambda model: model.created)
        for name in _common_names([model for model, _ in members]) or (group,):
            about = {"x-ready": is_ready, "x-path": endpoint.path, "x-kind": _GROUP, "x-name": group}
            yield _entry(name, oldest) | about


def _entry(name: str, model: ListedModel) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": model.created, "owned_by": _namespace(model)}


def _common_names(models: Sequence[ListedModel]) -> tuple[str, ...]:
    """Return the names that all of them have; members whose names are not known do not count."""
    known = [model.names for model in models if model.names]
    return tuple(name for name in known[0] if all(name in names for names in known)) if known else ()


def _path(model: ListedModel, side: Side) -> str | None:
    """Return the path of a model at a side of one of its Gateways; None if it is not reached there.

    A model without a URL has host names that are wildcards, or a Gateway without an address.
    """
    if not model.endpoints and (side.is_wildcard or not side.host):
        return model.internal_path
    return next((endpoint.path for endpoint in model.endpoints if _is_at(endpoint, side)), None)


def _is_at(endpoint: Endpoint, side: Side) -> bool:
    return endpoint.host == side.host if side.host else endpoint.host in side.addresses
