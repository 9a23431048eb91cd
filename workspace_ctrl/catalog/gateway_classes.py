"""What each Gateway implementation needs of us."""

from collections.abc import Mapping
from functools import cache

from workspace_ctrl.catalog.loading import Row, load


class GatewayClassProfile(Row):
    """The needs of one implementation."""

    controller: str
    """`spec.controllerName` of its GatewayClass."""
    title: str
    """Name for people."""
    chart_provider: str = "none"
    """`provider.name` of the `inferencepool` chart."""


@cache
def gateway_classes() -> Mapping[str, GatewayClassProfile]:
    """Return all profiles by controllerName."""
    return {profile.controller: profile for profile in load("gateway_classes.yaml", "gateway_classes", GatewayClassProfile)}


def find_profile(controller: str | None) -> GatewayClassProfile:
    """Return the profile for a controllerName; an unknown one, or None, gets standard behaviour."""
    return gateway_classes().get(controller or "") or GatewayClassProfile(controller=controller or "", title="unknown class")
