"""The store: newest version wins, whatever the order in which news arrive."""

from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.kube.store import Store

A, B = ("ns", "a"), ("ns", "b")


def store():
    return Store[str](lambda record: ("ns", record.split("/")[0]))


def test_an_event_older_than_our_own_write_is_dropped():
    records = store()
    records.put(A, "o/1", 1)
    records.write_through(A, "o/5", 5)
    assert not records.put(A, "o/3", 3)
    assert records.get(A) == "o/5"


def test_a_write_that_the_watch_has_gone_past_is_dropped():
    records = store()
    records.put(A, "o/1", 1)
    records.remove(A, 7)
    records.write_through(A, "o/5", 5)
    assert records.get(A) is None


def test_a_deletion_does_not_take_the_object_that_was_created_after_it():
    records = store()
    records.put(A, "o/1", 1)
    records.write_through(A, "o/9", 9)
    assert records.remove(A, 8) is None
    assert records.get(A) == "o/9"


def test_an_event_that_changes_nothing_says_so():
    records = store()
    assert records.put(A, "o/1", 1)
    assert not records.put(A, "o/1", 2)


def test_a_new_list_finds_what_was_deleted_meanwhile():
    records = store()
    records.put(A, "o/1", 1)
    records.put(B, "p/1", 2)
    changed = records.replace({B: ("p/2", 8)}, 10)
    assert sorted(changed) == ["o/1", "p/2"]
    assert records.keys() == (B,)
    assert records.owned_by(("ns", "o")) == ()


def test_records_are_found_by_owner():
    records = store()
    records.put(A, "o/1", 1)
    records.put(B, "o/2", 2)
    assert records.owned_by(("ns", "o")) == ("o/1", "o/2")
    records.put(A, "p/1", 3)
    assert records.owned_by(("ns", "o")) == ("o/2",)
    assert records.owned_by(("ns", "p")) == ("p/1",)


@given(st.permutations(range(1, 8)))
def test_in_any_order_the_newest_stays(versions):
    records = store()
    for version in versions:
        records.put(A, f"o/{version}", version)
    assert records.get(A) == "o/7"
    assert len(records) == 1


def test_any_number_of_objects_may_carry_the_label_of_one_owner():
    """Adding one does not copy the keys of the others: 4,000 of them once took ten seconds, longer than the leader's lease."""
    records = store()
    names = [f"{number:05}" for number in range(30_000)]
    records.replace({("ns", name): (f"o/{name}", 1) for name in names}, 1)
    assert records.owned_by(("ns", "o")) == tuple(f"o/{name}" for name in names)
    for name in names[:-2]:
        records.remove(("ns", name), 2)
    assert records.owned_by(("ns", "o")) == ("o/29998", "o/29999")


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["o", "p", None]))))
def test_whatever_comes_and_goes_owners_know_their_own_in_order(events):
    records, kept = store(), {}
    for version, (name, owner) in enumerate(events):
        kept.pop(name, None)
        if owner is None:
            records.remove(("ns", name), version)
        else:
            records.put(("ns", name), f"{owner}/{version}", version)
            kept[name] = f"{owner}/{version}"
    for owner in "op":
        assert records.owned_by(("ns", owner)) == tuple(kept[name] for name in sorted(kept) if kept[name].startswith(owner))
