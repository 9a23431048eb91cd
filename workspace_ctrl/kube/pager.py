"""Lists all objects in pages, so that no response is large."""

from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import GoneError, TooLargeError
from workspace_ctrl.kube.resources import ApiResource, Json

PAGE: Final = 500
"""Objects per page, as in client-go's pager and kubectl."""
SMALLER_PAGE: Final = 5
"""Divisor of the page size when a page is too large."""


async def list_all(
    client: Client, resource: ApiResource, parameters: Mapping[str, str], namespace: str = "", *, metadata_only: bool = False
) -> list[Json]:
    """Return all objects of a kind that `parameters` select; with `metadata_only`, only their metadata.

    If the resource version of the pages expires, the list is read again in one response, which cannot expire.

    Raises:
        ApiError: the list request failed.
    """
    items: list[Json] = []
    asked = {**parameters, "limit": str(PAGE)}
    try:
        while True:
            page = await _page(client, resource, asked, namespace, metadata_only=metadata_only)
            items += page.get("items") or ()
            token = page["metadata"].get("continue")
            if not token:
                return items
            asked["continue"] = token
    except GoneError:
        page = await client.list_page(resource, parameters, namespace, metadata_only=metadata_only)
        return list(page.get("items") or ())


async def _page(
    client: Client, resource: ApiResource, asked: dict[str, str], namespace: str, *, metadata_only: bool
) -> dict[str, Any]:
    """Return the next page; if it is too large, a smaller one, and keep the smaller limit in `asked` for the pages after it."""
    while True:
        try:
            return await client.list_page(resource, asked, namespace, metadata_only=metadata_only)
        except TooLargeError:
            asked["limit"] = str(max(int(asked["limit"]) // SMALLER_PAGE, 1))
