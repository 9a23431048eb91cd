"""Errors of requests, with a type for each way to handle them."""

import os
import re
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson


class ApiError(Exception):
    """The API server returned an error, or did not respond."""

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.message = message
        """Message of the API server."""
        self.status = status
        """HTTP status; 0 if there was no response."""
        self.retry_after = retry_after
        """The API server's Retry-After, in seconds; 0 if there is none."""


class RetryableError(ApiError):
    """The same request may succeed soon: no connection, too many requests, a server error, RBAC not synced yet."""


class RejectedError(ApiError):
    """The request is invalid or not allowed; repeating it at once does not help."""


class ForbiddenError(RejectedError):
    """RBAC, a quota or an admission policy forbids the request."""


class ConflictError(RejectedError):
    """Another manager owns fields of the object, or the object of that name has another uid or resource version."""


class RedirectedError(RejectedError):
    """The response is a redirect, which is not followed: the token and the body would go to an address that is not configured."""


class NotFoundError(ApiError):
    """The object, or its namespace, does not exist."""


class KindNotServedError(ApiError):
    """The API server does not serve the kind, because its CRD is not installed."""


class NamespaceTerminatingError(ApiError):
    """The namespace is being deleted; no objects can be created in it."""


class TooLargeError(ApiError):
    """The response exceeds the limit; request fewer objects per page."""


class GoneError(ApiError):
    """The resource version is too old for a watch; a new list is needed."""


def unreachable(what: str, error: BaseException) -> RetryableError:
    """Return the error of a request, of which `what` is said, that got no response because of `error`."""
    words = str(error) or ("no response in time" if isinstance(error, TimeoutError) else type(error).__name__)
    cause = getattr(error, "os_error", None)  # aiohttp's error of a connection quotes objects of Python
    if isinstance(cause, OSError) and (place := _PLACE.match(words)):
        is_of_system = (
            cause.errno is not None and cause.errno > 0 and not isinstance(cause, ssl.SSLError)
        )  # which has those of OpenSSL
        reason = os.strerror(cause.errno or 0) if is_of_system else cause.strerror
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            reason = "it does not answer in TLS, but perhaps in plain HTTP"
        words = f"cannot connect to {place[1]}: {reason or cause}"
    elif slow := _SLOW.match(words):
        words = f"cannot connect to {slow[1]}: no connection, with TLS where it is used, in time"
    return RetryableError(f"{what}: {words}")


def error_of(status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> ApiError:
    """Return the typed error of a response with HTTP `status` from 300 on, `body` (a Status object or plain text) and `headers`."""
    if status < HTTPStatus.BAD_REQUEST:
        return RedirectedError(_redirect(status, headers), status=status)
    message, causes, is_status = _words(status, body)
    if status == HTTPStatus.NOT_FOUND and not is_status:
        return _unknown_path(message)
    rules: tuple[tuple[bool, type[ApiError]], ...] = (
        (status == HTTPStatus.NOT_FOUND, NotFoundError),
        (status == HTTPStatus.GONE, GoneError),
        (_is_passing(status, message), RetryableError),
        ("NamespaceTerminating" in causes, NamespaceTerminatingError),
        # An apply with a uid is rejected as invalid if the object has another one.
        ("metadata.uid" in causes, ConflictError),
    )
    type_ = next((type_ for holds, type_ in rules if holds), _REJECTED.get(status, RejectedError))
    return type_(message, status=status, retry_after=_retry_after(headers) if type_ is RetryableError else 0.0)


def _unknown_path(answer: str) -> ApiError:
    """Return the error of a 404 without a Status: of a kind that is not served, or of another server than the API server."""
    if answer == _NOT_SERVED:
        return KindNotServedError(answer, status=HTTPStatus.NOT_FOUND)
    words = f"the response is not one of a Kubernetes API server (404: {answer!r}); check the API server's address"
    return RetryableError(words, status=HTTPStatus.NOT_FOUND)


def _redirect(status: int, headers: Mapping[str, str]) -> str:
    where = headers.get("Location", "")[:_LONGEST_LOCATION]
    answer = f"the response is a redirect{f' to {where}' if where else ''} ({status})"
    return f"{answer}, which is not followed; check the API server's address, and the APIService if the kind is aggregated"


def _is_passing(status: int, message: str) -> bool:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return not any(words in message for words in _REJECTED_AS_500)
    return status in _PASSING or (status == HTTPStatus.FORBIDDEN and _CRD_GOING in message)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the Retry-After header in seconds; 0 if there is none, or if it is a date, which the API server never sends."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


_PASSING = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_REJECTED_AS_500 = ("failed to create typed patch object", "etcdserver: request is too large")
"""Invalid requests to which the API server responds with status 500: fields of a wrong type in an apply, an object that is too large."""

_CRD_GOING = "create not allowed while custom resource definition is terminating"
"""Sent for a moment while a CRD is being deleted; after that, the kind is not served, or was created again."""

_NOT_SERVED = "404 page not found"
"""Of the API server where no handler has the path; Go's `http.NotFound`."""

_REJECTED: dict[int, type[RejectedError]] = {HTTPStatus.CONFLICT: ConflictError, HTTPStatus.FORBIDDEN: ForbiddenError}


def _words(status: int, body: bytes) -> tuple[str, frozenset[str], bool]:
    """Return the message, the fields and reasons that caused the error, and whether the answer was a Status object."""
    document = _document(body)
    if document.get("kind") != "Status":
        return body[:_LONGEST_PLAIN].decode(errors="replace").strip() or f"HTTP {status}", frozenset(), False
    words = str(document.get("message") or document.get("reason") or _phrase(status))
    return _in_one_line(words), _causes(document), True


def _document(body: bytes) -> Mapping[str, Any]:
    """Return the object in `body`; empty if there is none, or if it is too deep to parse."""
    try:
        document = orjson.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _causes(document: Mapping[str, Any]) -> frozenset[str]:
    details = document.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    found = [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    return frozenset(str(cause.get(word) or "") for cause in found for word in ("field", "reason"))


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in _STATUSES else f"HTTP {status}"


def _in_one_line(message: str) -> str:
    """Return a message of several lines as one, truncated.

    The API server lists errors in random order, which would look like a change, and quotes invalid values in full.
    """
    head, *rest = message[:_LONGEST_READ].splitlines() or [""]
    line = " ".join([head, "; ".join(sorted(line.strip() for line in rest))]).strip()
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}..."


_STATUSES = frozenset(HTTPStatus)
_PLACE = re.compile(r"Cannot connect to host (\S+)")
_SLOW = re.compile(r"Connection timeout to host \w+://([^/?]+)")
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
"""Reasons of OpenSSL for an answer that is not TLS, by version and by the first bytes of the answer."""
_LONGEST_PLAIN = 500
"""Bytes that are quoted of a response that is not a Status object."""
_LONGEST_LOCATION = 200
"""Characters that are quoted of the address of a redirect."""
_LONGEST_READ = 100_000
_LONGEST_MESSAGE = 2000
"""Characters of the API server's message that are kept."""
