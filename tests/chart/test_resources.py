"""Requests and limits in the values: a misspelt word, or a quantity that Kubernetes does not know, is refused wherever they are."""

import json
from functools import reduce

import pytest

from e2e.cluster.chart import SOURCE
from e2e.release import merge
from tests.chart.helm import GATE, refusal, render
from tests.chart.test_described_values import VALUES

PATHS = [path for path in VALUES if path[-1].lower().endswith("resources")]
QUANTITIES = ("1", "0.5", "100m", "1e3", "128Mi", "2G", 4, 0.5, 68719476736)


def at(path, value):
    """Return values with `value` at the path."""
    return reduce(lambda within, name: {name: within}, reversed(path), value)


def everywhere(value):
    return reduce(merge, (at(path, value) for path in PATHS), {})


def test_there_are_some():
    assert {("resources",), ("modelServer", "resources"), ("endpointPicker", "resources")} < set(PATHS)


@pytest.mark.parametrize(
    ("value", "below", "words"),
    [
        pytest.param({"request": {"cpu": 1}}, "", "additional properties 'request' not allowed", id="misspelt"),
        pytest.param({"claims": []}, "", "additional properties 'claims' not allowed", id="claims of a pod that has none"),
        pytest.param({"limits": {"memory": "4GB"}}, "/limits/memory", "'4GB' does not match pattern", id="suffix"),
        pytest.param({"requests": {"memory": "16gi"}}, "/requests/memory", "'16gi' does not match pattern", id="case"),
        pytest.param({"requests": {"cpu": -1}}, "/requests/cpu", "minimum: got -1, want 0", id="negative"),
        pytest.param({"requests": {"cpu": True}}, "/requests/cpu", "got boolean", id="no number"),
        pytest.param({"requests": {"a b": 1}}, "/requests", "additional properties 'a b' not allowed", id="no name"),
    ],
)
def test_what_is_no_request_or_limit_is_refused_everywhere(value, below, words):
    said = refusal(everywhere(value))
    for path in PATHS:
        assert f"at '/{'/'.join(path)}{below}': {words}" in said
    assert said.count("at '/") == len(PATHS)


def test_quantities_of_kubernetes_are_accepted_everywhere():
    quantities = {f"example.com/{number}": quantity for number, quantity in enumerate(QUANTITIES)}
    assert render(GATE | everywhere({"requests": quantities, "limits": quantities}))


def test_all_are_of_one_form():
    schema = json.loads((SOURCE / "values.schema.json").read_text())
    assert {VALUES[path].get("$ref") for path in PATHS} == {"#/definitions/resources"}
    assert set(schema["definitions"]["resources"]["properties"]) == {"requests", "limits"}
