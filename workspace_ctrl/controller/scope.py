"""Which part of a cluster one process looks after: all of it, some namespaces, or the Workspaces that a label selector selects."""

import hashlib
import logging
import re
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.controller.kinds import GATEWAY_SIDE, WATCHED, WatchedKind
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError, KindNotServedError

logger = logging.getLogger(__name__)

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_KEY = rf"({_NAME}/)?{_NAME}"
_VALUE = rf"({_NAME})?"
_REQUIREMENT: Final = re.compile(
    rf"!?\s*{_KEY}|{_KEY}\s*(=|==|!=)\s*{_VALUE}|{_KEY}\s+(in|notin)\s*\(\s*{_VALUE}(\s*,\s*{_VALUE})*\s*\)"
)
_COMMA_OUTSIDE_PARENTHESES: Final = re.compile(r",(?![^(]*\))")


class SelectorError(ValueError):
    """A label selector cannot be read; the message shows how one is written."""


def parse_selector(text: str) -> str:
    """Return a label selector in one way of writing, whatever the order of its parts, so that equal ones are equal text.

    Raises:
        SelectorError: it is none.
    """
    parts = [part.strip() for part in _COMMA_OUTSIDE_PARENTHESES.split(text)]
    for part in parts:
        if not _REQUIREMENT.fullmatch(part):
            raise SelectorError(f"{part!r} is not a valid label selector; use for example team=blue or 'shard in (a,b),!paused'")
    return ",".join(sorted({_in_one_way(part) for part in parts}))


def _in_one_way(part: str) -> str:
    if "(" in part:
        words, _, values = part.rstrip(" )").partition("(")
        return f"{' '.join(words.split())} ({','.join(sorted({value.strip() for value in values.split(',')}))})"
    return re.sub(r"\s+", "", part).replace("==", "=")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one process looks after."""

    namespaces: tuple[str, ...] = ()
    """Sorted; empty for all."""
    selector: str = ""
    """Label selector of Workspaces, as `parse_selector` returns it; empty for all."""

    def lease_name(self, base: str) -> str:
        """Return the name of the Lease of this scope: the same for replicas of one, another for every other scope."""
        if self == Scope():
            return base
        words = "\n".join(("namespaces", *self.namespaces, "selector", self.selector))
        return f"{base}-{hashlib.sha256(words.encode()).hexdigest()[:10]}"

    def watched_in(self, watched: WatchedKind, *, shut: frozenset[str]) -> tuple[str, ...]:
        """Return the namespaces in which a kind is watched; empty for the whole cluster.

        Gateways, and their proxies beside them, often live in namespaces of their own, so they are watched everywhere, unless their
        store is among those `shut`.
        """
        if not watched.resource.namespaced or (watched.concerns_all and watched.store not in shut):
            return ()
        return self.namespaces


async def find_unwatched(client: Client, scope: Scope) -> frozenset[str]:
    """Return the stores of the gateway side that cannot be filled: for a process with the gate off, which asks for them once.

    What can be had is watched, because the gate may have been on, and then there is something to remove.

    Raises:
        ApiError: the API server did not answer.
    """
    unwatched = set()
    for watched in WATCHED:
        if watched.store in GATEWAY_SIDE:
            namespace = scope.namespaces[0] if scope.namespaces and watched.resource.namespaced else ""
            try:
                await client.list_page(watched.resource, {"limit": "1"}, namespace, metadata_only=True)
            except (KindNotServedError, ForbiddenError):
                unwatched.add(watched.store)
    return frozenset(unwatched)


async def find_shut(client: Client, scope: Scope) -> frozenset[str]:
    """Return the stores of Gateways and their proxies that may not be filled from the whole cluster, only from the scope's namespaces.

    Raises:
        ApiError: the API server did not answer.
    """
    if not scope.namespaces:
        return frozenset()
    shut = set()
    for watched in WATCHED:
        if watched.concerns_all and watched.resource.namespaced:
            try:
                await client.list_page(watched.resource, {"limit": "1", "labelSelector": watched.selector})
            except KindNotServedError:
                continue
            except ForbiddenError:
                shut.add(watched.store)
                logger.info("cannot list %s in all namespaces; watching only %s", watched.store, ", ".join(scope.namespaces))
    return frozenset(shut)
