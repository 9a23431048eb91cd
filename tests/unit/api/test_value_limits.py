"""What every Workspace keeps to, whatever its fields mean."""

from functools import reduce

import pytest

from tests.unit.factories import quickstart
from workspace_ctrl.api.errors import SpecError, field_path
from workspace_ctrl.api.value_limits import MOST_LEVELS, MOST_VALUES, check_values
from workspace_ctrl.api.workspace import parse_workspace


def nested(levels):
    return reduce(lambda inside, _: {"a": inside}, range(levels), {})


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (2**63, "template.x must be a number of at most 64 bits"),
        (-(2**63) - 1, "template.x must be a number of at most 64 bits"),
        (-(10**300), "template.x must be a number of at most 64 bits"),
        (float("nan"), "template.x must be a finite number"),
        ([1, float("inf")], "template.x[1] must be a finite number"),
        ("a\ud800", "template.x contains half of a surrogate pair, which is not a valid character"),
        ({"b c": "\udfff"}, 'template.x["b c"] contains half of a surrogate pair, which is not a valid character'),
        ({"\ud800": 1}, "template.x has a key that is not a valid string"),
        (object(), "template.x must be a string, number, boolean, list or object"),
    ],
)
def test_what_no_object_can_hold_is_refused_where_it_stands(inside, message):
    with pytest.raises(SpecError) as caught:
        check_values({"template": {"x": inside}})
    assert str(caught.value) == message


@pytest.mark.parametrize("inside", [2**63 - 1, -(2**63), 1e300, 0.5, True, None, "模型", [], {}, nested(MOST_LEVELS - 3)])
def test_what_an_object_can_hold_is_taken(inside):
    check_values({"template": {"x": inside}})


def test_a_workspace_is_at_most_so_deep():
    check_values(nested(MOST_LEVELS - 1))
    with pytest.raises(SpecError, match="is nested deeper than 64 levels"):
        check_values(nested(MOST_LEVELS))


@pytest.mark.parametrize(
    "many", [lambda count: [1] * count, lambda count: {f"k{n}": {} for n in range(count)}], ids=["list", "map"]
)
def test_a_workspace_has_at_most_so_many_values(many):
    check_values({"x": many(MOST_VALUES - 1)})
    with pytest.raises(SpecError, match="a Workspace can have at most 5,000 values"):
        check_values({"x": many(MOST_VALUES)})


def test_the_values_are_looked_at_before_the_models_are_made():
    fields = quickstart(inference={"template": {"spec": {"containers": [{"env": [{"name": "A"}] * MOST_VALUES}]}}})
    with pytest.raises(SpecError, match="a Workspace can have at most"):
        parse_workspace("workspace-phi-4-mini", fields)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (("spec", "containers", 0, "name"), "spec.containers[0].name"),
        (("values", "k" * 200_000), f'values["{"k" * 63}'),
        (("values", "\u202ea"), 'values["\\u202ea"]'),
        (("values", "\u05d0"), 'values["\\u05d0"]'),
    ],
)
def test_a_user_s_own_keys_are_cut_and_escaped_in_paths(location, path):
    assert field_path(location).removesuffix("]") == path.removesuffix("]")


def test_a_path_is_bounded():
    assert len(field_path(("k" * 64,) * 64)) <= 1024
