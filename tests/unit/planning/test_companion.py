"""Companion mode: of KAITO's Workspaces only the gateway side is planned, with the options in an annotation."""

from dataclasses import replace

import pytest

from tests.unit.factories import (
    NAME,
    NAMESPACE,
    SETTINGS,
    UID,
    deployment,
    derived,
    fetched_source,
    gateway,
    gateway_class,
    pod,
    pool,
    quickstart,
    release,
    route,
    service,
    source,
    workspace,
)
from tests.unit.planning.test_removal import terminating
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.chart.flux_objects import oci_repository
from workspace_ctrl.planning.desired_state import desire
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import Mode
from workspace_ctrl.planning.resolved_workspace import resolve
from workspace_ctrl.planning.steps import Apply, Delete, SetFinalizer
from workspace_ctrl.records.companion_status import parse_companion_record
from workspace_ctrl.records.workspaces import parse_workspace_record

COMPANION = replace(SETTINGS, mode=Mode.COMPANION, restricted_fields=True)
MANAGED = replace(SETTINGS, restricted_fields=True)
INDEX = "apps.kubernetes.io/pod-index"
KEY = "metadata.annotations[workspace-ctrl/gateway]"
CLUSTER = Snapshot(source=fetched_source(), gateways=(gateway(),), gateway_classes=(gateway_class(),))
FIRST = pod(name=f"{NAME}-0", labels={"kaito.sh/workspace": NAME, INDEX: "0"})


def kaito(options=None, **fields):
    """A Workspace as KAITO has it, with fields that only newer versions of it know."""
    raw = quickstart(**{"inference": {"preset": {"name": "some-org/some-model"}, "later": {"than": "us"}}, **fields})
    if options is not None:
        raw["metadata"]["annotations"] = {"workspace-ctrl/gateway": options}
    return raw


def planned(raw, cluster=CLUSTER, settings=COMPANION, **record):
    return plan(workspace(raw, **{"finalizer": False, **record}), cluster, settings)


def applied(outcome):
    return {step.manifest["kind"]: step.manifest for step in outcome.steps if isinstance(step, Apply)}


def selector(outcome):
    return applied(outcome)["HelmRelease"]["spec"]["values"]["inferencePool"]["modelServers"]["matchLabels"]


def test_only_the_gateway_side_is_planned():
    outcome = planned(kaito(), replace(CLUSTER, pods=(FIRST,)))
    assert set(applied(outcome)) == {"HelmRelease"}
    assert outcome.queries == ()
    assert selector(outcome) == {"kaito.sh/workspace": NAME, INDEX: "0"}
    assert str(outcome.decisions.reference) == f"StatefulSet {NAMESPACE}/{NAME}"


@pytest.mark.parametrize(
    ("pods", "is_indexed"),
    [
        pytest.param((), True, id="before KAITO has made any"),
        pytest.param((FIRST,), True, id="of a StatefulSet"),
        pytest.param((pod(),), False, id="of a Deployment"),
        pytest.param((FIRST, pod()), False, id="of our Deployment, and of the StatefulSet that replaces it"),
        pytest.param((FIRST, replace(pod(), has_ended=True)), True, id="of a Deployment that has ended"),
    ],
)
def test_the_pool_selects_the_pods_that_serve(pods, is_indexed):
    assert (INDEX in selector(planned(kaito(), replace(CLUSTER, pods=pods)))) == is_indexed


def test_a_model_server_of_managed_mode_stays():
    there = replace(CLUSTER, workloads=(deployment(),), services=(service(),))
    assert not [step for step in planned(kaito(), there).steps if isinstance(step, Delete)]


def test_a_finalizer_of_managed_mode_is_removed_and_none_is_added():
    """Otherwise KAITO's Workspaces could not be deleted while this controller is away."""
    finalizers = [planned(kaito(), finalizer=has).steps for has in (True, False)]
    assert [[step for step in steps if isinstance(step, SetFinalizer)] for steps in finalizers] == [
        [SetFinalizer(present=False)],
        [],
    ]


def test_in_a_namespace_that_goes_no_model_server_is_deleted():
    there = Snapshot(namespace=terminating(), route=route(), release=release(), workloads=(deployment(),))
    assert [step.ref.kind for step in planned(kaito(), there).steps if isinstance(step, Delete)] == ["HTTPRoute", "HelmRelease"]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(kaito(inference=None, tuning={"method": "qlora"}), id="tuning"),
        pytest.param(
            kaito(
                metadata={
                    "name": NAME,
                    "namespace": NAMESPACE,
                    "uid": "uid",
                    "ownerReferences": [{"kind": "InferenceSet", "name": "set", "uid": "other", "controller": True}],
                }
            ),
            id="part of an InferenceSet",
        ),
        pytest.param(kaito("enabled: false"), id="not wanted"),
    ],
)
def test_some_workspaces_are_left_alone(raw):
    outcome = planned(raw)
    assert applied(outcome) == {}
    assert not outcome.decisions.gateway_wanted
    assert outcome.decisions.problems == ()


def test_options_are_those_of_the_field():
    options = "match: {path: /default/mine}\ntimeout: null\nendpointPicker: {replicas: 2}\nmodelName: mine\n"
    outcome = planned(kaito(options))
    assert outcome.decisions.path == "/default/mine"
    assert outcome.decisions.model_names == ("mine",)
    field = {"match": {"path": "/default/mine"}, "timeout": None, "endpointPicker": {"replicas": 2}, "modelName": "mine"}
    assert (
        resolve(workspace(kaito(options)), COMPANION).spec.gateway == resolve(workspace(kaito(gateway=field)), MANAGED).spec.gateway
    )


def test_in_managed_mode_they_count_where_the_field_is_missing():
    options = "match: {path: /default/mine}"
    with_options = kaito(options, inference={"preset": {"name": "phi-4-mini-instruct"}})
    assert resolve(workspace(with_options), MANAGED).spec.gateway.match.path == "/default/mine"
    both = {**with_options, "gateway": {"modelName": "phi-4-mini-instruct"}}
    assert resolve(workspace(both), MANAGED).spec.gateway.match is None
    (said,) = [text for text in judge(both, Known(), MANAGED).warnings if "annotation" in text]
    assert said == "annotation workspace-ctrl/gateway has no effect beside the field gateway; remove one of them"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param("", f"{KEY} is not one YAML mapping", id="empty"),
        pytest.param("- one", f"{KEY} is not one YAML mapping", id="a list"),
        pytest.param("a: [", KEY, id="no YAML"),
        pytest.param("hostname: a.example", f"{KEY}.hostname is not known; did you mean hostnames?", id="a misspelt field"),
        pytest.param("match: {pth: /a}", f"{KEY}.match.pth is not known", id="a misspelt field inside"),
        pytest.param(
            "grop: {name: chat}", f"{KEY}.grop is not known; known are enabled, ", id="like one that is not for annotations"
        ),
        pytest.param(
            "endpointPicker: {valueFrom: []}",
            f"{KEY}.endpointPicker.valueFrom is not known; did you mean values?",
            id="like one inside that is not for annotations",
        ),
        pytest.param("timeout: soon", f"{KEY}.timeout must be a duration in h, m, s or ms, such as 300s", id="a value"),
        pytest.param(
            "httpRouteRef: {name: a}\ntimeout: 1s", f"{KEY}.httpRouteRef cannot be combined with parentRefs", id="two fields"
        ),
        pytest.param("group: {name: chat}", f"{KEY}.group cannot be set in an annotation", id="a group"),
        pytest.param("serviceAccountName: a", f"{KEY}.serviceAccountName cannot be set in an annotation", id="an account"),
        pytest.param(
            "endpointPicker: {valuesFrom: [{kind: Secret, name: a}]}",
            f"{KEY}.endpointPicker.valuesFrom cannot be set in an annotation",
            id="values of a Secret",
        ),
        pytest.param("modelName: " + "x" * (65 << 10), f"{KEY} has more than 65536 characters", id="too long"),
    ],
)
def test_an_error_is_told_at_its_place_and_rejects_nothing_of_kaito(options, said):
    outcome = planned(kaito(options))
    (problem,) = outcome.decisions.problems
    assert problem.message.startswith(said)
    assert problem.reason == "InvalidSpec"
    assert not [step for step in outcome.steps if isinstance(step, Delete)]
    assert judge(kaito(options), Known(), COMPANION).refusals == (problem.message,)


def test_a_restricted_option_is_rejected_where_nobody_checks_its_right():
    denied = replace(COMPANION, restricted_fields=False)
    assert planned(kaito("hostnames: [a.example]"), settings=denied).decisions.problems[0].reason == "InvalidSpec"
    template = kaito(inference={"template": {"spec": {}}})
    assert planned(template, settings=denied).decisions.problems == ()


def test_names_in_the_arguments_of_a_template_are_read_from_kaito_s_workspace():
    container = {"name": "m", "args": ["--served-model-name", "$(NAME)", "y"], "env": [{"name": "NAME", "value": "x"}]}
    assert planned(kaito(inference={"template": {"spec": {"containers": [container]}}})).decisions.model_names == ("x", "y")


def test_fields_that_only_kaito_knows_are_no_warning():
    raw = kaito("modelName: mine")
    raw["metadata"]["annotations"] |= {"kaito.sh/later": "yes", "workspace-ctrl/gatway": "", "workspace-ctrl/status": "{}"}
    warnings = judge(raw, Known(), COMPANION).warnings
    assert [text.partition(";")[0] for text in warnings] == ["unknown annotation workspace-ctrl/gatway"]


POOL_OF_KAITO = replace(pool(), meta=replace(pool().meta, workspace=""))


def pool_of(outcome):
    named = outcome.decisions.named_pool
    return (named.name if named is not None else "", "HelmRelease" in applied(outcome) or "OCIRepository" in applied(outcome))


def test_a_pool_of_kaito_is_left_alone_and_routed_to():
    there = replace(CLUSTER, source=None, named_pool=POOL_OF_KAITO)
    assert pool_of(planned(kaito(), there)) == (derived().release, False)
    assert pool_of(planned(kaito(), replace(there, named_pool=None))) == ("", True)
    assert pool_of(planned(kaito(), replace(there, named_pool=pool()))) == ("", True)


def test_a_pool_of_kaito_is_taken_over_on_request():
    raw = kaito()
    raw["metadata"]["annotations"] = {"workspace-ctrl/adopt": "OCIRepository,HelmRelease"}
    there = replace(CLUSTER, source=None, named_pool=POOL_OF_KAITO)
    assert pool_of(planned(raw, there)) == ("", True)
    # Once the release is ours, the annotation is not needed any more.
    assert planned(kaito(), replace(CLUSTER, release=release(), named_pool=POOL_OF_KAITO)).decisions.named_pool is None


def test_the_names_are_those_of_managed_mode():
    """So that nothing is made anew at a change of the mode."""
    release_name = applied(planned(kaito()))["HelmRelease"]["metadata"]["name"]
    assert release_name == derived().release


def inference_set(api_version="kaito.sh/v1beta1", **metadata):
    """An InferenceSet as KAITO has it."""
    spec = {"replicas": 3, "labelSelector": {}, "later": 1, "template": {"inference": {"preset": {"name": "some-org/some-model"}}}}
    raw = {"apiVersion": api_version, "kind": "InferenceSet", "spec": spec}
    about = {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1, **metadata}
    return parse_companion_record({**raw, "metadata": about}, "InferenceSet")


def test_an_inference_set_has_the_first_pods_of_all_its_copies_behind_one_pool():
    fetched = source(hash_=applied_hash(oci_repository(inference_set().meta, derived(), SETTINGS.chart)))
    outcome = plan(inference_set(), replace(CLUSTER, source=fetched), COMPANION)
    assert set(applied(outcome)) == {"HelmRelease"}
    assert selector(outcome) == {"inferenceset.kaito.sh/created-by": NAME, INDEX: "0"}
    # Known from the beginning, so that the watch is the same in all stages of a pass.
    assert (
        outcome.desired.dependencies.pods
        == resolve(inference_set(), COMPANION).dependencies.pods
        == {"inferenceset.kaito.sh/created-by": NAME}
    )
    assert applied(outcome)["HelmRelease"]["metadata"]["ownerReferences"][0]["kind"] == "InferenceSet"


def test_the_owner_is_referred_to_in_the_version_in_which_it_was_read():
    """As in no other version would the garbage collector find it; and the objects are applied again when that changes."""
    outcomes = {}
    for version in ("kaito.sh/v1alpha1", "kaito.sh/v1beta1"):
        meta = inference_set(version).meta
        fetched = source(hash_=applied_hash(oci_repository(meta, derived(), SETTINGS.chart)))
        outcomes[version] = applied(plan(inference_set(version), replace(CLUSTER, source=fetched), COMPANION))["HelmRelease"]
    assert [release["metadata"]["ownerReferences"][0]["apiVersion"] for release in outcomes.values()] == [*outcomes]
    assert len({applied_hash(release) for release in outcomes.values()}) == len(outcomes)


def test_the_copies_of_managed_mode_count_as_long_as_there_are_any():
    labels = {"kaito.sh/workspace": NAME, "inferenceset.kaito.sh/created-by": NAME}
    fetched = source(hash_=applied_hash(oci_repository(inference_set().meta, derived(), SETTINGS.chart)))
    outcome = plan(inference_set(), replace(CLUSTER, source=fetched, pods=(pod(labels=labels),)), COMPANION)
    assert selector(outcome) == {"inferenceset.kaito.sh/created-by": NAME}


def test_an_inference_set_of_another_kind_is_left_alone():
    owner = {"kind": "MultiRoleInference", "name": "roles", "uid": "other", "controller": True}
    assert plan(inference_set(ownerReferences=[owner]), replace(CLUSTER, source=None), COMPANION).steps == ()


def test_the_pool_of_an_inference_set_is_kaitos_where_its_feature_gate_is_on():
    there = replace(CLUSTER, source=None, named_pool=POOL_OF_KAITO)
    assert pool_of(plan(inference_set(), there, COMPANION)) == (derived().release, False)


def test_an_error_in_the_options_of_an_inference_set_is_told_at_its_place():
    outcome = plan(inference_set(annotations={"workspace-ctrl/gateway": "hostname: a"}), CLUSTER, COMPANION)
    assert outcome.decisions.problems[0].message.startswith(f"{KEY}.hostname is not known")


SERVED = (
    pytest.param("Workspace", {"preset": {"name": "phi-4-mini-instruct"}}, id="a preset"),
    pytest.param("Workspace", {"template": {"spec": {"containers": [{"name": "m", "image": "m"}]}}}, id="a template"),
    pytest.param(
        "Workspace", {"workloadRef": {"kind": "Deployment", "name": "m", "selector": {"a": "b"}}}, id="an object and labels"
    ),
    pytest.param("Workspace", {"workloadRef": {"selector": {"a": "b"}, "targetPort": 80}}, id="labels"),
    pytest.param("InferenceSet", {"preset": {"name": "phi-4-mini-instruct"}}, id="copies"),
)


@pytest.mark.parametrize(("kind", "inference"), SERVED)
@pytest.mark.parametrize("options", [None, "enabled: false", "httpRouteRef: {name: r}", "pool: {ref: {name: p}}"])
@pytest.mark.parametrize("settings", [COMPANION, MANAGED], ids=["companion", "managed"])
def test_what_is_watched_stays_from_pass_to_pass(kind, inference, options, settings):
    """A pass begins with what the spec names, and keeps what the plan has added: a watch that ended and began would start passes."""
    raw = quickstart(inference=inference)
    if kind == "InferenceSet":
        raw = {
            **raw,
            "spec": {"replicas": 2, "labelSelector": {}, "template": {name: raw.pop(name) for name in ("resource", "inference")}},
        }
    annotations = {"workspace-ctrl/gateway": options} if options is not None else {}
    raw = {**raw, "kind": kind, "metadata": {**raw["metadata"], "annotations": annotations}}
    read = parse_companion_record if settings is COMPANION else parse_workspace_record
    record = read(raw, kind)
    resolved = resolve(record, settings)
    labels = {"kaito.sh/workspace": NAME, INDEX: "0"}
    for cluster in (CLUSTER, replace(CLUSTER, pods=(pod(labels=labels),)), replace(CLUSTER, workloads=(deployment(),))):
        found = desire(resolved, record, cluster, settings, None)
        if found.serving is not None:
            assert resolved.dependencies.keeping(found.dependencies) == found.dependencies
            assert desire(resolved, record, cluster, settings, found.planned).dependencies == found.dependencies
    assert resolved.problem is None
