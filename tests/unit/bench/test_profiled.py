"""Samples of the controller's stacks."""

from collections import Counter

from e2e.bench.profiled import collapsed, exclusive, inclusive, parse_collapsed

STACKS = Counter({("main", "plan", "dumps"): 3, ("main", "plan"): 2, ("main", "plan", "plan"): 1})


def test_samples_survive_their_file():
    assert parse_collapsed(collapsed(STACKS)) == STACKS


def test_a_function_counts_once_a_stack():
    assert inclusive(STACKS) == {"main": 6, "plan": 6, "dumps": 3}
    assert exclusive(STACKS) == {"dumps": 3, "plan": 3}
