"""What each Gateway implementation needs of us."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from workspace_ctrl.catalog.loading import Row, load

NO_PROVIDER: Final = "none"


class GatewayClassProfile(Row):
    """The needs of one implementation."""

    controller: str
    """`spec.controllerName` of its GatewayClass."""
    title: str
    """Name for people."""
    chart_provider: str = NO_PROVIDER
    """`provider.name` of the `inferencepool` chart."""


@cache
def _profiles() -> Mapping[str, GatewayClassProfile]:
    return {profile.controller: profile for profile in load("gateway_classes.yaml", "gateway_classes", GatewayClassProfile)}


def find_profile(controller: str | None) -> GatewayClassProfile:
    """Return the profile for a controllerName; an unknown one, or None, gets standard behaviour."""
    return _profiles().get(controller or "") or GatewayClassProfile(controller=controller or "", title="unknown class")


def chart_provider(controllers: Iterable[str]) -> str:
    """Return `provider.name` of the chart for Gateways of these controllers: that of the first which needs one."""
    providers = [find_profile(controller).chart_provider for controller in controllers]
    return next((provider for provider in providers if provider != NO_PROVIDER), NO_PROVIDER)
