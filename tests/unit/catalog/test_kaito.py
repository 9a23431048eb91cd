"""The table of what KAITO has, and its page."""

import pytest

from tests.unit.cli.test_cli import REPOSITORY
from workspace_ctrl.api.labels import KAITO_SCALING, LOCAL_WEIGHTS_ANNOTATION, USER_ANNOTATIONS
from workspace_ctrl.catalog.kaito import (
    Effect,
    find_entry,
    ignored,
    kaito_annotations,
    kaito_fields,
    kaito_labels,
    kaito_status,
)
from workspace_ctrl.catalog.kaito_page import kaito_page
from workspace_ctrl.records.workspaces import is_kept

PAGE = kaito_page()
ENTRIES = [*kaito_annotations().values(), *kaito_labels().values(), *kaito_fields().values(), *kaito_status().values()]


def test_the_page_is_current():
    assert (REPOSITORY / "docs/reference/kaito.md").read_text() == PAGE


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.name) for entry in ENTRIES])
def test_every_entry_has_a_row_with_its_effect(entry):
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{entry.name}` |"))
    name, since, here, meaning = (cell.strip() for cell in row.strip("|").split(" | "))
    assert (name.strip("`"), since, here.partition(",")[0], meaning) == (entry.name, entry.since, entry.effect, entry.reason)
    assert all(f"`{value}`" in here for value in entry.satisfied)


def test_the_annotations_of_kaito_that_have_an_effect_are_those_of_the_reference():
    honoured = {name for name, entry in kaito_annotations().items() if entry.effect is Effect.HONOURED}
    assert honoured == {key for key in USER_ANNOTATIONS if key.startswith("kaito.sh/")} | set(KAITO_SCALING)
    rejected = [name for name, entry in kaito_annotations().items() if entry.effect is Effect.REJECTED]
    assert rejected == [LOCAL_WEIGHTS_ANNOTATION]


def test_what_is_rejected_has_a_way_out():
    assert [entry.name for entry in ENTRIES if entry.effect is Effect.REJECTED and not entry.instead] == []


def test_a_key_belongs_to_its_own_row_or_to_that_of_its_prefix():
    entries = kaito_annotations()
    assert find_entry("kaito.sh/run-benchmark", entries) is entries["kaito.sh/run-benchmark"]
    assert find_entry("scaledobject.kaito.sh/threshold/0", entries) is entries["scaledobject.kaito.sh/*"]
    assert find_entry("kaito.sh/of-nobody", entries) is None
    assert find_entry("no-prefix", entries) is None


def test_keys_of_one_row_come_together_and_satisfied_values_not_at_all():
    values = {
        "scaledobject.kaito.sh/b": "1",
        "scaledobject.kaito.sh/a": "1",
        "kaito.sh/model-streaming": "Disabled",
        "kaito.sh/runtime": "vllm",
    }
    (found,) = ignored(values, kaito_annotations())
    assert found == (kaito_annotations()["scaledobject.kaito.sh/*"], ["scaledobject.kaito.sh/a", "scaledobject.kaito.sh/b"])


def test_every_key_has_a_prefix_with_which_it_is_kept():
    assert [key for key in (*kaito_annotations(), *kaito_labels()) if not is_kept(key)] == []
