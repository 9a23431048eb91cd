"""Which Gateway a Workspace is attached to.

The Workspace's own choice, else the installation's, else the labelled Gateway, else the only one. Anything else is said, never guessed.
"""

from collections.abc import Sequence

from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.catalog.gateway_classes import find_profile
from workspace_ctrl.planning.settings import GatewayChoice
from workspace_ctrl.records.decisions import LinkName, Parent, Problem
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.records.snapshot import Snapshot

_REMEDY = "name one in gateway.parentRefs, or label one with kaito.sh/inference-gateway=true"


def choose_parent(namespace: str, spec: GatewaySpec | None, default: GatewayChoice | None, snapshot: Snapshot) -> Parent | Problem:
    """Return the Gateway for a Workspace in `namespace`, or why there is none."""
    if "Gateway" in snapshot.missing_kinds or "HTTPRoute" in snapshot.missing_kinds:
        return _problem("CRDsNotAvailable", "the cluster does not serve Gateway and HTTPRoute; install the Gateway API CRDs")
    choice = named_gateway(namespace, spec) or default
    found = _find(choice, snapshot.gateways) if choice else _discover(snapshot.gateways)
    if isinstance(found, Problem):
        return found
    controller = snapshot.controller_of(found)
    if controller is None:
        return _problem("GatewayClassNotFound", f"{found.ref} names GatewayClass {found.class_name}, which is not there")
    profile = find_profile(controller)
    return Parent(gateway=found, section=choice.section if choice else "", controller=controller, class_title=profile.title)


def named_gateway(namespace: str, spec: GatewaySpec | None) -> GatewayChoice | None:
    """Return the Gateway that a Workspace in `namespace` names, or None."""
    if spec is None or not spec.parent_refs:
        return None
    first = spec.parent_refs[0]
    return GatewayChoice(first.namespace or namespace, first.name, first.section_name or "")


def _find(choice: GatewayChoice, gateways: Sequence[Gateway]) -> Gateway | Problem:
    for gateway in gateways:
        if (gateway.ref.namespace, gateway.ref.name) == (choice.namespace, choice.name):
            return gateway
    return _problem("NoGateway", f"Gateway {choice.namespace}/{choice.name} is not there; {_listing(gateways)}")


def _discover(gateways: Sequence[Gateway]) -> Gateway | Problem:
    labelled = [gateway for gateway in gateways if gateway.preferred]
    candidates = labelled or list(gateways)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        return _problem("NoGateway", "there is no Gateway in the cluster; create one, and it is picked up")
    label = " labelled for inference" if labelled else ""
    return _problem("AmbiguousGateway", f"there are {len(candidates)} Gateways{label} ({_keys(candidates)}); {_REMEDY}")


def _listing(gateways: Sequence[Gateway]) -> str:
    return f"there are: {_keys(gateways)}" if gateways else "there is no Gateway in the cluster"


def _keys(gateways: Sequence[Gateway]) -> str:
    return ", ".join(sorted(gateway.key for gateway in gateways))


def _problem(reason: str, message: str) -> Problem:
    return Problem(LinkName.GATEWAY, reason, message)
