"""Special requirements of each Gateway implementation."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, Literal

from workspace_ctrl.catalog.data_files import Row, load

NO_PROVIDER: Final = "none"


class GatewayClassProfile(Row):
    """The requirements of one implementation; the defaults are the behaviour that the Gateway API and its inference extension specify."""

    name: str
    """Name in the setting `gatewayClasses`; empty for an unknown implementation."""
    controller: str
    """`spec.controllerName` of its GatewayClass."""
    aliases: tuple[str, ...] = ()
    """Other controllerNames of it; `<domain>/*` for all those of a domain that no other profile has, and that are not in `unrelated`."""
    unrelated: tuple[str, ...] = ()
    """controllerNames of such a domain that are of no implementation for requests from outside of the cluster."""
    title: str
    """Display name."""
    is_known: bool = True
    chart_provider: str = NO_PROVIDER
    """`provider.name` of the charts `inferencepool` and `body-based-routing`."""
    body_router_remedy: str = "install a body-based router of your own, and attach it to the Gateway"
    """How to get routing by the request body, if the chart `body-based-routing` has no provider for the implementation."""
    writes_status: bool = True
    """Whether it writes the status of Gateway, HTTPRoute and InferencePool."""
    takes_headers: bool = True
    """Whether it supports header matches; if not, it ignores these rules."""
    takes_timeouts: bool = True
    """Whether it accepts HTTPRoutes with `timeouts`; if not, it rejects the whole route."""
    timeout_policy: str = ""
    """Kind of the policy whose `timeoutSec` limits answers where it takes no timeouts of routes; the chart creates one for each pool."""
    ignores: tuple[str, ...] = ()
    """Display names of the parts of our objects that it ignores."""
    lists_models: bool = True
    """Whether it forwards `GET /v1/models` to the model server; if not, it is probed with a completion."""
    service: str = ""
    """Name of the Service in the Gateway's namespace to use if the Gateway reports no address; empty if there is none."""
    service_port: int = 80
    pool_remedy: str = "check that it runs, and that its support of InferencePools is enabled"
    """What to do if it does not know InferencePools, or reports no status of them."""
    lost_status_remedy: str = ""
    """What to do if it reports the status of some pools and has lost that of others; empty if that does not happen."""
    holds_seconds: float | None = None
    """How long it waits for an endpoint picker that holds a request; 0 if it uses none, None if there is no limit or it is not known."""
    at_zero: str = ""
    """What it does with requests while there is no pod, as far as that was measured; empty if it holds them, or it is not known."""
    divides: Literal["weights", "requestIds", "none"] = "weights"
    """How it divides the requests of a route among InferencePools: by the weights of the backends of a rule, as the inference extension
    specifies; by the request id, if it asks one endpoint picker for each rule; or not at all."""
    routes_to_services: bool = True
    """Whether its HTTPRoutes may lead to Services."""
    access_policies: str = ""
    """Kinds of the policies by which it rejects clients that are not authorized; empty if they are not known."""
    rate_policies: str = ""
    """Kinds of the policies by which it limits the rate of requests; empty if they are not known."""
    companion: Literal["", "ModelServer"] = ""
    """Kind of an object that it needs in addition to the pool."""


@cache
def gateway_classes() -> Mapping[str, GatewayClassProfile]:
    """Return all profiles by name."""
    return {profile.name: profile for profile in load("gateway_classes.yaml", "gateway_classes", GatewayClassProfile)}


@cache
def _controllers() -> Mapping[str, GatewayClassProfile]:
    """Return all profiles by controllerName, and by alias."""
    return {name: profile for profile in gateway_classes().values() for name in (profile.controller, *profile.aliases)}


def find_profile(controller: str | None, assigned: Mapping[str, str]) -> GatewayClassProfile:
    """Return the profile for a controllerName; standard behaviour if it is unknown or None.

    `assigned` is the setting `gatewayClasses`: controllerName → name of the profile. It takes precedence.
    """
    name = controller or ""
    if name in assigned:
        return gateway_classes()[assigned[name]]
    known = _controllers()
    of_domain = known.get("".join((*name.partition("/")[:2], "*")))
    found = known.get(name) or (of_domain if of_domain is not None and name not in of_domain.unrelated else None)
    return found or GatewayClassProfile(name="", controller=name, title="unknown class", is_known=False)


def chart_provider(profiles: Iterable[GatewayClassProfile]) -> str:
    """Return the chart's `provider.name` for Gateways of these classes: that of the first one that needs it."""
    providers = [profile.chart_provider for profile in profiles]
    return next((provider for provider in providers if provider != NO_PROVIDER), NO_PROVIDER)
