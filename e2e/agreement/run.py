"""Trying faults one after the other."""

import time

from e2e.agreement.faults import FALSE_WHILE_WORKING_SECONDS, Fault
from e2e.agreement.observation import Observation
from e2e.agreement.outcome import Bounds, Outcome, outcome
from e2e.agreement.scene import GatewayClass, Scene

EFFECT_SECONDS = 25.0
"""How long a fault is left alone at most; longer than the kubelet needs to notice a container that stands still."""
RECOVERY_SECONDS = 120.0


def try_fault(scene: Scene, fault: Fault, sampling: tuple[float, float] | None = None) -> Outcome:
    """Break, look on until condition and requests agree or it is clear that they do not, mend, look on until all is well.

    `sampling` is how often a request is sent, and after how long it counts as not answered, in seconds, if not as usual.

    Raises:
        NotSteadyError: all was not well before, or did not become so again.
    """
    promised = bounds(fault, scene.gateway_class)
    with Observation(scene.cluster, scene.namespace, fault.workspace, sampling=sampling) as seen:
        seen.wait_well(RECOVERY_SECONDS)
        start = time.monotonic()
        with fault.act(scene):
            seen.wait_calm(start, EFFECT_SECONDS, may_differ=promised.false_while_working is None)
            mended = time.monotonic()
        seen.wait_well(RECOVERY_SECONDS)
        found = seen.between(start, time.monotonic())
    return outcome(fault.name, fault.witness.value, promised, found, mended)


def bounds(fault: Fault, gateway_class: GatewayClass) -> Bounds:
    """Return what is promised of a fault behind a class of Gateways."""
    on_purpose = fault.is_outlived or (fault.is_picker and gateway_class.passes_the_picker)
    return Bounds(fault.witness.seconds, None if on_purpose else FALSE_WHILE_WORKING_SECONDS)
