"""What can go wrong with a request, typed once: by what to do about it."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson


class ApiError(Exception):
    """The API server's answer was an error, or there was none."""

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.message = message
        """The server's own words."""
        self.status = status
        """HTTP status; 0 where there was no answer."""
        self.retry_after = retry_after
        """Seconds for which the API server asks to be left alone; 0 where it does not."""


class RetryableError(ApiError):
    """The same request may succeed soon: no connection, too many requests, a server error, rights not synced yet."""


class RejectedError(ApiError):
    """The request itself is wrong or not allowed; repeating it at once is of no use."""


class ForbiddenError(RejectedError):
    """Rights, a quota or an admission policy forbid it."""


class ConflictError(RejectedError):
    """Somebody else owns fields of the object, or it is another object than was meant."""


class NotFoundError(ApiError):
    """The object, or its namespace, is not there."""


class KindNotServedError(ApiError):
    """The API server does not know the kind, because its CRD is not installed."""


class NamespaceTerminatingError(ApiError):
    """The namespace is being deleted, and with it all there is in it; nothing new can be made there."""


class TooLargeError(ApiError):
    """The response exceeds the limit; request fewer objects per page."""


class GoneError(ApiError):
    """The resource version is too old to watch from; list anew."""


def error_of(status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> ApiError:
    """Return the typed error of an answer with HTTP `status`, `body` (a Status object or plain text) and `headers`."""
    message, causes, is_status = _words(status, body)
    rules: tuple[tuple[bool, type[ApiError]], ...] = (
        (status == HTTPStatus.NOT_FOUND, NotFoundError if is_status else KindNotServedError),
        (status == HTTPStatus.GONE, GoneError),
        (_is_passing(status, message), RetryableError),
        ("NamespaceTerminating" in causes, NamespaceTerminatingError),
        # An apply that names a uid is refused as invalid where the object has another one.
        ("metadata.uid" in causes, ConflictError),
    )
    type_ = next((type_ for holds, type_ in rules if holds), _REJECTED.get(status, RejectedError))
    return type_(message, status=status, retry_after=_retry_after(headers) if type_ is RetryableError else 0.0)


def _is_passing(status: int, message: str) -> bool:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return not any(words in message for words in _REJECTED_AS_500)
    return status in _PASSING or (status == HTTPStatus.FORBIDDEN and _CRD_GOING in message)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the Retry-After header in seconds; 0 where there is none, or a date, which the API server never sends."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


_PASSING = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_REJECTED_AS_500 = ("failed to create typed patch object", "etcdserver: request is too large")
"""Faults of the request that the API server answers as its own: an apply with fields of a wrong type, an object too large to store."""

_CRD_GOING = "create not allowed while custom resource definition is terminating"
"""For a moment, when a CRD is deleted; then the kind is gone, or was created again."""

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

    The API server lists errors in any order, which would look like a change, and quotes wrong values whole.
    """
    head, *rest = message[:_LONGEST_READ].splitlines() or [""]
    line = " ".join([head, "; ".join(sorted(line.strip() for line in rest))]).strip()
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}..."


_STATUSES = frozenset(HTTPStatus)
_LONGEST_PLAIN = 500
"""Bytes that are quoted of a response that is not a Status object."""
_LONGEST_READ = 100_000
_LONGEST_MESSAGE = 2000
"""Characters of the API server's message that are kept."""
