"""What the benchmark does to a controller on purpose."""

import pytest

from e2e.bench import hostile_fleet
from e2e.bench.figures import Hostile, Start, hostile_rows

MOST_BYTES = 1_500_000
"""Of an object that etcd stores, roughly."""


def test_all_kinds_of_harm_come_before_one_comes_again():
    kinds = len(hostile_fleet.KINDS)
    names = hostile_fleet.names(2 * kinds)
    assert len(set(names)) == 2 * kinds
    assert {name.rpartition("-")[0] for name in names[:kinds]} == set(hostile_fleet.KINDS)


@pytest.fixture(scope="module")
def one_of_each():
    """The requests that create one hostile object of each kind, and two of some."""
    return list(hostile_fleet.requests(18))


def test_each_hostile_object_is_one_that_an_api_server_would_store(one_of_each):
    assert len(one_of_each) >= len(hostile_fleet.KINDS)
    for request in one_of_each:
        assert 500 < len(request.body) <= MOST_BYTES, request.path
        assert f"/namespaces/{hostile_fleet.NAMESPACE}/" in request.path


def test_the_same_objects_come_in_each_run(one_of_each):
    assert list(hostile_fleet.requests(18)) == one_of_each


@pytest.mark.parametrize(("name", "wrong"), [("deep-70-000", True), ("right-variables-010", False), ("labels-012", False)])
def test_those_that_are_only_large_are_not_wrong(name, wrong):
    assert hostile_fleet.is_wrong(name) is wrong


def test_the_table_says_what_the_harm_was():
    first, second = Start(2.5, 150.2, 0.5), Start(12.25, 140.0, 0.25)
    rows = dict(hostile_rows(Hostile(500, 20, 2.0, 41.0, 2.5, first, second, 2.25, 2.3)))
    expected = ["2.00 s / 41.0 s / 2.50 s / 12.2 s", "2.25 s / 2.30 s", "2.50 s", "150 / 140 MiB", "500 / 250 ms"]
    assert list(rows.values()) == expected
    assert all("500 hostile" in what for what in rows)
