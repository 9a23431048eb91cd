"""GatewayReady says what a client meets, while faults come and go; `make agreement` tries all faults, and more classes of Gateways."""

import pytest

from e2e.agreement import report
from e2e.agreement.faults import FAULTS
from e2e.agreement.run import try_fault
from e2e.agreement.scene import ISTIO, scene


@pytest.mark.timeout(600)
def test_gateway_ready_agrees_with_real_requests(serving_cluster, namespace, capsys):
    violations: list[str] = []
    with scene(serving_cluster, namespace, ISTIO) as prepared:
        for fault in (fault for fault in FAULTS if fault.is_short):
            outcome = try_fault(prepared, fault)
            with capsys.disabled():
                print(f"\n  {': '.join((outcome.fault, ', '.join(report.row(outcome)[2:])))}", end="")
            violations += outcome.violations()
    assert not violations
