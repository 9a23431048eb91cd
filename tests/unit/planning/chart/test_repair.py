"""When Flux is asked to look at a release: what it made is gone or edited, and it does not look of its own accord."""

import pytest

from tests.unit.factories import NAMESPACE, UID, condition, derived, picker, pool, release, source
from workspace_ctrl.model.chart_objects import ChartObjects
from workspace_ctrl.planning.chart.repair import repair_step, take_over_step
from workspace_ctrl.records.chart_inventory import chart_object_id

ROLE, SERVICE = chart_object_id("Role", "phi-epp"), chart_object_id("Service", "phi-epp")
KINDS = frozenset({"Role", "Service"})


def step(record=None, *, gone=(), **fields):
    """The request for a release with a Role and a Service, of which those in `gone` are not there."""
    parts = {part: 1 for part in (ROLE, SERVICE) if part not in gone}
    world = {
        "source": source(),
        "release": record or release(inventory=ROLE + SERVICE),
        "parts": parts,
        "watched_kinds": KINDS,
    }
    return repair_step(ChartObjects(**{**world, **fields}), UID)


def test_nothing_is_asked_while_all_is_there():
    assert step() is None


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        pytest.param({"gone": (ROLE,)}, "Role of the release was deleted", id="one"),
        pytest.param({"gone": (ROLE, SERVICE)}, "Role, Service of the release was deleted", id="all"),
        pytest.param({"has_drifted": True}, "an object of the release was edited", id="edited"),
    ],
)
def test_what_is_gone_or_edited_is_told_to_flux_once(fields, cause):
    asked = step(**fields)
    assert (asked.ref, asked.uid, asked.cause) == (release().ref, "uid-of-HelmRelease", cause)


@pytest.mark.parametrize(
    ("missing", "cause"),
    [
        pytest.param({"pool": None, "endpoint_picker": picker()}, "InferencePool of the release was deleted", id="pool"),
        pytest.param({"pool": pool(), "endpoint_picker": None}, "Deployment of the release was deleted", id="endpoint picker"),
    ],
)
def test_where_flux_tells_no_inventory_the_two_objects_that_every_chart_has_are_missed(missing, cause):
    assert step(release(), **missing).cause == cause


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        pytest.param(release(inventory=ROLE, suspended=True), {}, id="a user has suspended it"),
        pytest.param(release(inventory=ROLE, conditions=(condition("Ready"), condition("Reconciling"))), {}, id="Flux is at work"),
        pytest.param(release(inventory=ROLE, requested=True), {}, id="it was asked already"),
        pytest.param(release(inventory=ROLE, generation=2), {}, id="Flux has a new spec to install"),
        pytest.param(release(inventory=ROLE), {"source": source(digest="sha256:bbbb")}, id="Flux has a new chart to install"),
        pytest.param(
            release(inventory=ROLE, conditions=(condition("Ready", "False", "UpgradeFailed"),)),
            {},
            id="Flux fails, and tries again",
        ),
        pytest.param(release(inventory=ROLE), {"watched_kinds": frozenset({"Service"})}, id="a kind that we do not see"),
        pytest.param(release(inventory=ROLE), {"source": None}, id="no source"),
    ],
)
def test_flux_is_left_alone(record, fields):
    assert step(record, gone=(ROLE, SERVICE), **fields) is None


def test_a_release_of_somebody_else_is_left_alone():
    world = ChartObjects(source=source(), release=release(inventory=ROLE), watched_kinds=KINDS)
    assert repair_step(world, "another") is None


PICKER = derived().endpoint_picker
EXISTS = 'Helm install failed: {} "{}" in namespace "{}" exists and cannot be imported into the current release: invalid ownership'


@pytest.mark.parametrize(
    ("found", "is_taken"),
    [
        pytest.param(("DestinationRule", PICKER, NAMESPACE), True, id="the rule for the endpoint picker"),
        pytest.param(("DestinationRule", "another", NAMESPACE), False, id="another rule"),
        pytest.param(("DestinationRule", PICKER, "elsewhere"), False, id="a rule elsewhere"),
        pytest.param(("Service", PICKER, NAMESPACE), False, id="another kind"),
    ],
)
def test_only_the_rule_for_the_endpoint_picker_is_taken_over(found, is_taken):
    failed = release(conditions=(condition("Ready", "False", "InstallFailed", EXISTS.format(*found)),))
    asked = take_over_step(ChartObjects(source=source(), release=failed), UID, PICKER)
    assert (str(asked.takes_over) if asked else None) == (f"DestinationRule {NAMESPACE}/{PICKER}" if is_taken else None)
    assert take_over_step(ChartObjects(source=source(), release=failed), "somebody", PICKER) is None
    assert take_over_step(ChartObjects(source=source(), release=release()), UID, PICKER) is None
