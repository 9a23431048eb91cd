"""At which stage Flux is with an object, by its conditions."""

import pytest

from tests.unit.factories import DIGEST, condition, release, source
from workspace_ctrl.records.flux import Stage


def failed(type_="Ready", status="False", generation=1):
    return condition(type_, status, "InstallFailed", "no", generation)


@pytest.mark.parametrize(
    ("record", "type_", "stage"),
    [
        pytest.param(release(conditions=(failed(),)), "Ready", Stage.FAILING, id="it has failed"),
        pytest.param(
            release(conditions=(failed("Released"), failed("Ready", "Unknown"))), "Released", Stage.FAILING, id="it is tried again"
        ),
        pytest.param(
            release(generation=2, conditions=(failed(), failed("Reconciling", "True", 2))),
            None,
            Stage.WORKING,
            id="for an older spec",
        ),
        pytest.param(
            release(generation=2, conditions=(failed("Released"), failed("Reconciling", "True", 2))),
            None,
            Stage.WORKING,
            id="released for an older spec",
        ),
        pytest.param(release(generation=2, conditions=(failed(),)), None, Stage.UNSEEN, id="the newest spec was not seen yet"),
        pytest.param(source(conditions=(failed("FetchFailed", "True"),)), "FetchFailed", Stage.FAILING, id="it was not fetched"),
        pytest.param(
            source(generation=2, conditions=(failed("FetchFailed", "True"), failed("Reconciling", "True", 2))),
            None,
            Stage.WORKING,
            id="not fetched for an older spec",
        ),
    ],
)
def test_a_failure_is_one_of_the_newest_spec(record, type_, stage):
    assert (record.failure.type if record.failure else None, record.unfinished_stage()) == (type_, stage)


@pytest.mark.parametrize(
    ("fields", "stage"),
    [
        pytest.param({}, Stage.DONE, id="installed"),
        pytest.param({"requested": True}, Stage.UNSEEN, id="somebody has asked for a look"),
        pytest.param(
            {"requested": True, "conditions": (condition("Ready"), condition("Reconciling"))}, Stage.DONE, id="which is under way"
        ),
    ],
)
def test_what_is_installed_is_done_unless_a_look_is_awaited(fields, stage):
    assert release(**fields).stage(DIGEST) is stage
