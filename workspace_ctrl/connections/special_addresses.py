"""Addresses that mean something else to the controller's node or its cloud than to whoever has named them.

Names and addresses of Gateways and model hubs come from others, and the controller connects to them from its own place in the network.
"""

from collections.abc import Callable, Iterable
from errno import EACCES
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

_Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_METADATA: Final[frozenset[_Address]] = frozenset(
    map(ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
_KINDS: Final[tuple[tuple[str, Callable[[_Address], bool]], ...]] = (
    ("unspecified", lambda address: address.is_unspecified),
    ("loopback", lambda address: address.is_loopback),
    ("link-local", lambda address: address.is_link_local),
    ("multicast", lambda address: address.is_multicast),
    ("metadata service", lambda address: address in _METADATA),
)
"""Kinds of addresses that no server of others has."""
_NAT64: Final = ip_network("64:ff9b::/96")
_LOW_BITS: Final = (1 << 32) - 1


class AddressNotAllowedError(OSError):
    """An address that is not connected to; the message says why, and which setting allows it."""

    def __init__(self, reason: str) -> None:
        super().__init__(EACCES, reason)


def special_kind(address: str, allowed: Iterable[Network]) -> str:
    """Return the kind of a special address, such as loopback; empty if it is an ordinary one, or in one of the `allowed` networks."""
    actual = _embedded(ip_address(address.partition("%")[0]))
    kind = next((name for name, holds in _KINDS if holds(actual)), "")
    return "" if any(actual in network for network in allowed) else kind


def address_of(server: str) -> tuple[str, int]:
    """Return host and port of a URL; they are those of the connection only if the host is an address."""
    parts = urlsplit(server)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _embedded(address: _Address) -> _Address:
    """Return the IPv4 address in an IPv6 address that stands for one, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _LOW_BITS)
    return address.ipv4_mapped or address.sixtofour or address
