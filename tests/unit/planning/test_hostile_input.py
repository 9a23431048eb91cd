"""Whatever stands in a Workspace, a pass ends in steps or in a condition, never in an exception."""

import json
from dataclasses import replace
from functools import reduce

import orjson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.unit.factories import (
    ISTIO,
    NOW,
    SETTINGS,
    fetched_source,
    gateway,
    gateway_class,
    pod,
    pool,
    quickstart,
    release,
    route,
    source,
    status,
    workspace,
)
from workspace_ctrl.api.conditions import find
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import HASH_ANNOTATION
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.model.api_query_results import DryRun, QueryResults
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import PickerSettings
from workspace_ctrl.planning.preset.vllm_config import parse_engine_config
from workspace_ctrl.planning.steps import Apply, DryRunWorkload
from workspace_ctrl.records.flux import parse_helm_release
from workspace_ctrl.records.gateways import parse_http_route
from workspace_ctrl.records.pods import parse_pod
from workspace_ctrl.records.workloads import parse_referenced_workload, parse_workload
from workspace_ctrl.records.workspaces import pack_status, parse_workspace_record

any_text = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(["\x1b[2J", "\u202e", "a\r\nb", "\ud800", "x" * 9000])
numbers = st.integers() | st.sampled_from([2**63 - 1, 2**63, 2**64, -(10**400)]) | st.floats()
anything = st.recursive(
    st.none() | st.booleans() | numbers | any_text,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(any_text, children, max_size=4),
    max_leaves=12,
)
deep = st.integers(50, 300).map(lambda levels: reduce(lambda inside, _: [inside], range(levels), "x"))
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
    query_results=st.sampled_from([QueryResults(), QueryResults(DryRun("x", kind="Deployment"))]),
    reference=st.sampled_from([None, parse_referenced_workload({"metadata": {"name": "x", "uid": "u"}, "spec": {}}, "Deployment")]),
)


STATUS = TypeAdapter(WorkspaceStatus)
FREE_VALUES = replace(SETTINGS, picker=PickerSettings(allowed_values=("inferenceExtension", "provider")))


def assert_writable(outcome, written):
    """What is sent can be sent: objects as JSON, and a status that the CRD takes."""
    for step in outcome.steps:
        if isinstance(step, Apply | DryRunWorkload):
            orjson.dumps(step.manifest)
            assert "NaN" not in json.dumps(step.manifest)
    document = written.as_object()
    STATUS.validate_json(orjson.dumps(document), strict=False)
    for entry in document["conditions"]:
        assert entry["message"].isprintable()
        assert len(entry["message"]) <= 4096
    assert parse_status(document) == written


@given(fields=near_misses, world=worlds)
def test_every_spec_in_every_world_ends_in_steps_or_in_a_condition(fields, world):
    record = workspace({**quickstart(), **fields})
    outcome = plan(record, world, SETTINGS)
    written = status(record, world, outcome.decisions, NOW)
    assert_writable(outcome, written)
    conditions = written.conditions
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
    known = plan(record, before, SETTINGS).desired.planned
    assert plan(record, world, SETTINGS, known) == plan(record, world, SETTINGS)


only_templates = st.fixed_dictionaries({"inference": st.fixed_dictionaries({"template": template})})
only_references = st.fixed_dictionaries({"inference": st.fixed_dictionaries({"workloadRef": workload_ref})})
configs = st.text(max_size=60) | st.dictionaries(st.text(max_size=9), anything, max_size=3).map(
    lambda entries: str({"vllm": entries})
)


@given(fields=only_templates | only_references, world=worlds)
def test_templates_and_references_of_any_shape_end_in_steps_or_in_a_condition(fields, world):
    record = workspace({**quickstart(), **fields})
    outcome = plan(record, world, SETTINGS)
    assert outcome.steps or outcome.decisions.problems
    assert_writable(outcome, status(record, world, outcome.decisions, NOW))


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
        assert problem.message.isprintable()


free_form = st.one_of(
    st.builds(lambda inside: {"inference": {"template": {"spec": {"containers": [{"x": inside}]}}}}, anything | deep),
    st.builds(
        lambda inside: {
            "inference": {
                "preset": {"name": "phi-4-mini-instruct"},
                "adapters": [{"source": {"name": "a", "volumeSource": {"x": inside}}}],
            }
        },
        anything | deep,
    ),
    st.builds(
        lambda key, inside: {"gateway": {"endpointPicker": {"values": {"inferenceExtension": {key: inside}}}}},
        st.sampled_from(["env", "flags", "affinity", "tolerations", "resources", "pluginsCustomConfig", "image"]) | any_text,
        anything | deep | st.lists(st.fixed_dictionaries({"name": anything, "value": anything}), max_size=3),
    ),
    st.builds(lambda inside: {"gateway": {"endpointPicker": {"resources": {"requests": {"cpu": inside}}}}}, anything),
)


@given(fields=free_form)
def test_what_has_no_schema_here_is_written_or_refused(fields):
    record = workspace({**quickstart(), **fields})
    kind = "Deployment"
    world = Snapshot(source=fetched_source(), gateways=(gateway(),), gateway_classes=(gateway_class(),), pool=pool())
    tried = plan(record, world, FREE_VALUES)
    for step in tried.steps:
        if isinstance(step, DryRunWorkload):
            world = replace(
                world, query_results=QueryResults(DryRun(step.manifest["metadata"]["annotations"][HASH_ANNOTATION], kind=kind))
            )
    outcome = plan(record, world, FREE_VALUES)
    assert outcome.steps or outcome.decisions.problems
    assert_writable(outcome, status(record, world, outcome.decisions, NOW))


conditions_of_others = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["Ready", "Stalled", "Released", "Accepted", "ResolvedRefs", "ReplicaFailure", "PodScheduled"])},
        optional={
            "status": st.sampled_from(["True", "False", "Unknown"]) | anything,
            "reason": st.sampled_from(["Unschedulable", "InstallFailed"]) | anything | deep,
            "message": anything | deep,
            "observedGeneration": st.integers(0, 2) | anything,
        },
    ),
    max_size=4,
)


@given(said=conditions_of_others, text=any_text)
def test_whatever_others_say_the_status_can_be_written(said, text):
    about = {"name": "workspace-phi-4-mini", "namespace": "default", "uid": "u", "generation": 1}
    told = {"metadata": about, "status": {"conditions": said}}
    waiting = {"name": "c", "state": {"waiting": {"reason": text, "message": text}}}
    parents = [{"parentRef": {"name": "inference-gateway"}, "controllerName": ISTIO, "conditions": said}]
    world = Snapshot(
        workloads=(parse_workload(told, "Deployment"),),
        pods=(parse_pod({**told, "status": {**told["status"], "containerStatuses": [waiting]}}, "Pod"),),
        source=fetched_source(),
        release=parse_helm_release(told, "HelmRelease"),
        route=parse_http_route({**told, "status": {"parents": parents}}, "HTTPRoute"),
        pool=pool(),
        gateways=(gateway(),),
        gateway_classes=(gateway_class(),),
        probing=True,
        probe=ProbeResult(ProbeOutcome.ANSWERED, "http://gateway", 200, text, (text,)),
    )
    record = workspace()
    outcome = plan(record, world, SETTINGS)
    assert_writable(outcome, status(record, world, outcome.decisions, NOW))
    answered = world_accepted(world, record)
    outcome = plan(record, answered, SETTINGS)
    assert_writable(outcome, status(record, answered, outcome.decisions, NOW))


def world_accepted(world, record):
    """The world in which the API server has accepted the workload."""
    tried = next(step for step in plan(record, replace(world, workloads=()), SETTINGS).steps if isinstance(step, DryRunWorkload))
    return replace(
        world, query_results=QueryResults(DryRun(tried.manifest["metadata"]["annotations"][HASH_ANNOTATION], kind="Deployment"))
    )


any_status = st.fixed_dictionaries(
    {},
    optional={
        "observedGeneration": anything,
        "workerNodes": anything,
        "workload": st.fixed_dictionaries({}, optional={"kind": anything, "replicas": anything}) | anything,
        "gateway": st.fixed_dictionaries(
            {},
            optional={
                "url": anything,
                "modelNames": anything,
                "bodyBasedRouting": anything,
                "lastProbe": st.fixed_dictionaries({}, optional={"outcome": anything, "code": anything, "since": anything}),
            },
        )
        | anything,
        "conditions": conditions_of_others,
    },
)


@given(before=any_status)
def test_a_status_of_any_shape_is_read_and_followed_by_one_that_can_be_written(before):
    stored = parse_status(before)
    record = parse_workspace_record(quickstart(), "Workspace")
    stored_record = replace(record, stored_status=pack_status(stored.as_object())) if is_json(stored) else record
    outcome = plan(stored_record, Snapshot(), SETTINGS)
    assert_writable(outcome, status(stored_record, Snapshot(), outcome.decisions, NOW))


def is_json(stored):
    """Whether the API server could have stored it."""
    try:
        orjson.dumps(stored.as_object())
    except orjson.JSONEncodeError:
        return False
    return True
