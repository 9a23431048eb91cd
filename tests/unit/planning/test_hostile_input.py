"""Whatever stands in a Workspace, a pass ends in steps or in a condition, never in an exception."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NOW, SETTINGS, gateway, gateway_class, pod, pool, quickstart, release, route, source, workspace
from workspace_ctrl.api.conditions import find
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.readiness.status import status
from workspace_ctrl.records.answers import Answers, DryRun
from workspace_ctrl.records.snapshot import Snapshot

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4),
    max_leaves=12,
)
near_misses = st.fixed_dictionaries(
    {},
    optional={
        "resource": st.fixed_dictionaries(
            {
                "labelSelector": st.fixed_dictionaries(
                    {}, optional={"matchLabels": st.dictionaries(st.text(max_size=8), anything, max_size=2)}
                )
            },
            optional={"instanceType": st.sampled_from(["Standard_NC24ads_A100_v4", "x", ""]) | anything, "count": anything},
        )
        | anything,
        "inference": st.fixed_dictionaries(
            {},
            optional={
                "preset": st.fixed_dictionaries({"name": st.sampled_from(["phi-4", "falcon-40b", "nope"]) | st.text(max_size=20)})
                | anything,
                "template": anything,
                "adapters": anything,
            },
        )
        | anything,
        "tuning": anything,
        "gateway": st.fixed_dictionaries({}, optional={"enabled": anything, "parentRefs": anything}) | anything,
    },
)
worlds = st.builds(
    Snapshot,
    source=st.sampled_from([None, source(), source(observed=0)]),
    release=st.sampled_from([None, release(), release(suspended=True)]),
    pool=st.sampled_from([None, pool()]),
    route=st.sampled_from([None, route()]),
    pods=st.sampled_from([(), (pod(),)]),
    gateways=st.sampled_from([(), (gateway(),), (gateway(), gateway("other"))]),
    gateway_classes=st.sampled_from([(), (gateway_class(),)]),
    missing_kinds=st.frozensets(st.sampled_from(["Gateway", "HTTPRoute", "HelmRelease", "OCIRepository", "InferencePool"])),
    answers=st.sampled_from([Answers(), Answers(DryRun("x", kind="Deployment"))]),
)


@given(fields=near_misses, world=worlds)
def test_every_spec_in_every_world_ends_in_steps_or_in_a_condition(fields, world):
    record = workspace({**quickstart(), **fields})
    outcome = plan(record, world, SETTINGS)
    conditions = status(record, world, outcome.decisions, NOW).condition_tuple()
    ready = find(conditions, "Ready")
    assert ready is not None
    assert outcome.steps or outcome.decisions.problems or ready.message
    gateway_ready = find(conditions, "GatewayReady")
    if gateway_ready is not None and gateway_ready.is_true:
        assert all(
            entry.is_true
            for entry in conditions
            if entry.type.endswith(("ChartReady", "RouteReady", "PickerReady", "EndpointsReady"))
        )


@given(fields=near_misses)
def test_a_refused_spec_says_why_in_one_sentence(fields):
    outcome = plan(workspace({**quickstart(), **fields}), Snapshot(), SETTINGS)
    for problem in outcome.decisions.problems:
        assert problem.message.strip()
        assert "\n" not in problem.message
