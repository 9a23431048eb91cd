"""Finds the objects that a user names."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import click

from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.cli.arguments.object_names import KINDS, ObjectName, ShownKind
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import ForbiddenError, KindNotServedError
from workspace_ctrl.kube.pager import list_all
from workspace_ctrl.kube.resources import ApiResource, Json

AnswerT = TypeVar("AnswerT")
_NEAR: Final = 0.6
"""How alike a name has to be that may have been meant."""


async def find_named(client: Client, wanted: ObjectName, namespace: str) -> Json:
    """Return the object of a name; `namespace` is that of names without one, empty for all.

    Raises:
        click.ClickException: there is none, with the nearest name; exit code 1.
        ApiError: the API server cannot be reached, or rejects the request.
    """
    place = wanted.namespace or namespace
    item = await find_of_any_kind(client, wanted, place)
    if item is not None:
        return item
    resource = wanted.kind.resource
    others = await list_all(client, resource, {}, place, metadata_only=True)
    near = suggestion(wanted.name, [str(other["metadata"]["name"]) for other in others], "", _NEAR)
    title = "/".join(filter(None, (place, wanted.name)))
    raise click.ClickException(f"there is no {resource.kind} {title}{f'; {near}' if near else ''}")


async def find_of_any_kind(client: Client, wanted: ObjectName, place: str) -> Json | None:
    """Return the object of a name in the namespace `place`, of the first kind that has one; None if there is none.

    Raises:
        ApiError: the API server cannot be reached, or rejects the request; kinds after the first may be missing or forbidden.
    """
    async for kind, item in _of_each_kind(wanted, lambda resource: client.find(resource, place, wanted.name)):
        if item is not None:
            return {**item, "kind": kind.resource.kind}
    return None


async def list_kinds(client: Client, wanted: ObjectName, place: str, selector: str = "") -> list[Json]:
    """Return all objects of the kinds that may be meant, each with its kind; kinds after the first may be missing or forbidden.

    Raises:
        ApiError: the API server cannot be reached, or rejects the request.
    """
    parameters = {"labelSelector": selector} if selector else {}
    found = _of_each_kind(wanted, lambda resource: list_all(client, resource, parameters, place))
    return [{**item, "kind": kind.resource.kind} async for kind, items in found for item in items]


async def _of_each_kind(
    wanted: ObjectName, ask: Callable[[ApiResource], Awaitable[AnswerT]]
) -> AsyncIterator[tuple[ShownKind, AnswerT]]:
    """Yield the answer for each kind that may be meant; kinds after the first may be missing or forbidden."""
    for number, kind in enumerate(wanted.kinds):
        try:
            answer = await ask(kind.resource)
        except (KindNotServedError, ForbiddenError):
            if number == 0:
                raise
            continue
        yield kind, answer


def kind_of(item: Json) -> ShownKind:
    """Return the kind of an object that was found."""
    return next((kind for kind in KINDS if kind.resource.kind == item.get("kind")), KINDS[0])
