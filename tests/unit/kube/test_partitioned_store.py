"""Stores of several namespaces, read as one."""

from workspace_ctrl.kube.partitioned_store import PartitionedStore


def store():
    made = PartitionedStore(lambda record: record[0], ["a", "b"])
    made.parts["a"].put(("a", "one"), (("a", "w"), 1), 5)
    made.parts["b"].put(("b", "two"), (("b", "w"), 2), 9)
    return made


def test_reads_find_the_records_of_all_namespaces():
    assert store().keys() == (("a", "one"), ("b", "two"))
    assert list(store().values()) == [(("a", "w"), 1), (("b", "w"), 2)]
    assert store().get(("b", "two")) == (("b", "w"), 2)
    assert store().owned_by(("a", "w")) == ((("a", "w"), 1),)
    assert len(store()) == 2


def test_a_namespace_that_is_not_watched_holds_nothing():
    assert store().get(("c", "one")) is None
    assert store().owned_by(("c", "w")) == ()


def test_a_new_list_of_one_namespace_leaves_the_others_alone():
    made = store()
    made.parts["a"].replace({}, 20)
    assert made.keys() == (("b", "two"),)


def test_our_write_is_kept_however_far_the_watch_of_another_namespace_is():
    made = store()
    made.parts["b"].advance(100)
    made.write_through(("a", "one"), (("a", "w"), 7), 50)
    assert made.get(("a", "one")) == (("a", "w"), 7)
