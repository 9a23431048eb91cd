"""Whatever stands in a Workspace, a pass ends in steps or in a condition, never in an exception."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NOW, SETTINGS, gateway, gateway_class, pod, pool, quickstart, release, route, source, workspace
from workspace_ctrl.api.conditions import find
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.planning.engine_config import parse_engine_config
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.readiness.status import status
from workspace_ctrl.records.answers import Answers, DryRun
from workspace_ctrl.records.snapshot import Snapshot
from workspace_ctrl.records.workloads import parse_referenced_workload

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4),
    max_leaves=12,
)
pod_spec = st.fixed_dictionaries(
    {
        "containers": st.lists(st.fixed_dictionaries({"name": st.text(max_size=9)}, optional={"ports": anything}), max_size=2)
        | anything
    },
    optional={"affinity": st.fixed_dictionaries({}, optional={"nodeAffinity": anything}) | anything, "tolerations": anything},
)
template = st.fixed_dictionaries(
    {}, optional={"spec": pod_spec | anything, "metadata": st.fixed_dictionaries({"labels": anything}) | anything}
)
small_texts = st.sampled_from(["phi-4", "falcon-40b", "nope", "org/model", "Deployment", ""]) | st.text(max_size=20)
preset = st.fixed_dictionaries(
    {"name": small_texts},
    optional={
        "size": st.fixed_dictionaries({"weights": st.sampled_from(["15Gi", "0Gi", "1e9Gi", "9999999Ti"]) | anything}) | anything,
        "presetOptions": anything,
    },
)
workload_ref = st.fixed_dictionaries(
    {}, optional={"kind": small_texts, "name": small_texts, "selector": anything, "targetPort": st.integers(-1, 99_999) | anything}
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
                "preset": preset | anything,
                "template": template | anything,
                "workloadRef": workload_ref | anything,
                "config": small_texts | anything,
                "weightsVolume": anything,
                "adapters": st.lists(st.fixed_dictionaries({"source": st.fixed_dictionaries({"name": small_texts})})) | anything,
            },
        )
        | anything,
        "tuning": anything,
        "gateway": st.fixed_dictionaries(
            {},
            optional={
                "enabled": anything,
                "parentRefs": anything,
                "chart": st.fixed_dictionaries({}, optional={"name": small_texts, "version": small_texts}) | anything,
                "endpointPicker": st.fixed_dictionaries(
                    {}, optional={"values": anything, "resources": anything, "replicas": anything, "valuesFrom": anything}
                )
                | anything,
                "serviceAccountName": anything,
            },
        )
        | anything,
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
    reference=st.sampled_from([None, parse_referenced_workload({"metadata": {"name": "x", "uid": "u"}, "spec": {}}, "Deployment")]),
)


@given(fields=near_misses, world=worlds)
def test_every_spec_in_every_world_ends_in_steps_or_in_a_condition(fields, world):
    record = workspace({**quickstart(), **fields})
    outcome = plan(record, world, SETTINGS)
    conditions = status(record, world, outcome.decisions, NOW).conditions
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


@given(fields=near_misses, before=worlds, world=worlds)
def test_what_an_earlier_plan_prepared_changes_nothing(fields, before, world):
    record = workspace({**quickstart(), **fields})
    known = plan(record, before, SETTINGS).prepared
    assert plan(record, world, SETTINGS, known) == plan(record, world, SETTINGS)


only_templates = st.fixed_dictionaries({"inference": st.fixed_dictionaries({"template": template})})
only_references = st.fixed_dictionaries({"inference": st.fixed_dictionaries({"workloadRef": workload_ref})})
configs = st.text(max_size=60) | st.dictionaries(st.text(max_size=9), anything, max_size=3).map(
    lambda entries: str({"vllm": entries})
)


@given(fields=only_templates | only_references, world=worlds)
def test_templates_and_references_of_any_shape_end_in_steps_or_in_a_condition(fields, world):
    outcome = plan(workspace({**quickstart(), **fields}), world, SETTINGS)
    assert outcome.steps or outcome.decisions.problems


@given(text=configs)
def test_a_config_map_of_any_content_is_read_or_refused(text):
    try:
        config = parse_engine_config(text)
    except SpecError as error:
        assert error.path == "inference.config"
    else:
        assert all(isinstance(flag, str) for flag in config.flags)


@given(raw=anything)
def test_an_object_of_any_shape_is_read_as_somebody_else_s_workload(raw):
    parse_referenced_workload({"metadata": {"name": "x"}, "spec": raw, "status": raw}, "Thing")


@given(fields=near_misses)
def test_a_refused_spec_says_why_in_one_sentence(fields):
    outcome = plan(workspace({**quickstart(), **fields}), Snapshot(), SETTINGS)
    for problem in outcome.decisions.problems:
        assert problem.message.strip()
        assert "\n" not in problem.message
