"""What a kubeconfig adds to the headers of each request: whom to impersonate, and that responses are not to be compressed.

https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

Headers = tuple[tuple[str, str], ...]
IMPERSONATION: Final = frozenset({"as", "as-uid", "as-groups", "as-user-extra"})
"""Fields of a user that say whom to impersonate."""
COMPRESSION: Final = "disable-compression"
"""Field of a cluster with which responses are not compressed."""
_NAME_CHARACTERS: Final = "!#$&'*+^`|"
"""Those that the name of a header may have, besides letters, digits and the others that `quote` leaves."""
_CONTROL: Final = frozenset(map(chr, range(32))) - {"\t"} | {"\x7f"}


class HeaderFieldError(ValueError):
    """A field has a value that cannot be sent."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def headers_of(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Headers:
    """Return the headers that a cluster and a user of a kubeconfig add.

    Raises:
        HeaderFieldError: a field has a value that cannot be sent.
    """
    return *_impersonation(user), *((("Accept-Encoding", "identity"),) if cluster.get(COMPRESSION) else ())


def _impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    others = [field for field in sorted(IMPERSONATION - {"as"}) if user.get(field)]
    if others and not user.get("as"):
        raise HeaderFieldError(others[0], "is given without as, the name of the user to impersonate")
    for field, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(field):
            yield header, _text(field, user[field])
    for group in _texts("as-groups", user.get("as-groups")):
        yield "Impersonate-Group", group
    extra = user.get("as-user-extra") or {}
    if not isinstance(extra, Mapping):
        raise HeaderFieldError("as-user-extra", "is not a map of lists")
    for key, values in extra.items():
        name = quote(_text("as-user-extra", key), safe=_NAME_CHARACTERS)
        for value in _texts("as-user-extra", values):
            yield f"Impersonate-Extra-{name}", value


def _texts(field: str, values: Any) -> Iterator[str]:  # noqa: ANN401 - anything may be in the file
    if not isinstance(values or [], list):
        raise HeaderFieldError(field, "is not a list" if field == "as-groups" else "is not a map of lists")
    for value in values or ():
        yield _text(field, value)


def _text(field: str, value: Any) -> str:  # noqa: ANN401 - anything may be in the file
    if not isinstance(value, str):
        raise HeaderFieldError(field, "has a value that is not a string")
    if _CONTROL & set(value):
        raise HeaderFieldError(field, "has a control character, which no header may have")
    return value
