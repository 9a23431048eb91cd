"""A client that speaks as OpenAI's Python client does: the requests that it sends, and what it makes of answers.

The package itself is no dependency of the tests. It reads `data` of a list, and turns a 404 into NotFoundError with the fields of `error`.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp

_FIELDS = {"id": str, "object": str, "created": int, "owned_by": str}
"""What the client requires of a model."""


class NotFoundError(Exception):
    """The API answered 404."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        """Take over the fields of `error`."""
        self.message: str = error["message"]
        self.type: str = error["type"]
        self.param: str | None = error["param"]
        self.code: str | None = error["code"]
        super().__init__(f"Error code: 404 - {self.message}")


class OpenAIClient:
    """A client with a base URL, which ends with /v1."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, headers: Mapping[str, str] | None = None) -> None:
        """Make it; `headers` are sent with each request."""
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._headers = {"Accept": "application/json", "Authorization": "Bearer unused", **(headers or {})}

    async def list_models(self) -> list[dict[str, Any]]:
        """Return what `client.models.list()` has."""
        return models_in(await self._ask("GET", "/models"))

    async def retrieve_model(self, model: str) -> dict[str, Any]:
        """Return what `client.models.retrieve(model)` returns."""
        return _model(await self._ask("GET", f"/models/{quote(model, safe='')}"))

    async def chat(self, model: str, content: str = "hello") -> dict[str, Any]:
        """Return what `client.chat.completions.create(...)` returns."""
        body = {"messages": [{"role": "user", "content": content}], "model": model}
        return await self._ask("POST", "/chat/completions", json=body)

    async def _ask(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        async with self._session.request(method, f"{self._base_url}{path}", headers=self._headers, **given) as response:
            return answer_of(response.status, await response.text())


def answer_of(status: int, text: str) -> dict[str, Any]:
    """Return what an answer has.

    Raises:
        NotFoundError: its status is 404.
        ValueError: its status is another error, or it is not JSON.
    """
    if status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
        raise ValueError(f"{status}: {text}")
    answer: dict[str, Any] = json.loads(text)
    if status == HTTPStatus.NOT_FOUND:
        raise NotFoundError(answer["error"])
    return answer


def models_in(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the models of a list.

    Raises:
        ValueError: it is none, or an entry is no model.
    """
    if page["object"] != "list":
        raise ValueError(f"not a list: {page['object']}")
    return [_model(entry) for entry in page["data"]]


def _model(entry: dict[str, Any]) -> dict[str, Any]:
    wrong = {name for name, type_ in _FIELDS.items() if not isinstance(entry.get(name), type_)}
    if wrong:
        raise ValueError(f"{entry} has no valid {', '.join(sorted(wrong))}")
    return entry
