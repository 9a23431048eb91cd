"""Shares of a group with canaries, as weights."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.gateway_spec import LARGEST_WEIGHT
from workspace_ctrl.planning.traffic.shares import with_canary

WEIGHTS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, LARGEST_WEIGHT), max_size=7)


@pytest.mark.parametrize(
    ("weights", "percent", "expected"),
    [
        ({"v1": 100}, 10, {"v1": 90, "v2": 10}),
        ({"v1": 7}, 25, {"v1": 75, "v2": 25}),
        ({"v1": 3, "v0": 1}, 10, {"v1": 135, "v0": 45, "v2": 20}),
        ({"v1": 100}, 0, {"v1": 100}),
        ({"v1": 100}, 100, {"v2": 100}),
        ({}, 10, {"v2": 100}),
    ],
)
def test_the_canary_gets_its_percentage_of_all(weights, percent, expected):
    assert with_canary(weights, "v2", percent) == expected


@given(WEIGHTS, st.integers(1, 99))
def test_shares_are_as_wanted_and_within_the_limits_of_a_route(weights, percent):
    found = with_canary(weights, "canary", percent)
    assert all(0 < weight <= LARGEST_WEIGHT for weight in found.values())
    if weights:
        share = Fraction(found["canary"], sum(found.values()))
        assert abs(share - Fraction(percent, 100)) < Fraction(1, 1000)
