"""The fractions of request ids: every id belongs to one member, and each member gets its share of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.planning.traffic.request_ids import fractions

IDS = [f"{number:03x}4c2b1-1d0e-9a7f-8b52-0c6c5d1b9f3e" for number in range(4096)]


def taken(weights):
    """How many of all beginnings of request ids each expression matches, as a whole; fails if two match one."""
    found = dict.fromkeys(weights, 0)
    compiled = {name: re.compile(expression) for name, expression in fractions(weights).items()}
    for identifier in IDS:
        (name,) = [name for name, expression in compiled.items() if expression.fullmatch(identifier)]
        found[name] += 1
    return found


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param({"v1": 90, "v2": 10}, {"v1": 3685, "v2": 411}, id="90 to 10"),
        pytest.param({"v1": 1, "v2": 1}, {"v1": 2048, "v2": 2048}, id="halves"),
        pytest.param({"v1": 1_000_000, "v2": 1}, {"v1": 4094, "v2": 2}, id="the smallest share"),
        pytest.param({"v1": 5}, {"v1": 4096}, id="a single one"),
    ],
)
def test_shares_of_all_ids(weights, expected):
    assert taken(weights) == expected


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=8))
def test_each_id_has_one_member_and_each_member_its_share(weights):
    named = {f"v{index}": weight for index, weight in enumerate(weights)}
    shares = taken(named)
    for name, weight in named.items():
        assert shares[name] >= 1
        assert abs(shares[name] / 4096 - weight / sum(weights)) < 9 / 4096


def test_ids_that_are_no_uuids_match_none():
    assert not any(re.fullmatch(expression, "order-17") for expression in fractions({"v1": 1, "v2": 1}).values())
