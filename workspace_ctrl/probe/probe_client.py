"""One request for a model through a Gateway, as a client would send it, and the meaning of its response."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from yarl import URL

from workspace_ctrl.connections.bounded_connections import BoundedConnector, beginning
from workspace_ctrl.connections.url_paths import PathError, check_path, url_at
from workspace_ctrl.kube.errors import ApiError
from workspace_ctrl.model.probe_results import (
    CHAT_COMPLETIONS,
    COMPLETIONS,
    EMBEDDINGS,
    HEALTH,
    MODELS,
    ProbeOutcome,
    ProbeResult,
    ProbeTarget,
)
from workspace_ctrl.model.route_claims import MODEL_HEADER
from workspace_ctrl.probe.attempt import Answer, Attempt
from workspace_ctrl.probe.credentials import Credentials, ReadCredentials, no_credentials
from workspace_ctrl.probe.timeouts import ANSWER_SECONDS, BUSY_SECONDS, CONNECT_SECONDS
from workspace_ctrl.probe.trusted_targets import ProbeTrust
from workspace_ctrl.settings.process import ProbeMode

logger = logging.getLogger(__name__)

_LONGEST_ANSWER: Final = 256 << 10
"""Largest response that is read, in bytes: a list of about 500 models."""
_AS_IT_IS: Final = "identity"
_UNKNOWN_MODEL: Final = "workspace-ctrl-no-such-model"
_NO_TRUST: Final = ProbeTrust()
_WITHHELD: Final = (
    "token and client certificate were not sent: they are sent by HTTPS only, and only to Gateways in probe.tokenGateways of the "
    "settings"
)
_MAY_HAVE_NO_LIST: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND})
"""Status codes of failures that a server without a list of models may have; 200 is that of a web page."""


class ProbeClient:
    """Sends the requests, each over a new connection: a reused one would not show that new ones are refused."""

    def __init__(self, mode: ProbeMode, read_credentials: ReadCredentials = no_credentials, trust: ProbeTrust = _NO_TRUST) -> None:
        self._mode = mode
        self._read_credentials = read_credentials
        self._trust = trust
        self._credentials: Credentials | None = None
        self._contexts: dict[Credentials, ssl.SSLContext] = {}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, target: ProbeTarget, *, in_doubt: bool = False) -> ProbeResult:
        """Probe `target` at each of its addresses until one responds.

        `in_doubt` is whether the previous probe got no response: a completion then has a longer timeout, in case the server is only busy.
        """
        try:
            check_path(f"{target.path}{target.get}")
        except PathError as error:
            return ProbeResult(
                ProbeOutcome.NOT_POSSIBLE, target.url, message=f"no request is sent to {target.url}{target.get}: {error}"
            )
        credentials = await self._authority()
        if isinstance(credentials, str):
            return ProbeResult(ProbeOutcome.NOT_POSSIBLE, target.url, message=credentials)
        result = ProbeResult(ProbeOutcome.NOT_POSSIBLE, target.url, message=f"Gateway {target.gateway} has no address")
        withheld = credentials.identifies and not self._trust.sends_credentials(target)
        credentials = credentials.anonymous() if withheld else credentials
        for address in target.addresses:
            earlier, result = result, await self._ask(target, address, credentials, in_doubt=in_doubt)
            if earlier.outcome is ProbeOutcome.FAILED and not result.is_response:
                result = earlier
            if target.try_body and result.outcome is ProbeOutcome.ANSWERED:
                result = replace(result, by_body=await self._is_led_by_body(target, address, credentials))
            if result.is_response or not (result.outcome is ProbeOutcome.NOT_POSSIBLE or result.is_cut_off):
                break
        if result.lacks_certificate or result.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            self._credentials = None  # the credentials may have been renewed
            return replace(result, message=f"{result.message}; {_WITHHELD}") if withheld else result
        return result

    async def _is_led_by_body(self, target: ProbeTarget, address: str, credentials: Credentials) -> bool | None:
        """Return whether the Gateway routes by the model name in the body; None if it also routes unknown names.

        The bodies lack required fields, so that the model server rejects them without inference.
        """
        codes = []
        for model in (target.model, _UNKNOWN_MODEL):
            request = _Request("POST", CHAT_COMPLETIONS, {"model": model}, named=False)
            try:
                codes.append((await self._send(request, url_at(_origin(target, address), request.path), target, credentials)).code)
            except (aiohttp.ClientError, OSError, ValueError):
                return None
            if codes[0] == HTTPStatus.NOT_FOUND:
                return False
        return True if codes[1] == HTTPStatus.NOT_FOUND else None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _authority(self) -> Credentials | str:
        """Return the credentials, or why they cannot be read."""
        if self._credentials is None:
            try:
                self._credentials = await self._read_credentials()
            except ApiError as error:
                return f"cannot read the Secret for probes: {error}"
        return self._credentials

    async def _ask(self, target: ProbeTarget, address: str, credentials: Credentials, *, in_doubt: bool) -> ProbeResult:
        completion = _completion(target, tokens=1)
        if target.get:
            request = _Request("GET", target.get)
        elif target.completion or self._mode is ProbeMode.COMPLETION:
            request = completion
        else:
            request = _Request("GET", MODELS)
        if in_doubt:
            # A server rejects this at once however busy it is, and one that hangs does not.
            refused = await self._result(_completion(target, tokens=0), target, address, credentials)
            if refused.code is None:
                return refused
            request = replace(request, seconds=BUSY_SECONDS[self._mode])
        result = await self._result(request, target, address, credentials)
        is_failure = result.outcome is ProbeOutcome.FAILED and result.code in _MAY_HAVE_NO_LIST
        if is_failure and request.method == "GET" and target.any_server and not target.get:
            return await self._without_list(result, target, address, credentials)
        return result

    async def _without_list(self, failure: ProbeResult, target: ProbeTarget, address: str, credentials: Credentials) -> ProbeResult:
        """Return the result of a server that may have no list of models: it answers if it does so for its health."""
        result = await self._result(_Request("GET", HEALTH), target, address, credentials)
        if result.outcome is ProbeOutcome.ANSWERED:
            which = "not found" if failure.code == HTTPStatus.NOT_FOUND else "a web page"
            return replace(result, message=f"{result.message} ({MODELS} is {which})", models=())
        if failure.code != HTTPStatus.NOT_FOUND:
            return failure
        return replace(failure, message=f"{failure.message}; if the server has no list of models, set gateway.probe.path")

    async def _result(self, request: "_Request", target: ProbeTarget, address: str, credentials: Credentials) -> ProbeResult:
        """Send a request and return its result; no response is a result, too."""
        attempt = Attempt(
            target,
            request.method,
            request.path,
            address,
            request.seconds,
            has_certificate=bool(credentials.certificate),
            is_quoted=self._trust.quotes(target),
        )
        began = asyncio.get_running_loop().time()
        try:
            url = url_at(_origin(target, address), f"{target.path}{request.path}")
            result = attempt.answered(await self._send(request, url, target, credentials))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return attempt.broken(error)
        return replace(result, is_slow=asyncio.get_running_loop().time() - began > ANSWER_SECONDS)

    async def _send(self, request: "_Request", url: URL, target: ProbeTarget, credentials: Credentials) -> Answer:
        """Return the response, not decompressed: a few bytes can expand to gigabytes."""
        is_tls = target.scheme == "https"
        async with self._connected().request(
            request.method,
            url,
            json=request.body,
            headers=_headers(target, credentials, named=request.named),
            ssl=self._context(credentials) if is_tls else True,
            server_hostname=(target.hostname or None) if is_tls else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=request.seconds, connect=CONNECT_SECONDS),
        ) as response:
            packed = response.headers.get("Content-Encoding", _AS_IT_IS).lower() != _AS_IT_IS
            body = b"" if packed else await beginning(response.content, _LONGEST_ANSWER + 1)
            return Answer(
                response.status,
                body[:_LONGEST_ANSWER],
                is_packed=packed,
                is_whole=not packed and len(body) <= _LONGEST_ANSWER,
                location=response.headers.get("Location", ""),
                content_type=response.content_type,
            )

    def _context(self, credentials: Credentials) -> ssl.SSLContext:
        """Return the TLS context; creating one takes milliseconds, so those of the newest credentials, anonymous and not, are kept."""
        found = self._contexts.get(credentials)
        if found is None:
            newest = {credentials.anonymous(), self._credentials}
            self._contexts = {key: context for key, context in self._contexts.items() if key in newest}
            found = self._contexts[credentials] = credentials.context()
        return found

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No cookies: those of one Gateway would be sent to another one.
            self._session = aiohttp.ClientSession(
                connector=BoundedConnector(self._trust.check),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": _AS_IT_IS},
            )
        return self._session


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    """Its path below that of the target."""
    body: Mapping[str, Any] | None = None
    named: bool = True
    """Whether the request has the header with the model name."""
    seconds: float = ANSWER_SECONDS
    """Timeout of the response, in seconds."""


def _origin(target: ProbeTarget, address: str) -> str:
    return f"{target.scheme}://{f'[{address}]' if ':' in address else address}:{target.port}"


def _completion(target: ProbeTarget, tokens: int) -> "_Request":
    """Return a request for so many tokens; one for an embedding has none, and is invalid instead if `tokens` is 0."""
    path = target.completion or CHAT_COMPLETIONS
    prompt: Mapping[str, Any] = {"messages": [{"role": "user", "content": "Say yes."}], "max_tokens": tokens}
    if path == COMPLETIONS:
        prompt = {"prompt": "Say yes.", "max_tokens": tokens}
    elif path == EMBEDDINGS:
        prompt = {"input": "yes"} if tokens else {}
    return _Request("POST", path, {"model": target.model, **prompt})


def _headers(target: ProbeTarget, credentials: Credentials, *, named: bool) -> dict[str, str]:
    usual = {"http": 80, "https": 443}[target.scheme]
    host = target.hostname if target.port == usual else f"{target.hostname}:{target.port}"
    return {
        **({"Host": host} if target.hostname else {}),
        **({MODEL_HEADER: target.model} if target.model and named else {}),
        **({"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}),
    }
