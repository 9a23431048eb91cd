"""The ScaledObject: KEDA makes a HorizontalPodAutoscaler of it, and scales the InferenceSet to and from zero itself.

It scales the scale subresource of the InferenceSet, whose replicas this controller never writes. Where scaling is paused by an annotation
of the InferenceSet, the ScaledObject gets that of KEDA; one that a user has set on the ScaledObject itself stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.autoscaling_spec import Autoscaling
from workspace_ctrl.api.labels import KEDA_PAUSE, KEDA_PAUSES, PAUSE_ANNOTATION, SET_KIND
from workspace_ctrl.planning.autoscaling.triggers import MeasuredPool, triggers
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.plan_settings import AutoscalingSettings
from workspace_ctrl.records.meta import Meta

SCALED_OBJECT_API: Final = "keda.sh/v1alpha1"
SCALED_OBJECT: Final = "ScaledObject"
_POLLING_SECONDS: Final = 3
"""How often KEDA looks for requests of a set at zero: a part of the time that the first of them waits."""
_LONGEST_WINDOW: Final = 300
"""Longest time, in seconds, for which the load has to be low before copies end; Kubernetes' default."""


@dataclass(frozen=True, slots=True)
class WantedScaling:
    """What is scaled, and how."""

    autoscaling: Autoscaling
    least: int
    """Fewest copies, which is one where the requests of a set without copies would be lost."""
    pool: MeasuredPool
    settings: AutoscalingSettings


def scaled_object(owner: Meta, wanted: WantedScaling, annotations: Mapping[str, str]) -> Manifest:
    """Return the ScaledObject of the InferenceSet `owner`, which has `annotations`."""
    given, idle, to_zero = wanted.autoscaling, wanted.autoscaling.idle_seconds, wanted.least == 0
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": owner.api_version, "kind": SET_KIND, "name": owner.ref.name},
        "minReplicaCount": wanted.least,
        "maxReplicaCount": given.max_replicas,
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {
                    "scaleDown": {"stabilizationWindowSeconds": min(idle, _LONGEST_WINDOW) if to_zero else _LONGEST_WINDOW}
                }
            }
        },
        "triggers": triggers(given.target, wanted.pool, wanted.settings, to_zero=to_zero),
    }
    if to_zero:
        # Without the second one, KEDA would end the copies of a new set at once.
        spec |= {"pollingInterval": _POLLING_SECONDS, "cooldownPeriod": idle, "initialCooldownPeriod": idle}
    return owned(SCALED_OBJECT_API, SCALED_OBJECT, owner.ref.name, owner, {"spec": spec}, annotations=_pauses(annotations))


def _pauses(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return KEDA's annotations that pause scaling as the InferenceSet asks for it."""
    paused = {key: value for key, value in annotations.items() if key in KEDA_PAUSES}
    if annotations.get(PAUSE_ANNOTATION, "").lower() == "true":
        paused.setdefault(KEDA_PAUSE, "true")
    return paused
