"""Paths of URLs that come from others: which ones lead where they seem to.

A client, a proxy and a server may each remove `.` and `..` from a path, decode it, or merge its slashes, and whoever does that before the
route is chosen sends the request elsewhere (RFC 3986, sections 5.2.4 and 6.2.2).
"""

import re
from typing import Final

from yarl import URL

_PATH: Final = re.compile(
    r"(?:/"
    r"(?!\.{1,2}(?:[/;]|\Z))"  # a segment . or .., also with parameters
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]"
    r"|%(?!2[5EeFf]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])[0-9A-Fa-f]{2})+"  # not of a percent sign, dot, slash, backslash or control character
    r")*/?"
)


class PathError(ValueError):
    """A path that not every server reads alike; the message says so, for users."""


def check_path(path: str) -> None:
    """Check a path, which may be empty or end with a slash.

    Raises:
        PathError: it has a segment `.` or `..` or an empty one, encodes what would be one, or has characters that no path has.
    """
    if _PATH.fullmatch(path) is None:
        raise PathError("the path has empty segments, . or .., or characters that servers read in different ways")


def url_at(origin: str, path: str) -> URL:
    """Return the URL of `path` at `origin`, such as http://10.0.0.1:80, exactly as they are: nothing of it is removed, decoded or encoded.

    Raises:
        PathError: not every server reads the path alike, or the origin is more than scheme, host and port.
    """
    check_path(path)
    url = URL(f"{origin}{path}", encoded=True)
    if url.user is not None or (url.raw_path, url.raw_query_string, url.raw_fragment) != (path or "/", "", ""):
        raise PathError(f"{origin} is more than scheme, host and port")
    return url
