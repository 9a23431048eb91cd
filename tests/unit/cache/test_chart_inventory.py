"""The table of charts' objects: what informers put in, and what is seen of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.cache.chart_inventory import InventoryStore, InventoryTable
from workspace_ctrl.records.chart_inventory import ChartObject, chart_object_id

OWNER = ("ns", "phi")


def part(kind="Role", name="phi-epp", shape=1, workspace="phi", namespace="ns"):
    return ChartObject(namespace, kind, name, workspace, shape)


def listed(*parts):
    return {(entry.namespace, entry.name): (entry, 1) for entry in parts}


@pytest.fixture
def table():
    return InventoryTable()


@pytest.fixture
def roles(table):
    return InventoryStore(table, "Role")


def test_objects_of_several_kinds_are_seen_together(table, roles):
    services = InventoryStore(table, "Service")
    roles.replace(listed(part(), part(name="phi-epp-sa", shape=2)), 1)
    assert services.put(("ns", "phi-epp"), part("Service", shape=3), 2)
    assert table.of(OWNER) == {
        chart_object_id("Role", "phi-epp"): 1,
        chart_object_id("Role", "phi-epp-sa"): 2,
        chart_object_id("Service", "phi-epp"): 3,
    }


def test_only_changes_are_told(roles):
    assert roles.put(("ns", "phi-epp"), part(), 1)
    assert not roles.put(("ns", "phi-epp"), part(), 2)
    assert roles.put(("ns", "phi-epp"), part(shape=2), 3)
    assert roles.newest == 3


def test_a_deletion_is_told_and_leaves_nothing(table, roles):
    roles.put(("ns", "phi-epp"), part(), 1)
    assert roles.remove(("ns", "phi-epp"), 2, part()).owner == OWNER
    assert roles.remove(("ns", "phi-epp"), 3, part()) is None
    assert table.owners() == ()


def test_a_new_list_tells_what_went_while_the_watch_was_broken(table, roles):
    services = InventoryStore(table, "Service")
    services.replace(listed(part("Service")), 1)
    roles.replace(listed(part(), part(workspace="other", name="other-epp")), 1)
    assert [entry.owner for entry in roles.replace(listed(part(workspace="other", name="other-epp")), 2)] == [OWNER]
    assert table.of(OWNER) == {chart_object_id("Service", "phi-epp"): 1}


def test_a_list_of_one_namespace_says_nothing_of_others(table):
    one, two = (InventoryStore(table, "Role", namespace) for namespace in ("one", "two"))
    one.replace(listed(part(namespace="one")), 1)
    two.replace({}, 1)
    assert table.owners() == (("one", "phi"),)


def test_objects_of_nobody_are_left_out(table, roles):
    assert not roles.put(("ns", "x"), part(workspace=""), 1)
    assert roles.replace(listed(part(workspace="")), 2) == []
    assert roles.is_filled


shapes = st.dictionaries(
    st.sampled_from([("Role", "a"), ("Role", "b"), ("Service", "a"), ("ConfigMap", "c")]), st.integers(0, 2**32 - 1)
)


@given(shapes)
def test_what_is_put_in_comes_out(contents):
    table = InventoryTable()
    for (kind, name), shape in contents.items():
        InventoryStore(table, kind).put(("ns", name), part(kind, name, shape), 1)
    assert table.of(OWNER) == {chart_object_id(kind, name): shape for (kind, name), shape in contents.items()}
