"""HTTPRoutes that belong to no Workspace: those of the list of models, and those of others, which must not lose a request to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from sys import intern

from workspace_ctrl.api.labels import MODEL_INDEX_LABEL
from workspace_ctrl.records.gateways import attached_to, parse_match
from workspace_ctrl.records.listeners import ParentReference
from workspace_ctrl.records.meta import Json, Meta, bounded, parse_meta, spec_of

_ROOT = "/"


@dataclass(frozen=True, slots=True)
class OtherRoute:
    """What is needed of such a route; of almost all that is only that they leave the rest of the requests to others."""

    meta: Meta
    index: str = ""
    """Name of the Service of a list of models, as its label has it; anybody can set it."""
    takes_the_rest: bool = False
    """Whether it has a match that no other is less specific than, or a regular expression, which may match any path."""
    hostnames: tuple[str, ...] = ()
    attached_to: tuple[ParentReference, ...] = ()
    """Its parentRefs."""


def parse_other_route(raw: Json, kind: str) -> OtherRoute:
    """Return the record of an HTTPRoute."""
    meta, spec = parse_meta(raw, kind), spec_of(raw)
    index = intern(bounded(((raw.get("metadata") or {}).get("labels") or {}).get(MODEL_INDEX_LABEL, "")))
    if not any(map(_takes_the_rest, _matches(spec))):
        return OtherRoute(meta, index)
    hostnames = tuple(map(intern, spec.get("hostnames") or ()))
    return OtherRoute(meta, index, takes_the_rest=True, hostnames=hostnames, attached_to=attached_to(spec, meta.ref.namespace))


def _matches(spec: Json) -> Iterator[Json]:
    rules: Iterable[Json] = spec.get("rules") or ({},)
    for rule in rules:
        yield from rule.get("matches") or ({},)


def _takes_the_rest(raw: Json) -> bool:
    match = parse_match(raw)
    return bool(match.pattern) or (match.path == _ROOT and not (match.headers or match.method or match.has_query))
