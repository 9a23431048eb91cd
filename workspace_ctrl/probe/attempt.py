"""One request that was sent through a Gateway, and what its answer means, or that there was none."""

import errno
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import aiohttp
import orjson

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.model.probe_results import (
    CHAT_COMPLETIONS,
    COMPLETIONS,
    EMBEDDINGS,
    MODELS,
    ProbeOutcome,
    ProbeResult,
    ProbeTarget,
)
from workspace_ctrl.probe.client_certificate import certificate_error
from workspace_ctrl.probe.model_list import read_models

_EXCERPT: Final = 200
"""Characters of a response that are quoted."""
_LONGEST_LOCATION: Final = 200
_LOGIN: Final = frozenset({HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT})
"""Status codes of a Gateway that sends clients to a login page."""
_ACCESS: Final = _LOGIN | {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
"""Status codes of a Gateway that requires authentication or limits the rate: they say nothing about the model."""
_CERTIFICATE_PAGES: Final = (b"No required SSL certificate was sent", b"The SSL certificate error")
"""What nginx says, with the status code 400, instead of a TLS alert about the client's certificate (ngx_http_special_response.c)."""
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_BEFORE_MARKUP: Final = b"\xef\xbb\xbf \t\r\n\f"
"""Bytes that a web page may begin with: a byte order mark, and white space (WHATWG HTML, section 13.1)."""
_COMPLETIONS: Final[Mapping[str, tuple[str, str]]] = {
    CHAT_COMPLETIONS: ("choices", "completion"),
    COMPLETIONS: ("choices", "completion"),
    EMBEDDINGS: ("data", "list of embeddings"),
}
"""Path → the list in the answer of an OpenAI-compatible server, and what the answer is called."""
_SET_CA: Final = "put the CA of the listener's certificate into ca.crt of the Secret of --probe-secret"
_UNTRUSTED: Final = frozenset({18, 19, 20, 21})
"""Codes of OpenSSL for a certificate whose CA is not known (X509_V_ERR_*, x509_vfy.h): self-signed, or without its issuer."""
_NO_TLS: Final = "WRONG_VERSION_NUMBER"
"""OpenSSL's name for an answer that is not TLS."""
_SET_KEYS: Final = "put tls.crt and tls.key into the Secret of --probe-secret"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, as far as it was read."""

    code: int
    body: bytes = b""
    """The beginning of the body; empty if it is compressed."""
    is_packed: bool = False
    """Whether the body is compressed."""
    is_whole: bool = True
    """Whether `body` is complete."""
    location: str = ""
    """Where a redirection leads to."""
    content_type: str = ""

    @property
    def is_page(self) -> bool:
        """Whether this is a web page. Some servers call every text HTML, so the body has to begin with markup where it can be read."""
        return self.content_type in _HTML and (self.is_packed or self.body.lstrip(_BEFORE_MARKUP).startswith(b"<"))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to an address of `target`."""

    target: ProbeTarget
    method: str
    path: str
    """Its path below that of the target."""
    address: str
    seconds: float
    """Timeout of the response."""
    has_certificate: bool
    """Whether the client has a certificate."""
    is_quoted: bool
    """Whether the Gateway's responses are quoted."""

    def __str__(self) -> str:
        """Return the request, for messages."""
        return f"{self.method} {self.target.url}{self.path}"

    def answered(self, answer: Answer) -> ProbeResult:
        """Return what `answer` means."""
        target, code = self.target, answer.code
        text = f"{self} returned {code}"
        if target.get and code in target.codes:
            return ProbeResult(ProbeOutcome.ANSWERED, target.url, code, text)
        if code == HTTPStatus.OK and not target.get:
            return self._ok(answer, text)
        quoted = self._quote(answer)
        if code == HTTPStatus.BAD_REQUEST and target.scheme == "https":
            page = next((words for words in _CERTIFICATE_PAGES if words in answer.body), None)
            if page is not None:
                return replace(self._without_certificate(f"{code}: {page.decode()}"), code=code)
        text = f"{text}{quoted}"
        if code in _LOGIN:
            login = excerpt(answer.location, _LONGEST_LOCATION) if self.is_quoted else "another address"
            text = f"{self} returned {code} to {login}; only authenticated clients get a response: set a token in --probe-secret"
        return ProbeResult(ProbeOutcome.NOT_POSSIBLE if code in _ACCESS else ProbeOutcome.FAILED, target.url, code, text)

    def _ok(self, answer: Answer, text: str) -> ProbeResult:
        target, code = self.target, answer.code
        instead = self._instead(answer)
        if instead:
            ways = (
                f"see which route of Gateway {target.gateway} takes this path, or, if the answer is right, set gateway.probe.path"
            )
            text = f"{text}, but not by a model server: {instead}; {ways}{self._quote(answer)}"
            return ProbeResult(ProbeOutcome.FAILED, target.url, code, text)
        models = read_models(answer.body if answer.is_whole else b"", target.model)
        note = str(models) if answer.is_whole else "its model names are ignored, because it is compressed or too long"
        return ProbeResult(ProbeOutcome.ANSWERED, target.url, code, f"{text}{f'; {note}' if note else ''}", models.names)

    def _instead(self, answer: Answer) -> str:
        """Return what a response with the status code 200 is that no model server sends; empty if it may be of one."""
        if answer.is_page:
            return "it is a web page"
        if self.target.any_server or not answer.is_whole:
            return ""
        if self.path == MODELS:
            return "" if read_models(answer.body).is_list else "it is not a list of models"
        key, name = _COMPLETIONS.get(self.path, ("", ""))
        return f"it is not a {name}" if key and not _has_list(answer.body, key) else ""

    def _quote(self, answer: Answer) -> str:
        read = answer.body[: 8 * _EXCERPT] if self.is_quoted else b""
        quoted = excerpt(read.decode(errors="replace"), _EXCERPT)
        return f": {quoted}" if quoted else ""

    def broken(self, error: Exception) -> ProbeResult:
        """Return what it means that `error` came instead of a response."""
        refused = certificate_error(error)
        if refused is not None:
            return self._without_certificate(f"TLS alert: {refused.alert}")
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
            return self._failed(f"TLS: {_tls_words(error)}")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            place = f"{self.address}:{self.target.port}"
            text = f"{self}: the controller cannot connect to {place} ({_words(error)}{self._hint_of_handshake(error)})"
            return ProbeResult(ProbeOutcome.NOT_POSSIBLE, self.target.url, message=text)
        if isinstance(error, TimeoutError):
            return self._failed(f"no response within {self.seconds:.0f} s")
        words = _words(error) if self.is_quoted else "the connection broke, or the response is not HTTP"
        is_cut_off = _is_cut_off(error)
        return replace(self._failed(f"{words}{self._hint_of_end() if is_cut_off else ''}"), is_cut_off=is_cut_off)

    def _failed(self, words: str) -> ProbeResult:
        return ProbeResult(ProbeOutcome.FAILED, self.target.url, None, f"{self}: {words}")

    def _without_certificate(self, why: str) -> ProbeResult:
        if self.has_certificate:
            text = f"the listener does not accept the client certificate ({why}); renew tls.crt and tls.key in the Secret of --probe-secret"
        else:
            text = f"the listener requires a client certificate ({why}); {_SET_KEYS}"
        return ProbeResult(ProbeOutcome.NOT_POSSIBLE, self.target.url, None, f"{self}: {text}", lacks_certificate=True)

    def _hint_of_handshake(self, error: aiohttp.ClientError) -> str:
        """Return what may be the cause where the connection was closed during the TLS handshake, without an alert; else nothing."""
        if self.target.scheme != "https" or not isinstance(getattr(error, "os_error", None), ConnectionResetError):
            return ""
        causes = "have no certificate for the host name, or require a client certificate or the PROXY protocol"
        return f", in the TLS handshake; the listener may {causes}"

    def _hint_of_end(self) -> str:
        """Return what may be the cause where the connection was closed without a response.

        Where the TLS handshake was completed, the Gateway does not require the PROXY protocol, whose header would have come before.
        """
        if self.target.scheme == "https":
            return f"; the listener may require {'another' if self.has_certificate else 'a'} client certificate: {_SET_KEYS}"
        return "; if the Gateway requires the PROXY protocol, only clients of its load balancer are answered"


def _has_list(body: bytes, key: str) -> bool:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and isinstance(document.get(key), list)


def _is_cut_off(error: BaseException) -> bool:
    """Whether the connection was closed instead of a response."""
    return isinstance(error, aiohttp.ServerDisconnectedError) or getattr(error, "errno", None) == errno.ECONNRESET


def _tls_words(error: BaseException) -> str:
    """Return why there is no TLS connection, in the words of OpenSSL, and what to do; nothing of aiohttp's, as in `_words`."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        hint = f"; {_SET_CA}" if inner.verify_code in _UNTRUSTED else ""
        return f"{excerpt(f'the certificate is not valid: {inner.verify_message}', _EXCERPT)}{hint}"
    reason = getattr(inner, "reason", None)
    if reason == _NO_TLS:
        return "the server does not speak TLS at this port"
    return excerpt(reason.replace("_", " ").lower(), _EXCERPT) if reason else _words(error)


def _words(error: BaseException) -> str:
    """Return the words of the system for `error`, or else its own; never those of aiohttp around it, which have an address in memory."""
    inner = getattr(error, "os_error", None) or error
    words = (inner.strerror if isinstance(inner, OSError) else "") or str(inner)
    return excerpt(words or ("connection reset" if isinstance(inner, ConnectionResetError) else type(inner).__name__), _EXCERPT)
