"""What probes trust: which Gateways get token and client certificate, which responses are quoted, which addresses are connected to.

Whoever can create a Gateway, or write its status, chooses addresses to which the controller connects from its own place in the network.
"""

from dataclasses import dataclass

from workspace_ctrl.connections.special_addresses import AddressNotAllowedError, Network, address_of, special_kind
from workspace_ctrl.model.probe_results import ProbeTarget
from workspace_ctrl.planning.plan_settings import ALL_NAMESPACES
from workspace_ctrl.settings.process import Settings


@dataclass(frozen=True, slots=True)
class ProbeTrust:
    """What the installation's settings allow probes; by default, no token, no client certificate, no quotes and no special addresses."""

    token_gateways: frozenset[str] = frozenset()
    """Gateways, as namespace/name, that get the token and the client certificate."""
    quoted_gateways: frozenset[str] = frozenset()
    """Gateways, as namespace/name, whose responses are quoted in statuses."""
    quoted_namespaces: frozenset[str] = frozenset()
    """Namespaces of further such Gateways."""
    networks: tuple[Network, ...] = ()
    """Networks that are allowed although their addresses are special."""
    api_server: tuple[str, int] = ("", 0)
    """Address and port of the API server, which never belong to a Gateway."""

    def sends_credentials(self, target: ProbeTarget) -> bool:
        """Whether a request to `target` says who the client is: never over plain HTTP, and only to Gateways that the settings list."""
        return target.scheme == "https" and target.gateway in self.token_gateways

    def quotes(self, target: ProbeTarget) -> bool:
        """Whether the responses of `target` are quoted.

        Those of other Gateways may be of servers that their owners may not read. So may those to a path that the Workspace sets, where
        others may have routes below the path of the model.
        """
        if target.get and not target.is_own_path:
            return False
        return target.gateway in self.quoted_gateways or not self.quoted_namespaces.isdisjoint(
            {target.gateway.partition("/")[0], ALL_NAMESPACES}
        )

    def check(self, address: str, port: int) -> None:
        """Check the address of a connection, after name resolution.

        Raises:
            AddressNotAllowedError: it is not probed.
        """
        if (address, port) == self.api_server:
            raise AddressNotAllowedError("this is the address of the API server")
        kind = special_kind(address, self.networks)
        if kind:
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
        api_server=address_of(server),
    )
