"""The health checks for Argo CD in examples/argo-cd, run by Lua 5.1 as Argo CD does, on the statuses that are written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from lupa.lua51 import LuaRuntime

from tests.unit.factories import NOW, decisions, deployment, pod, status, workspace
from tests.unit.readiness.any_status import any_status
from tests.unit.readiness.test_status import READY
from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.crd import KINDS, crd
from workspace_ctrl.api.labels import GROUP
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.readiness.failure_reasons import SCALED_TO_ZERO
from workspace_ctrl.records.companion_status import divided

FILE = Path(__file__).parents[3] / "examples" / "argo-cd" / "argocd-cm.yaml"
PREFIX = f"resource.customizations.health.{GROUP}_"
CHECKS = yaml.safe_load(FILE.read_text())["data"]
NOT_SEEN = "workspace-ctrl has not reported on this generation yet"


def health(found, *, generation=1, kind="Workspace"):
    """What Argo CD says of an object with that status."""
    lua = LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    document = {"metadata": {"name": "phi", "generation": generation}} | ({} if found is None else {"status": found})
    lua.globals().obj = lua.table_from(json.loads(json.dumps(document)), recursive=True)
    said = lua.execute(CHECKS[f"{PREFIX}{kind}"])
    return said.status, said.message


def message(found, type_=ConditionType.READY):
    return find(found.conditions, type_).message


def made(snapshot=READY, *problems):
    return status(workspace(), snapshot, decisions(*problems), NOW)


def test_every_kind_of_ours_has_a_check():
    assert set(CHECKS) == {f"{PREFIX}{kind}" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_status_yet_is_progressing(kind):
    default = crd(kind)["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]["properties"]["status"]["default"]
    for found in (None, {}, default):
        assert health(found, kind=kind) == ("Progressing", NOT_SEEN)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_served_is_healthy_until_its_spec_changes(kind):
    found = made()
    assert health(found.as_object(), kind=kind) == ("Healthy", message(found))
    assert health(found.as_object(), generation=2, kind=kind) == ("Progressing", NOT_SEEN)


def test_one_that_starts_is_progressing_with_the_reason_of_ready():
    found = made(replace(READY, workloads=(deployment(ready=0),), pods=(pod(ready=False),)))
    assert health(found.as_object()) == ("Progressing", message(found))


def test_one_that_needs_a_user_is_degraded():
    found = made(READY, Problem(LinkName.SPEC, "InvalidSpec", "no such preset", terminal=True))
    assert health(found.as_object()) == ("Degraded", message(found, ConditionType.STALLED))
    assert "no such preset" in message(found, ConditionType.STALLED)


def test_one_at_zero_is_suspended():
    found = made(replace(READY, workloads=(deployment(ready=0, replicas=0),), pods=()))
    assert find(found.conditions, ConditionType.READY).reason == SCALED_TO_ZERO
    assert health(found.as_object()) == ("Suspended", message(found))


def test_in_companion_mode_the_one_condition_of_ours_decides():
    ours = divided(made()).condition
    kaito = {"type": "WorkspaceSucceeded", "status": "True", "reason": "x", "message": "m", "observedGeneration": 1}
    assert health({"conditions": [kaito, ours.as_object()]}) == ("Healthy", ours.message)
    assert health({"conditions": [kaito]}) == ("Progressing", NOT_SEEN)


@given(any_status())
def test_only_ready_is_healthy_and_only_stalled_is_degraded(found):
    def is_true(type_):
        return (condition := find(found.conditions, type_)) is not None and condition.is_true

    told, words = health(found.as_object())
    assert (told == "Healthy", told == "Degraded") == (is_true(ConditionType.READY), is_true(ConditionType.STALLED))
    assert words == message(found)
