"""What is to be made of the status that Gateways' controllers report of pools and routes.

Istio looks for the Service of a pool's endpoint picker when the pool or a route to it changes, and not when the Service does. If the
Service is away at that moment, the pool's status says so for good, although the Service is back and requests are answered.
"""

from typing import Final

from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.plan_decisions import Parent
from workspace_ctrl.records.gateways import HTTPRoute, InferencePool, ParentStatus
from workspace_ctrl.records.listeners import ParentReference

SILENT_SECONDS: Final = 60.0
"""How long it may take a controller to report a status; usually that takes less than a second."""
_PICKER_NOT_FOUND: Final = "InvalidExtensionRef"
"""Reason of the inference extension for a pool whose endpoint picker is not found."""


def status_from(parent: Parent, attached: HTTPRoute | InferencePool) -> ParentStatus | None:
    """Return what the controller of a Gateway reports of a route or a pool; None if it has not yet.

    Status entries of a pool name only the Gateway, those of a route also the listener.
    """
    reference = parent.reference if isinstance(attached, HTTPRoute) else ParentReference(parent.gateway.ref)
    return attached.parent_status(reference, parent.controller)


def reports_missing_picker(pool: InferencePool, parent: Parent) -> bool:
    """Whether the controller of a Gateway reports that the Service of the pool's endpoint picker does not exist."""
    entry = status_from(parent, pool) if parent.writes_status else None
    condition = entry.condition("ResolvedRefs") if entry is not None else None
    return (
        condition is not None
        and condition.status == Status.FALSE
        and condition.reason == _PICKER_NOT_FOUND
        and condition.speaks_of(pool.meta.generation)
        and bool(pool.picker_service)
    )
