"""What probes trust: which Gateways get the token, which responses are quoted, and which addresses are connected to.

Whoever can create a Gateway, or write its status, chooses addresses to which the controller connects from its own place in the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from errno import EACCES
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from workspace_ctrl.model.probe_results import ProbeTarget
from workspace_ctrl.planning.plan_settings import ALL_NAMESPACES
from workspace_ctrl.settings.process import Settings

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

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
"""Kinds of addresses that no Gateway has, but that mean something else to the controller's node or its cloud."""
_NAT64: Final = ip_network("64:ff9b::/96")
_LOW_BITS: Final = (1 << 32) - 1


class AddressNotAllowedError(OSError):
    """An address that is not probed; the message says why, and which setting allows it."""

    def __init__(self, reason: str) -> None:
        super().__init__(EACCES, reason)


@dataclass(frozen=True, slots=True)
class ProbeTrust:
    """What the installation's settings allow probes; by default, no token, no quotes and no special addresses."""

    token_gateways: frozenset[str] = frozenset()
    """Gateways, as namespace/name, that get the token."""
    quoted_gateways: frozenset[str] = frozenset()
    """Gateways, as namespace/name, whose responses are quoted in statuses."""
    quoted_namespaces: frozenset[str] = frozenset()
    """Namespaces of further such Gateways."""
    networks: tuple[_Network, ...] = ()
    """Networks that are allowed although their addresses are special."""
    api_server: tuple[str, int] = ("", 0)
    """Address and port of the API server, which never belong to a Gateway."""

    def sends_token(self, target: ProbeTarget) -> bool:
        """Whether a request to `target` has the token: never over plain HTTP, and only to Gateways that the settings list."""
        return target.scheme == "https" and target.gateway in self.token_gateways

    def quotes(self, gateway: str) -> bool:
        """Whether the responses of `gateway` are quoted; those of other Gateways may be of servers that their owners may not read."""
        return gateway in self.quoted_gateways or not self.quoted_namespaces.isdisjoint({gateway.partition("/")[0], ALL_NAMESPACES})

    def check(self, address: str, port: int) -> None:
        """Check the address of a connection, after name resolution.

        Raises:
            AddressNotAllowedError: it is not probed.
        """
        if (address, port) == self.api_server:
            raise AddressNotAllowedError("this is the address of the API server")
        actual = _embedded(ip_address(address.partition("%")[0]))
        kind = next((name for name, holds in _KINDS if holds(actual)), "")
        if kind and not any(actual in network for network in self.networks):
            raise AddressNotAllowedError(f"{kind} addresses are not probed, unless probe.networks in the settings allows them")


def trust_of(settings: Settings, server: str) -> ProbeTrust:
    """Return what the settings allow; `server` is the URL of the API server."""
    default = settings.plan.gateway
    named = frozenset({f"{default.namespace}/{default.name}"} if default is not None else ())
    given = settings.probe.token_gateways
    tokens = named if given is None else given
    return ProbeTrust(
        token_gateways=tokens,
        quoted_gateways=named | tokens,
        quoted_namespaces=frozenset(settings.plan.gateway_namespaces),
        networks=settings.probe.networks,
        api_server=_address_of(server),
    )


def _embedded(address: _Address) -> _Address:
    """Return the IPv4 address in an IPv6 address that stands for one, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _LOW_BITS)
    return address.ipv4_mapped or address.sixtofour or address


def _address_of(server: str) -> tuple[str, int]:
    parts = urlsplit(server)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
