"""`inference`: sizes with units, and which form of model is given."""

import pytest

from workspace_ctrl.api.inference import Inference, ModelSize


@pytest.mark.parametrize(
    ("text", "gib"),
    [
        ("512Mi", 0.5),
        ("15Gi", 15.0),
        ("1.5Gi", 1.5),
        ("2Ti", 2048.0),
        ("1073.741824M", 1.0),
        ("1.073741824G", 1.0),
        ("1.099511627T", pytest.approx(1024.0, rel=1e-8)),
    ],
)
def test_every_unit_of_a_size_is_what_it_is_in_kubernetes(text, gib):
    assert ModelSize(weights=text).weights_gib == gib


def test_which_form_is_given():
    assert Inference().sources == []
    assert Inference.model_validate({"template": {}}).sources == ["template"]
    both = Inference.model_construct(preset={"name": "x"}, workload_ref={"kind": "Deployment", "name": "x"})
    assert both.sources == ["preset", "workloadRef"]
