"""GatewayReady falls when requests fail and rises when they are answered. How soon, and after more faults, `make agreement` measures."""

from e2e.agreement import report
from e2e.agreement.faults import FAULTS
from e2e.agreement.run import try_fault
from e2e.agreement.scene import ISTIO, scene

SAMPLING = 0.1, 10.0
"""Seconds between two requests, and after which one counts as not answered: beside other tests, one may take longer than the usual two, and
of a fault that nobody else notices, no status tells."""


def test_gateway_ready_follows_real_requests_down_and_up_again(serving_cluster, namespace, capsys):
    chosen = [fault for fault in FAULTS if fault.is_short]
    noticed, untold = [], []
    with scene(serving_cluster, namespace, ISTIO) as prepared:
        for fault in chosen:
            # Raises unless requests are answered and GatewayReady is True in the end.
            outcome = try_fault(prepared, fault, SAMPLING)
            with capsys.disabled():
                print(f"\n  {fault.name}: {', '.join(report.row(outcome)[2:])}\n    {outcome.story}", end="")
            # What is made anew before any request fails is not told, and need not be.
            if outcome.failing:
                noticed.append(fault.name)
                if outcome.told_after is None:
                    untold.append(f"{fault.name}: {outcome.story}")
    assert untold == []
    assert noticed, "requests went on through every fault"
