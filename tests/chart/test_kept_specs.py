"""Policies for the controller's own user: an object of a user whose spec stays as it is can be handed over, whatever it says."""

import pytest

from tests.chart.helm import GATE, find, render

KEPT = '(request.operation == "UPDATE" && object.spec == oldObject.spec)'


@pytest.mark.parametrize(("policy", "message"), [("budgets", "let a pod be evicted"), ("scaling", "by their load")])
def test_a_spec_that_is_kept_passes(policy, message):
    manifests = render({**GATE, "autoscaling": {"enabled": True}})
    found = find(manifests, "ValidatingAdmissionPolicy", f"-{policy}")
    (validation,) = (each for each in found["spec"]["validations"] if message in each["message"])
    rule, _, escape = validation["expression"].rpartition(" || ")
    assert escape == KEPT
    assert rule.startswith("(")
    assert rule.endswith(")")
