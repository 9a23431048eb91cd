"""The proxy that the environment names for a server, by the rules of kubectl.

They are those of Go (golang.org/x/net/http/httpproxy): HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or the same in lower case, which comes first.
Python's own rules differ: no networks in NO_PROXY, `.example` excludes `example` itself, and loopback addresses go through the proxy.
"""

import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from workspace_ctrl.kube.access.access import ConnectionConfigError

PROXY_SCHEMES: Final = ("http://", "https://")
"""Of the proxies that can be used."""
PROXY_EXAMPLE: Final = "no URL of an HTTP proxy, such as http://proxy.example:3128"
_PORTS: Final = {"http": 80, "https": 443}

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def environment_proxy(server: str) -> str:
    """Return the URL of the proxy for requests to the URL `server`; empty for none.

    Raises:
        ConnectionConfigError: it is not one that can be used.
    """
    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy"
    proxy = _variable(name) if parts.scheme in _PORTS else ""
    if not proxy or _is_direct(parts):
        return ""
    url = proxy if "://" in proxy else f"http://{proxy}"
    if not url.startswith(PROXY_SCHEMES):  # not quoted, as it may have a password
        excluded = f"set another one, or exclude {parts.hostname} by NO_PROXY"
        raise ConnectionConfigError(f"cannot connect to {server}: {name.upper()} is {PROXY_EXAMPLE}; {excluded}")
    return url


def _variable(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.upper()) or ""


def _is_direct(server: SplitResult) -> bool:
    """Return whether requests to a server use no proxy: it is this machine, or NO_PROXY excludes it."""
    host, address = _ascii(server.hostname or ""), _address(server.hostname or "")
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    port = server.port or _PORTS[server.scheme]
    return any(entry.excludes(host, address, port) for entry in _entries(_variable("no_proxy")))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of NO_PROXY."""

    host: str
    port: int | None = None
    """None for all."""

    def excludes(self, host: str, address: _Address | None, port: int) -> bool:
        """Return whether it excludes a server; `address` is that in the URL, None for a name."""
        if self.host == "*":
            return True
        if self.port not in {None, port}:
            return False
        if address is not None:
            network = _network(self.host)
            return network is not None and address in network
        name = self.host[1:] if self.host.startswith("*.") else self.host
        return host == name or host.endswith(name if name.startswith(".") else f".{name}")


def _entries(excluded: str) -> Iterator[_Entry]:
    for entry in excluded.lower().split(","):
        text = entry.strip()
        if text == "*" or _network(text) is not None:
            yield _Entry(text)
            continue
        host, colon, port = text.rpartition(":")
        if not colon:
            host, port = text, ""
        host = host.removeprefix("[").removesuffix("]")
        if host and (port.isdecimal() or not port):
            yield _Entry(_ascii(host), int(port) if port else None)


def _ascii(host: str) -> str:
    """Return a host name as DNS has it."""
    try:
        return ".".join(label.encode("idna").decode() for label in host.split(".")) if not host.isascii() else host
    except UnicodeError:
        return host


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network, or the single address, that an entry of NO_PROXY names; None for a host name."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
