"""Reads the figures of one model from its repository at the model hub: two or three small public files, without a token."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

import aiohttp
from yarl import URL

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.catalog.hub_model import HubModel, hub_model, read_total_size
from workspace_ctrl.catalog.model_config import ModelConfig, ModelFileError, read_config
from workspace_ctrl.catalog.presets import SIZE_REMEDY, remedy_for
from workspace_ctrl.connections.bounded_connections import BoundedConnector, beginning
from workspace_ctrl.connections.special_addresses import AddressNotAllowedError, address_of, special_kind
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.proxy import environment_proxy
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.settings.process import HubSettings

_CONFIG: Final = "config.json"
_INDEX: Final = "model.safetensors.index.json"
_WEIGHTS: Final = "model.safetensors"
_LARGEST_CONFIG: Final = 256 << 10
"""Bytes; some quantized models list hundreds of layers in it. The costliest such text takes some 25 ms to parse."""
_INDEX_PART: Final = 64 << 10
"""Bytes of the index that are read: its metadata come first, and the rest can be megabytes."""
_MOST_REDIRECTS: Final = 2
"""On the same host: from the old name of a repository to its new one, and from there to a file in the hub's cache."""
_SECONDS: Final = 10.0
"""Timeout of a file."""
_CONNECT_SECONDS: Final = 4.0
_EXCERPT: Final = 200
_MOST_DIGITS: Final = 18
_AT_ONCE: Final = 8
_LINKED_SIZE: Final = "X-Linked-Size"
"""Hugging Face's header with the size of a file that it keeps on another host."""
_AS_IT_IS: Final = "identity"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FOUND: Final = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
_NOT_PUBLIC: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_RETRYING: Final = f"retrying; or {SIZE_REMEDY}"


class _FailedError(Exception):
    """A look-up that ended without figures."""

    def __init__(self, reason: str, message: str, *, terminal: bool = True) -> None:
        super().__init__(message)
        self.answer = HubAnswer(reason=reason, message=message, terminal=terminal)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]
    is_elsewhere: bool = False
    """Whether it redirects to another host, or too often."""


class HubClient:
    """Reads files of models; each over a new connection, whose address is checked after name resolution.

    It goes through the proxy that the environment names for the hub, as requests to the API server do; then that is the address.
    """

    def __init__(self, settings: HubSettings, api_server: str = "") -> None:
        """Make it; `api_server` is the URL of the API server, which is never connected to."""
        self._hub = URL(settings.url)
        self._networks = settings.networks
        self._api_server = address_of(api_server) if api_server else ("", 0)
        self._session: aiohttp.ClientSession | None = None

    async def look_up(self, model: str) -> HubAnswer:
        """Return the figures of the model with the Hugging Face id `model`, or why there are none."""
        try:
            return HubAnswer(await self._figures(model))
        except _FailedError as failed:
            return failed.answer

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _figures(self, model: str) -> HubModel:
        """Return the figures.

        Raises:
            _FailedError: there are none.
        """
        config = await self._config(model)
        reply = await self._get(model, _INDEX, _INDEX_PART)
        try:
            if reply.status in _FOUND:
                return hub_model(model, config, read_total_size(reply.body), "index")
        except ModelFileError as error:
            raise self._unreadable(model, _INDEX, str(error)) from None
        if reply.is_elsewhere:
            raise self._unreadable(model, _INDEX, "is on another host, to which the controller does not connect")
        if reply.status != HTTPStatus.NOT_FOUND:
            raise self._refused(model, reply.status)
        return await self._of_one_file(model, config)

    async def _config(self, model: str) -> ModelConfig:
        reply = await self._get(model, _CONFIG, _LARGEST_CONFIG + 1)
        if reply.is_elsewhere:
            raise self._unreadable(model, _CONFIG, "is on another host, to which the controller does not connect")
        if reply.status not in _FOUND:
            raise self._refused(model, reply.status)
        if len(reply.body) > _LARGEST_CONFIG:
            raise self._unreadable(model, _CONFIG, f"has more than {_LARGEST_CONFIG >> 10} KiB")
        try:
            return read_config(reply.body)
        except ModelFileError as error:
            raise self._unreadable(model, _CONFIG, str(error)) from None

    async def _of_one_file(self, model: str, config: ModelConfig) -> HubModel:
        """Return the figures of a model without an index: its weights are one file, whose size is in the headers."""
        reply = await self._request("HEAD", model, _WEIGHTS, 0)
        if reply.status == HTTPStatus.NOT_FOUND:
            raise self._unreadable(model, _WEIGHTS, "does not exist, and neither does an index of several such files")
        size = reply.headers.get(_LINKED_SIZE) or ("" if reply.is_elsewhere else reply.headers.get("Content-Length", ""))
        if not reply.is_elsewhere and reply.status != HTTPStatus.OK:
            raise self._refused(model, reply.status)
        try:
            return hub_model(model, config, _number(size), _WEIGHTS)
        except ModelFileError as error:
            raise self._unreadable(model, _WEIGHTS, str(error)) from None

    def _unreadable(self, model: str, file: str, words: str) -> _FailedError:
        return _FailedError("ModelNotReadable", f"{file} of {model} at {self._hub} {words}; {SIZE_REMEDY}")

    def _refused(self, model: str, status: int) -> _FailedError:
        if status in _NOT_PUBLIC:
            remedy = f"{SIZE_REMEDY}, and presetOptions.modelAccessSecret for its download"
            text = f"{model} is gated or private at {self._hub}, or does not exist (status {status})"
            return _FailedError("ModelNotPublic", f"{text}; {remedy_for(model, remedy)}")
        if status == HTTPStatus.NOT_FOUND:
            return _FailedError("ModelNotFound", f"{self._hub} has no {_CONFIG} of {model}; {remedy_for(model, SIZE_REMEDY)}")
        text = f"{self._hub} answers with status {status} for {model}; {_RETRYING}"
        return _FailedError("ModelHubUnavailable", text, terminal=False)

    async def _get(self, model: str, file: str, most: int) -> _Reply:
        return await self._request("GET", model, file, most)

    async def _request(self, method: Literal["GET", "HEAD"], model: str, file: str, most: int) -> _Reply:
        """Send a request, and follow redirects on the same host.

        Raises:
            _FailedError: there is no answer, or one that cannot be read.
        """
        url = self._hub.joinpath(*model.split("/"), "resolve", "main", file)
        try:
            async with asyncio.timeout(_SECONDS):
                for _ in range(_MOST_REDIRECTS + 1):
                    reply = await self._send(method, url, most)
                    if reply.status not in _REDIRECTS:
                        return reply
                    target = url.join(URL(reply.headers.get("Location", "")))
                    if target.origin() != self._hub.origin() or target.user is not None:
                        break
                    url = target
        except TimeoutError:
            raise self._no_answer(f"no answer within {_SECONDS:.0f} s") from None
        except (aiohttp.ClientError, ConnectionConfigError, OSError, ValueError) as error:
            raise self._no_answer(_words(error)) from None
        return _Reply(reply.status, b"", reply.headers, is_elsewhere=True)

    def _no_answer(self, words: str) -> _FailedError:
        return _FailedError("ModelHubUnavailable", f"{self._hub} does not answer: {words}; {_RETRYING}", terminal=False)

    async def _send(self, method: str, url: URL, most: int) -> _Reply:
        headers = {"Range": f"bytes=0-{most - 1}"} if most else {}  # a server that ignores this is cut off there
        async with self._connected().request(method, url, headers=headers, allow_redirects=False) as response:
            if response.headers.get("Content-Encoding", _AS_IT_IS).lower() != _AS_IT_IS:
                raise ValueError("the response is compressed, although that was not asked for")
            body = await beginning(response.content, most) if most else b""
            return _Reply(response.status, body, response.headers)

    def _connected(self) -> aiohttp.ClientSession:
        """Return the session of all requests.

        Raises:
            ConnectionConfigError: the environment names a proxy that cannot be used.
        """
        if self._session is None:
            proxy = environment_proxy(str(self._hub)) or None
            self._session = aiohttp.ClientSession(
                connector=BoundedConnector(self._check),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": _AS_IT_IS},
                proxy=proxy,
                timeout=aiohttp.ClientTimeout(total=_SECONDS, connect=_CONNECT_SECONDS),
            )
        return self._session

    def _check(self, address: str, port: int) -> None:
        """Check the address of a connection.

        Raises:
            AddressNotAllowedError: it is special, or that of the API server.
        """
        kind = special_kind(address, self._networks)
        if kind:
            raise AddressNotAllowedError(f"it has a {kind} address, which modelHub.networks in the settings does not allow")
        if (address, port) == self._api_server:
            raise AddressNotAllowedError("it has the address of the API server")


async def look_up_all(settings: HubSettings, models: Iterable[str]) -> dict[str, HubAnswer]:
    """Return the hub's answer for each of `models`, a few at a time."""
    client, slots = HubClient(settings), asyncio.Semaphore(_AT_ONCE)

    async def look_up(model: str) -> tuple[str, HubAnswer]:
        async with slots:
            return model, await client.look_up(model)

    try:
        return dict(await asyncio.gather(*map(look_up, dict.fromkeys(models))))
    finally:
        await client.close()


def _number(text: str) -> int:
    """Return the number in a header; 0 if there is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def _words(error: BaseException) -> str:
    inner = getattr(error, "os_error", None)
    return excerpt(str((inner.strerror if inner is not None else "") or error or type(error).__name__), _EXCERPT)
