"""JSON has one type of number: 3.0 is 3 in every integer field, as it is for the API server."""

import pytest

from tests.integer_fields import NEVER_SET, fields_of_the_crds, whole_numbers
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import parse_inference_set
from workspace_ctrl.api.labels import SET_KIND
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.plan_settings import PlanSettings

TRIED = list(whole_numbers())


def test_each_integer_field_is_tried():
    assert {name for name, _, _ in TRIED} == fields_of_the_crds() - NEVER_SET


@pytest.mark.parametrize(("kind", "document"), [pytest.param(*rest, id=name) for name, *rest in TRIED])
def test_a_whole_number_with_a_point_is_one_without(kind, document):
    parse = parse_inference_set if kind == SET_KIND else parse_workspace
    parse("tried", document)
    metadata = {"apiVersion": "kaito.sh/v1beta1", "kind": kind, "metadata": {"name": "tried"}}
    assert judge(metadata | document, Known(), PlanSettings(gateway_extension=True)).refusals == ()


@pytest.mark.parametrize("number", [1.5, "1", True])
def test_other_numbers_in_lists_are_refused(number):
    resource = {"labelSelector": {}, "instanceType": "Standard_NC24ads_A100_v4"}
    for gateway in ({"probe": {"path": "/", "codes": [number]}}, {"group": {"name": "g", "canary": {"steps": [number]}}}):
        with pytest.raises(SpecError, match="must be a whole number"):
            parse_workspace("tried", {"resource": resource, "inference": {"preset": {"name": "phi-4"}}, "gateway": gateway})
