"""The links of a Gateway: accepted by a controller, programmed, every listener works, an address. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from workspace_ctrl.api.conditions import Condition, Status, parse_conditions
from workspace_ctrl.cache.watches import GATEWAYS
from workspace_ctrl.cli.inspect.chain_explanation import ExplainedLink
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.records.meta import status_of

_TITLES: Final = ("accepted", "programmed", "listeners", "address")
_SILENT: Final = "its controller has not reported this; that of kthena-router never does"


def read_gateway(raw: Json, kind: str) -> Gateway:
    """Return a Gateway with the times and all messages of its conditions; of one that cannot be read, its name."""
    found: Gateway = GATEWAYS.read(raw, kind)
    return replace(found, conditions=parse_conditions(status_of(raw).get("conditions")))


def gateway_links(gateway: Gateway) -> tuple[ExplainedLink, ...]:
    """Return the links in their order, without marking the first broken one."""
    return tuple(_links(gateway))


def first_broken(links: Sequence[ExplainedLink]) -> ExplainedLink | None:
    """Return the first link that is broken, else the first that does not hold, else None."""
    broken = (link for link in links if link.status is Status.FALSE)
    return next(broken, None) or next((link for link in links if not link.holds), None)


def _links(gateway: Gateway) -> Iterator[ExplainedLink]:
    accepted, programmed, listeners, address = _TITLES
    yield _of_condition(accepted, gateway, gateway.condition("Accepted"), "GatewayNotAccepted")
    yield _of_condition(programmed, gateway, gateway.condition("Programmed"), "GatewayNotProgrammed")
    refusals = ((listener, listener.refusal(gateway.meta.generation)) for listener in gateway.listeners)
    refused = next(((listener, refusal) for listener, refusal in refusals if refusal is not None), None)
    if refused is not None:
        listener, refusal = refused
        reason = refusal.reason or "ListenerNotProgrammed"
        yield ExplainedLink(listeners, Status.FALSE, reason, f"listener {listener.name}: {refusal.message}")
    else:
        names = ", ".join(f"{listener.name} ({listener.protocol} {listener.port})" for listener in gateway.listeners)
        yield ExplainedLink(listeners, Status.TRUE, "ListenersWork", names or "no listeners")
    if gateway.addresses:
        yield ExplainedLink(address, Status.TRUE, "AddressAssigned", ", ".join(gateway.addresses))
    else:
        yield ExplainedLink(address, Status.UNKNOWN, "AddressNotAssigned", "the Gateway reports no address")


def _of_condition(title: str, gateway: Gateway, condition: Condition | None, default: str) -> ExplainedLink:
    if condition is None:
        return ExplainedLink(title, Status.UNKNOWN, default, _SILENT)
    if not condition.speaks_of(gateway.meta.generation):
        return ExplainedLink(title, Status.UNKNOWN, default, "the condition is for an older generation")
    status = Status(condition.status) if condition.status in set(Status) else Status.UNKNOWN
    return ExplainedLink(title, status, condition.reason or default, condition.message, condition.last_transition_time)
