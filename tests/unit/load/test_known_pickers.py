"""Which endpoint pickers KEDA is to ask for: those of ScaledObjects that a controller has written, in their own namespaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.autoscaling_spec import ScalingTarget
from workspace_ctrl.load.known_pickers import pickers_of
from workspace_ctrl.planning.autoscaling.triggers import MeasuredPool, triggers
from workspace_ctrl.planning.plan_settings import AutoscalingSettings


def scaled(namespace, *urls, name="phi"):
    metadata = {"namespace": namespace, "name": name, "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"triggers": [{"type": "metrics-api", "metadata": {"url": url}} for url in urls]}}


@pytest.mark.parametrize("base", ["", "/base", "/load", "/load/load"])
@pytest.mark.parametrize("picker", ["phi-inferencepool-epp", "load"])
@pytest.mark.parametrize("namespace", ["team", "load"])
def test_the_trigger_that_is_written_is_understood(namespace, picker, base):
    pool = MeasuredPool(namespace, "phi-inferencepool", picker)
    settings = AutoscalingSettings(enabled=True, url=f"http://loads.example:8090{base}")
    written = triggers(ScalingTarget(), pool, settings, to_zero=True)
    assert pickers_of({"metadata": {"namespace": namespace}, "spec": {"triggers": written}}) == {(namespace, picker)}


@pytest.mark.parametrize(
    "url",
    [
        "http://c/load/other/x-epp",
        "http://c/load/team/x-epp/",
        "http://c/load/team/x-epp?a",
        "http://c/load/team/a.b",
        "http://c/load/team/../x",
        "http://c/load/team",
        "http://c/team/load",
        "load/team/x-epp",
        "/load/team/x-epp\n",
        "http://c/load/team/x#/load/other/y",
        "",
        None,
        5,
        "http://c/" + "x" * 5000 + "/load/team/x-epp",
    ],
)
def test_what_is_no_place_of_a_load_in_the_own_namespace_names_no_picker(url):
    assert pickers_of(scaled("team", url)) == frozenset()


_ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "spec", "triggers", "url", "namespace"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), _ANYTHING))
def test_no_shape_of_an_object_ends_the_watch(raw):
    assert pickers_of(raw) == frozenset()
