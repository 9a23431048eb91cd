"""Which Workspaces are interested in which objects of others."""

from workspace_ctrl.cache.dependents import DependencyIndex
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.records.meta import ObjectRef

FIRST, SECOND, ELSEWHERE = ("space", "first"), ("space", "second"), ("other", "first")
SPACE = ObjectRef("Namespace", "", "space")
CONFIG = ObjectRef("ConfigMap", "space", "flags")
A_NODE = ObjectRef("Node", "", "node-1")


def test_those_who_depend_on_an_object_are_found_and_no_others():
    index = DependencyIndex()
    index.set(FIRST, Dependencies(config="flags", namespace=True))
    index.set(SECOND, Dependencies(nodes=True, namespace=True))
    index.set(ELSEWHERE, Dependencies(config="flags"))
    assert index.dependents_of(CONFIG) == (FIRST,)
    assert set(index.dependents_of(SPACE)) == {FIRST, SECOND}
    assert index.dependents_of(A_NODE) == (SECOND,)


def test_what_is_not_depended_on_any_more_is_forgotten():
    index = DependencyIndex()
    index.set(FIRST, Dependencies(config="flags", nodes=True))
    index.set(FIRST, Dependencies(nodes=True))
    assert index.dependents_of(CONFIG) == ()
    index.forget(FIRST)
    index.forget(SECOND)
    assert index.dependents_of(A_NODE) == ()


def test_equal_interests_of_many_are_kept_once():
    index = DependencyIndex()
    shared = index.set(FIRST, Dependencies(chart="inferencepool", namespace=True))
    assert index.set(SECOND, Dependencies(chart="inferencepool", namespace=True)) is shared
    assert index.set(ELSEWHERE, Dependencies(config="flags")) == Dependencies(config="flags")
    assert set(index.dependents_of(SPACE)) == {FIRST, SECOND}
