"""Which Workspaces are interested in which objects of others."""

from workspace_ctrl.controller.interests import InterestIndex
from workspace_ctrl.planning.steps import Interests
from workspace_ctrl.records.meta import ObjectRef

FIRST, SECOND, ELSEWHERE = ("space", "first"), ("space", "second"), ("other", "first")
SPACE = ObjectRef("Namespace", "", "space")
CONFIG = ObjectRef("ConfigMap", "space", "flags")
A_NODE = ObjectRef("Node", "", "node-1")


def test_those_who_depend_on_an_object_are_found_and_no_others():
    index = InterestIndex()
    index.set(FIRST, Interests(config="flags", namespace=True))
    index.set(SECOND, Interests(nodes=True, namespace=True))
    index.set(ELSEWHERE, Interests(config="flags"))
    assert index.interested_in(CONFIG) == (FIRST,)
    assert set(index.interested_in(SPACE)) == {FIRST, SECOND}
    assert index.interested_in(A_NODE) == (SECOND,)


def test_what_is_not_depended_on_any_more_is_forgotten():
    index = InterestIndex()
    index.set(FIRST, Interests(config="flags", nodes=True))
    index.set(FIRST, Interests(nodes=True))
    assert index.interested_in(CONFIG) == ()
    index.forget(FIRST)
    index.forget(SECOND)
    assert index.interested_in(A_NODE) == ()


def test_equal_interests_of_many_are_kept_once():
    index = InterestIndex()
    shared = index.set(FIRST, Interests(chart="inferencepool", namespace=True))
    assert index.set(SECOND, Interests(chart="inferencepool", namespace=True)) is shared
    assert index.set(ELSEWHERE, Interests(config="flags")) == Interests(config="flags")
    assert set(index.interested_in(SPACE)) == {FIRST, SECOND}
