"""What each Gateway implementation needs of us."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, Literal

from workspace_ctrl.catalog.loading import Row, load

NO_PROVIDER: Final = "none"


class GatewayClassProfile(Row):
    """The needs of one implementation; the defaults are what the Gateway API and its inference extension promise."""

    controller: str
    """`spec.controllerName` of its GatewayClass."""
    title: str
    """Name for people."""
    is_known: bool = True
    chart_provider: str = NO_PROVIDER
    """`provider.name` of the charts `inferencepool` and `body-based-routing`."""
    body_router_remedy: str = "install a body-based router of your own, and lead the Gateway's requests through it"
    """What to do so that requests are led by their body, where the chart `body-based-routing` has no provider for it."""
    writes_status: bool = True
    """Whether it says in the status of Gateway, HTTPRoute and InferencePool what it made of them."""
    takes_headers: bool = True
    """Whether it knows rules that match by headers; one that does not skips them."""
    ignores: tuple[str, ...] = ()
    """Parts of our objects that have no effect with it, in words for people."""
    lists_models: bool = True
    """Whether it leads `GET /v1/models` to the model server; one that does not is probed by a completion."""
    service: str = ""
    """Name of the Service, beside the Gateway, by which one is reached that tells no address; empty where there is none."""
    service_port: int = 80
    companion: Literal["", "ModelServer"] = ""
    """Kind of an object that it needs beside the pool."""


@cache
def gateway_classes() -> Mapping[str, GatewayClassProfile]:
    """Return all profiles by controllerName."""
    return {profile.controller: profile for profile in load("gateway_classes.yaml", "gateway_classes", GatewayClassProfile)}


def find_profile(controller: str | None) -> GatewayClassProfile:
    """Return the profile for a controllerName; an unknown one, or None, gets standard behaviour."""
    name = controller or ""
    return gateway_classes().get(name) or GatewayClassProfile(controller=name, title="unknown class", is_known=False)


def chart_provider(controllers: Iterable[str]) -> str:
    """Return `provider.name` of the chart for Gateways of these controllers: that of the first which needs one."""
    providers = [find_profile(controller).chart_provider for controller in controllers]
    return next((provider for provider in providers if provider != NO_PROVIDER), NO_PROVIDER)
