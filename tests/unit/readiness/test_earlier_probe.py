"""What a status says of requests through the Gateway, read back after a restart, so that nothing is told twice."""

import pytest

from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import GatewayStatus, ProbeStatus, WorkspaceStatus
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.readiness.probe import earlier_probe

ANSWERED = ProbeStatus(outcome="Answered", url="http://g/a/b", code=200, message="answered")
FAILED = ProbeStatus(outcome="Failed", url="http://g/a/b")


def status(ready=None, reason="Because", probe=None):
    conditions = (Condition(ConditionType.GATEWAY_READY, ready, reason, ""),) if ready is not None else ()
    return WorkspaceStatus(gateway=GatewayStatus(last_probe=probe), conditions=conditions)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param(WorkspaceStatus(), None, id="no status"),
        pytest.param(status(), None, id="no condition and no probe"),
        pytest.param(status(probe=ANSWERED), None, id="no condition"),
        pytest.param(
            status(Status.TRUE, probe=ANSWERED), ProbeResult(ProbeOutcome.ANSWERED, "http://g/a/b", 200, "answered"), id="ready"
        ),
        pytest.param(
            status(Status.TRUE),
            ProbeResult(ProbeOutcome.NOT_POSSIBLE, message="no request was tried yet"),
            id="ready by a process without probes",
        ),
        pytest.param(status(Status.FALSE), None, id="not ready, and no probe"),
        pytest.param(status(Status.FALSE, "PoolNotCreated", ANSWERED), None, id="not ready for another reason"),
        pytest.param(
            status(Status.FALSE, "ProbeFailed", FAILED), ProbeResult(ProbeOutcome.FAILED, "http://g/a/b"), id="the probe has failed"
        ),
        *(
            pytest.param(
                status(Status.TRUE, reason, ProbeStatus(outcome="NotPossible", url="u", code=code)),
                ProbeResult(ProbeOutcome.NOT_POSSIBLE, "u", code, lacks_certificate=lacks),
                id=f"{reason} with {code}",
            )
            for reason, code, lacks in (
                ("AccessRestricted", None, True),
                ("AccessRestricted", 400, True),
                ("AccessRestricted", 401, False),
                ("GatewayConfigured", None, False),
            )
        ),
        pytest.param(status(Status.TRUE, probe=ProbeStatus(outcome="Unheard")), None, id="an outcome of another version"),
    ],
)
def test_what_was_known_when_the_status_was_written(given, found):
    assert earlier_probe(given) == found
