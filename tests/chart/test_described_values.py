"""Every value is described, its examples are accepted, and the chart's README is generated from both."""

import base64
import json

import pytest
import yaml

from docsite.values_page import values_page
from e2e.cluster.chart import SOURCE
from e2e.cluster.places import REPOSITORY
from e2e.release import merge
from tests.chart.helm import GATE, render

SCHEMA = json.loads((SOURCE / "values.schema.json").read_text())
OF_A_POD = {"env"}
"""Lists of what a pod has; their entries are described by Kubernetes."""
ALONE = {"bodyBasedRouting", "scope"}
"""Values that exclude each other."""


def described(schema, path=()):
    """Yield path and schema of each value, and of what is within."""
    for name, child in schema.get("properties", {}).items():
        yield (*path, name), child
        yield from described(child, (*path, name))
        if name not in OF_A_POD and isinstance(child.get("items"), dict):
            yield from described(child["items"], (*path, f"{name}[]"))


VALUES = dict(described(SCHEMA))
EXAMPLES = [(path, example) for path, schema in VALUES.items() for example in schema.get("examples", ())]


def batches():
    """Values with as many examples in each as can be together."""
    found = []
    for path, example in EXAMPLES:
        value = example
        for name in reversed(path):
            value = {name: value}
        key = path[0]
        place = next((batch for batch in found if key not in batch and not (key in ALONE and ALONE & batch.keys())), None)
        if place is None:
            found.append(place := {})
        place[key] = value[key]
    return found


@pytest.mark.parametrize("path", VALUES, ids=".".join)
def test_a_value_is_described(path):
    description = VALUES[path]["description"]
    assert description.endswith(".")
    assert len(description) < 300


def test_the_values_that_have_defaults_are_those_of_the_schema():
    assert yaml.safe_load((SOURCE / "values.yaml").read_text()).keys() <= SCHEMA["properties"].keys()


@pytest.mark.parametrize("values", [pytest.param(batch, id="-".join(batch)[:60]) for batch in batches()])
def test_examples_are_accepted(values):
    assert render(merge(GATE, {"flux2": {"enabled": False}}, values))


def test_there_are_examples():
    assert len(EXAMPLES) >= 40


def test_the_readme_is_current():
    assert (SOURCE / "README.md").read_text() == values_page()


def test_the_icon_needs_no_other_server():
    icon = yaml.safe_load((SOURCE / "Chart.yaml").read_text())["icon"]
    kind, _, content = icon.partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert base64.b64decode(content) == (REPOSITORY / "docs/icon.svg").read_bytes()
