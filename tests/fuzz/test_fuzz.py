"""The short part of `make fuzz`: the same few inputs each time, and all that was ever found."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

FOUND = [(name, path) for name in TARGETS for path in corpus.entries(name)]


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_the_property_of_a_target(name):
    target = TARGETS[name]

    @settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(target.inputs)
    def search(data):
        target.check(data)

    search()


@pytest.mark.parametrize(("name", "path"), FOUND, ids=lambda value: getattr(value, "name", value))
def test_what_once_broke_a_property_does_not_do_so_again(name, path):
    TARGETS[name].check(path.read_bytes())


def test_the_corpus_is_small_and_of_targets_that_exist():
    files = [path for path in corpus.FOLDER.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} <= set(TARGETS)
    assert all(path.stat().st_size <= corpus.LARGEST for path in files)
