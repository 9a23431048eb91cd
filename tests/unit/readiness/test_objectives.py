"""What a Workspace says of its InferenceObjectives."""

from dataclasses import replace

import pytest

from tests.unit.factories import NOW, decisions, meta, status, workspace
from tests.unit.readiness.test_status import READY, conditions, state
from workspace_ctrl.api.conditions import find
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.readiness.objectives import existing_objectives, objectives_link
from workspace_ctrl.records.objectives import InferenceObjective

WANTED = decisions(objectives=("phi.interactive", "phi.batch"))


def there(*names, **fields):
    return replace(READY, objectives=tuple(InferenceObjective(meta("InferenceObjective", name, **fields)) for name in names))


@pytest.mark.parametrize(
    ("snapshot", "decided", "expected"),
    [
        pytest.param(READY, decisions(), None, id="none wanted"),
        pytest.param(there("phi.old"), decisions(), None, id="one goes"),
        pytest.param(there("phi.batch"), WANTED, ("Unknown", "ObjectivesNotCreated"), id="one missing"),
        pytest.param(
            there("phi.interactive", "phi.batch", deleting=True), WANTED, ("Unknown", "ObjectivesNotCreated"), id="being deleted"
        ),
        pytest.param(there("phi.batch", "phi.interactive"), WANTED, ("True", "ObjectivesCreated"), id="all there"),
        pytest.param(
            READY,
            replace(WANTED, problems=(Problem(LinkName.OBJECTIVES, "CRDsNotAvailable", "install it"),)),
            ("False", "CRDsNotAvailable"),
            id="no CRD",
        ),
    ],
)
def test_it_is_told_and_the_workspace_is_ready_all_the_same(snapshot, decided, expected):
    entries = conditions(snapshot, decided)
    assert state(entries, "ObjectivesReady") == expected
    assert state(entries, "GatewayReady") == ("True", "GatewayConfigured")
    assert state(entries, "Ready") == ("True", "Ready")


def test_the_names_to_send_are_told():
    entries = conditions(there("phi.interactive", "phi.batch"), WANTED)
    assert "phi.interactive, phi.batch in x-gateway-inference-objective" in find(entries, "ObjectivesReady").message
    found = status(workspace(), there("phi.batch"), WANTED, NOW)
    assert found.gateway.objectives == ("phi.batch",)


def test_only_those_count_that_the_endpoint_picker_reads():
    both = tuple(InferenceObjective(meta(kind, "a")) for kind in ("InferenceObjective", "InferenceObjective.llm-d.ai"))
    assert existing_objectives(["a"], both[:1], ["InferenceObjective.llm-d.ai"]) == ()
    assert existing_objectives(["a"], both, ["InferenceObjective.llm-d.ai"]) == ("a",)
    assert objectives_link(["a"], both[:1], ["InferenceObjective.llm-d.ai"]).reason == "ObjectivesNotCreated"
    assert objectives_link(["a"], both[:1]).holds
