"""What is built before tests run: what the chosen ones need and no more."""

import pytest

from e2e.cluster import Form, fixtures

OWN = """
import pytest

@pytest.fixture
def cluster():
    return "mine"

def test_it(cluster):
    assert cluster == "mine"

@pytest.mark.parametrize("plane", [1, 2])
def test_another(plane):
    assert plane
"""
OURS = "def test_it(plane):\n    pass\n"


@pytest.fixture
def built(monkeypatch):
    forms = []
    monkeypatch.setattr(fixtures, "prepare", lambda form, *_, **__: forms.append(form))
    monkeypatch.setattr(fixtures, "_started", lambda fixture: iter([fixture]))
    return forms


def run(pytester, code):
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")  # what pytest-asyncio warns of otherwise
    pytester.makepyfile(code)
    return pytester.runpytest_inprocess("-p", "e2e.cluster.fixtures", "-p", "no:randomly")


def test_a_cluster_that_tests_use_is_built_first(pytester, built):
    run(pytester, OURS).assert_outcomes(passed=1)
    assert built == [Form.PLANE]


def test_nothing_is_built_for_fixtures_and_parameters_that_happen_to_have_the_name(pytester, built):
    run(pytester, OWN).assert_outcomes(passed=3)
    assert built == []
