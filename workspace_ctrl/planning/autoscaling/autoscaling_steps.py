"""The steps to the ScaledObject of an InferenceSet, and how it is scaled."""

from functools import partial
from typing import Final

from workspace_ctrl.api.autoscaling_spec import Autoscaling
from workspace_ctrl.model.plan_decisions import LinkName, Problem, Scaling
from workspace_ctrl.planning.autoscaling.scaled_object import SCALED_OBJECT, WantedScaling, scaled_object
from workspace_ctrl.planning.autoscaling.triggers import MeasuredPool
from workspace_ctrl.planning.chart.flow_control import unheld
from workspace_ctrl.planning.chart.source import layout_of
from workspace_ctrl.planning.desired_serving import DesiredServing
from workspace_ctrl.planning.desired_state import Desired
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.scaling import ScaledObject

_OFF: Final = "this installation creates no ScaledObjects; administrators set autoscaling.enabled in the settings"
_NO_PICKER: Final = "is measured at the endpoint picker of the controller"
_MISSING: Final = "; install KEDA, and the InferenceSet is scaled as soon as its CRD exists"


def scaling_of(desired: Desired, serving: DesiredServing) -> Scaling | None:
    """Return how an InferenceSet is to be scaled by load; None if it is not, or cannot be."""
    given = _autoscaling(desired)
    if given is None or _obstacle(desired, serving) is not None:
        return None
    ref = desired.workspace.meta.ref
    scaled = ObjectRef(SCALED_OBJECT, ref.namespace, ref.name)
    if given.min_replicas:
        return Scaling(scaled, given.min_replicas, given.max_replicas)
    why = _why_not_held(serving, desired.settings)
    if why:
        return Scaling(scaled, 1, given.max_replicas, unheld=why)
    return Scaling(
        scaled, 0, given.max_replicas, held_seconds=given.held_seconds, shortest_hold=_shortest_hold(serving, desired.settings)
    )


def zero_without_effect(scaling: Scaling | None) -> tuple[str, ...]:
    """Return the warning for an author whose InferenceSet keeps its last copy although it may have none."""
    if scaling is None or not scaling.unheld:
        return ()
    return (f"spec.autoscaling.minReplicas: 0 has no effect, and the last copy stays: {scaling.unheld}",)


def plan_autoscaling(  # noqa: PLR0917 - what it depends on
    draft: PlanBuilder,
    desired: Desired,
    serving: DesiredServing,
    scaling: Scaling | None,
    live: ScaledObject | None,
    unwatched: str,
) -> None:
    """Plan the ScaledObject; one that is not wanted any more is deleted, and its HorizontalPodAutoscaler goes with it.

    `unwatched` is why ScaledObjects cannot be watched; empty if they can.
    """
    given = _autoscaling(desired)
    draft.report(_obstacle(desired, serving) if given is not None else None)
    if given is None or scaling is None:
        draft.delete([live.meta] if live is not None else [])
        return
    if unwatched:
        draft.report(Problem(LinkName.AUTOSCALING, "KEDANotInstalled", f"{unwatched}{_MISSING}"))
        return
    names = serving.names
    pool = MeasuredPool(draft.owner.ref.namespace, names.release, names.endpoint_picker)
    wanted = WantedScaling(given, scaling.least, pool, desired.settings.autoscaling)
    make = partial(scaled_object, draft.owner, wanted, draft.workspace.annotations)
    draft.apply(draft.manifest("scaled object", make, (pool, scaling.least)), LinkName.AUTOSCALING)


def _autoscaling(desired: Desired) -> Autoscaling | None:
    copies = desired.resolved.copies
    return copies.autoscaling if copies is not None else None


def _obstacle(desired: Desired, serving: DesiredServing) -> Problem | None:
    """Return why no ScaledObject can be created, whatever is installed."""
    if not desired.settings.autoscaling.enabled:
        return Problem(LinkName.AUTOSCALING, "AutoscalingDisabled", _OFF, by_settings=True)
    remedy = ""
    if not desired.resolved.gateway_wanted:
        remedy = "attach the InferenceSet to a Gateway, or create a HorizontalPodAutoscaler for it"
    elif serving.pool_ref:
        remedy = "remove gateway.pool.ref, or create a ScaledObject for the InferenceSet yourself"
    if not remedy:
        return None
    text = f"the load of spec.autoscaling {_NO_PICKER}, which this InferenceSet has not; {remedy}"
    return Problem(LinkName.AUTOSCALING, "LoadNotMeasured", text, terminal=True)


def _why_not_held(serving: DesiredServing, settings: PlanSettings) -> str:
    """Return why requests to a set without copies would be lost; empty if they are held."""
    for parent in serving.route.chosen.parents:
        profile = settings.profile_of(parent.controller)
        if profile.holds_seconds == 0:
            return f"{parent.class_title} does not hold requests" + (
                f"; without a copy, {profile.at_zero}" if profile.at_zero else ""
            )
    if serving.route_ref:
        return "the time-outs of gateway.httpRouteRef are not those of the controller"
    layout = layout_of(serving.gateway.chart if serving.gateway is not None else None, settings)
    if layout is None:
        return "the chart of the endpoint picker is not known"  # its own problem is reported
    picker = serving.gateway.endpoint_picker if serving.gateway is not None else None
    return unheld(layout, settings.picker.values, (picker.values if picker is not None else None) or {})


def _shortest_hold(serving: DesiredServing, settings: PlanSettings) -> float | None:
    """Return for how many seconds each Gateway of the set holds requests, as far as that is known; None for no limit."""
    limits = (settings.profile_of(parent.controller).holds_seconds for parent in serving.route.chosen.parents)
    return min((limit for limit in limits if limit is not None), default=None)
