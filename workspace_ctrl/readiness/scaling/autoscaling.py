"""Whether KEDA scales an InferenceSet by its load; no part of GatewayReady, because requests are answered without it."""

from typing import Final

from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.model.cold_start import ColdStart
from workspace_ctrl.model.plan_decisions import LinkName, Scaling
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.records.scaling import ScaledObject

SILENT_SECONDS: Final = 120.0
"""KEDA and its HorizontalPodAutoscaler read every few seconds, but each of several replicas of the controller gets only a part of that."""
_TRIGGER_ERRORS: Final = frozenset({"TriggerError", "PartialTriggerError"})
"""KEDA's reasons for a load that it cannot read."""


def autoscaling_link(scaled: ScaledObject | None, scaling: Scaling | None, unread_for: float = 0.0) -> Link:
    """Return whether KEDA scales the InferenceSet; without `scaling`, planning has found out why it cannot.

    `unread_for` is for how many seconds KEDA has not read the load from the controller, or where it reads it elsewhere, has not renewed its
    Lease, as far as that is known.
    """
    name = LinkName.AUTOSCALING
    if scaling is None or scaled is None or scaled.meta.deleting:
        return Link.waiting(name, "ScaledObjectNotCreated", "ScaledObject has not been created yet")
    ready = scaled.condition("Ready")
    if scaled.is_paused:
        return Link.broken(name, "AutoscalingPaused", f"{scaled.ref} is paused; remove its annotations autoscaling.keda.sh/paused*")
    if ready is None or scaled.is_unseen:
        text = f"KEDA has not reported status for {scaled.ref} yet; check that keda-operator runs"
        return Link.waiting(name, "WaitingForKEDA", text)
    if is_silent(unread_for) or not scaled.is_ready:
        return _broken(scaled, ready, unread_for)
    limits = f"{scaling.least} to {scaling.most} replicas"
    if scaling.unheld:
        text = f"{scaled.ref} scales it from {limits}; the last one stays, although minReplicas is 0: {scaling.unheld}"
        return Link.true(name, "ScaledWithoutZero", text)
    return Link.true(name, "Scaled", f"{scaled.ref} scales it from {limits}{_hold_limit(scaling)}")


def is_silent(unread_for: float) -> bool:
    """Whether KEDA must have ended: it has not read the load for so many seconds."""
    return unread_for > SILENT_SECONDS


def _broken(scaled: ScaledObject, ready: Condition, unread_for: float) -> Link:
    """Return that KEDA does not scale, in its words, with the way out; the replicas stay as they are."""
    if is_silent(unread_for):
        text = f"KEDA has shown no activity for over {SILENT_SECONDS:.0f} s, so the replicas stay as they are; check that keda-operator"
        return Link.broken(LinkName.AUTOSCALING, "KEDASilent", f"{text} runs, and reaches the URL in the triggers of {scaled.ref}")
    if ready.reason in _TRIGGER_ERRORS:
        text = (
            f"KEDA cannot read the load for {scaled.ref}, so the replicas stay as they are: {ready.message}; check that the endpoint "
            "picker runs, and that keda-operator reaches the URL in its triggers"
        )
        return Link.broken(LinkName.AUTOSCALING, "LoadNotReadable", text)
    text = f"{scaled.ref}: {ready.message}, so the replicas stay as they are"
    return Link.broken(LinkName.AUTOSCALING, ready.reason or "ScaledObjectNotReady", text)


def _hold_limit(scaling: Scaling) -> str:
    if not scaling.holds or scaling.shortest_hold is None or scaling.shortest_hold >= scaling.held_seconds:
        return ""
    return f"; the Gateway waits only {scaling.shortest_hold:.0f} s for a start, whatever requestsHeldFor is"


def wakes(scaling: Scaling | None, wanted: int | None, cold_start: ColdStart) -> str:
    """Return that requests are held until a copy is ready, for a set that has none; empty if they would not be answered.

    `wanted` is the number of copies.
    """
    if scaling is None or not scaling.holds:
        return ""
    last = f"; the last start took {cold_start.took:.0f} s" if cold_start.took is not None else ""
    longest = scaling.held_seconds if scaling.shortest_hold is None else min(scaling.held_seconds, scaling.shortest_hold)
    under_way = cold_start.under_way_for
    if wanted == 0:
        return f"no copy runs, and requests are held for up to {longest:.0f} s, until the first one has started the model{last}"
    if under_way is not None and under_way < longest:
        return f"the first copy starts, and requests are held for up to {longest:.0f} s{last}"
    return ""
