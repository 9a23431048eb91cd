"""Only the newest values stay."""

from workspace_ctrl.kube.bounded_cache import BoundedCache


def test_what_was_kept_for_the_longest_time_goes_first():
    recent = BoundedCache(2)
    for key in "aba":
        recent.keep(key, key)
    recent.keep("c", "c")
    assert (len(recent), recent.get("a"), recent.get("b"), recent.get("c")) == (2, "a", None, "c")


def test_what_is_dropped_makes_room():
    recent = BoundedCache(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    recent.drop("a")
    recent.drop("a")
    recent.keep("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (None, 2, 3)
