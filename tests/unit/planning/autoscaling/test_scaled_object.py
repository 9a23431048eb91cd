"""The ScaledObject of an InferenceSet, the endpoint picker that holds requests, and the route that waits for it."""

import json
from dataclasses import replace

import pytest

from tests.unit.factories import NAME, NAMESPACE, SETTINGS, gateway, gateway_class
from tests.unit.planning.test_inference_set import UID, applied, deleted, live, manifests, raw, record
from workspace_ctrl.api.traffic.durations import seconds_of
from workspace_ctrl.model.api_query_results import DryRun, QueryResults
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import AutoscalingSettings, ChartSource
from workspace_ctrl.planning.preview import preview
from workspace_ctrl.planning.preview_cluster import simulated_cluster
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.scaling import ScaledObject

URL = "http://load.example:8090"
SCALING = replace(SETTINGS, autoscaling=AutoscalingSettings(enabled=True, url=URL))
BY_PROMETHEUS = replace(SETTINGS, autoscaling=AutoscalingSettings(enabled=True, prometheus="http://prometheus.example:9090"))
TO_ZERO = {
    "minReplicas": 0,
    "maxReplicas": 4,
    "target": {"metric": "queueSize", "value": 5},
    "idleAfter": "2m",
    "requestsHeldFor": "90s",
}
FILE = "workspace-ctrl-flow-control.yaml"
KTHENA = "volcano.sh/kthena-router"


def scaled(document, settings=SCALING):
    """The ScaledObject that `document` leads to; None if to none."""
    found = [each for each in preview(document, (), settings).manifests if each["kind"] == "ScaledObject"]
    return found[0] if found else None


def world(document, settings=SCALING, controller="", **observed):
    """What `document` leads to in a cluster with the objects of `observed`."""
    cluster = replace(simulated_cluster(record(document), Dependencies(), (), settings), **observed)
    if controller:
        cluster = replace(cluster, gateways=(gateway(class_name="other"),), gateway_classes=(gateway_class("other", controller),))
    found = plan(record(document), cluster, settings)
    for query in found.queries:
        accepted = DryRun(applied_hash(query.manifest), kind=query.manifest["kind"])
        cluster = replace(cluster, query_results=QueryResults(dry_run=accepted))
        found = plan(record(document), cluster, settings)
    return found


def problem(found):
    entry = found.decisions.problem(LinkName.AUTOSCALING)
    return (entry.reason, entry.message) if entry is not None else None


def test_the_scale_subresource_of_the_set_is_scaled_within_its_limits():
    found = scaled(raw(autoscaling={"minReplicas": 2, "maxReplicas": 7}))
    assert found["apiVersion"] == "keda.sh/v1alpha1"
    assert found["metadata"]["ownerReferences"][0]["uid"] == UID
    spec = found["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "name": NAME}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 7)
    assert "cooldownPeriod" not in spec
    (trigger,) = spec["triggers"]
    assert trigger["metadata"] == {
        "url": f"{URL}/load/{NAMESPACE}/{NAME}-inferencepool-epp",
        "format": "json",
        "valueLocation": "queueSize",
        "targetValue": "5",
    }


@pytest.mark.parametrize(
    ("metric", "kind"), [("queueSize", "AverageValue"), ("runningRequests", "AverageValue"), ("kvCacheUtilization", "Value")]
)
def test_requests_are_compared_for_each_copy_and_the_cache_on_average(metric, kind):
    (trigger,) = scaled(raw(autoscaling={"maxReplicas": 2, "target": {"metric": metric, "value": 80}}))["spec"]["triggers"]
    assert (trigger["metricType"], trigger["metadata"]["valueLocation"]) == (kind, metric)


def test_to_zero_only_requests_decide_and_a_new_set_has_time_for_the_first():
    spec = scaled(raw(autoscaling=TO_ZERO))["spec"]
    load, requests = spec["triggers"]
    assert spec["minReplicaCount"] == 0
    assert (spec["cooldownPeriod"], spec["initialCooldownPeriod"]) == (120, 120)
    assert float(load["metadata"]["activationTargetValue"]) > 1e6
    assert (requests["metadata"]["valueLocation"], requests["metadata"]["targetValue"]) == ("active", "1")


def test_prometheus_sums_up_what_the_controller_would():
    load, requests = scaled(raw(autoscaling=TO_ZERO), BY_PROMETHEUS)["spec"]["triggers"]
    assert {load["type"], requests["type"]} == {"prometheus"}
    assert load["metadata"]["serverAddress"] == "http://prometheus.example:9090"
    of_pool = f'namespace="{NAMESPACE}",inference_pool="{NAME}-inferencepool"'
    assert f"sum(inference_extension_flow_control_queue_size{{{of_pool}}}) or vector(0)" in load["metadata"]["query"]
    assert requests["metadata"]["query"].startswith("(clamp_max(")


def test_without_data_of_the_picker_in_a_prometheus_there_is_no_load_not_one_of_zero():
    for trigger in scaled(raw(autoscaling=TO_ZERO), BY_PROMETHEUS)["spec"]["triggers"]:
        of_pool = f'namespace="{NAMESPACE}",name="{NAME}-inferencepool"'
        assert trigger["metadata"]["query"].endswith(f") and on() inference_pool_ready_pods{{{of_pool}}}")
        assert trigger["metadata"]["ignoreNullValues"] == "false"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({"kaito.sh/paused": "true"}, {"autoscaling.keda.sh/paused": "true"}, id="KAITO's"),
        pytest.param({"kaito.sh/paused": "false"}, {}, id="not paused"),
        pytest.param(
            {"autoscaling.keda.sh/paused-replicas": "2", "autoscaling.keda.sh/other": "x"},
            {"autoscaling.keda.sh/paused-replicas": "2"},
            id="KEDA's, and no others",
        ),
    ],
)
def test_a_pause_of_the_set_is_one_of_the_scaled_object(annotations, expected):
    document = raw(autoscaling=TO_ZERO)
    document["metadata"]["annotations"] = annotations
    found = scaled(document)["metadata"]["annotations"]
    assert {key: value for key, value in found.items() if key.startswith("autoscaling")} == expected


KAITO = {
    "scaledobject.kaito.sh/auto-provision": "true",
    "scaledobject.kaito.sh/metricName": "vllm:num_requests_waiting",
    "scaledobject.kaito.sh/threshold": "10",
}


def annotated(annotations, **spec):
    document = raw(**spec)
    document["metadata"]["annotations"] = annotations
    return document


def test_annotations_of_kaito_mean_the_same():
    document = annotated(KAITO | {"scaledobject.kaito.sh/max-replicas": "5", "scaledobject.kaito.sh/min-replicas": "2"})
    wanted = {"minReplicas": 2, "maxReplicas": 5, "target": {"metric": "queueSize", "value": 10}}
    assert scaled(document)["spec"] == scaled(raw(autoscaling=wanted))["spec"]
    assert judge(document, Known(is_all=True), SCALING).warnings == judge(raw(), Known(is_all=True), SCALING).warnings


def test_the_field_precedes_them_and_the_limit_of_nodes_is_their_most():
    assert scaled(annotated(KAITO, nodeCountLimit=3))["spec"]["maxReplicaCount"] == 3
    assert scaled(annotated(KAITO, autoscaling=TO_ZERO))["spec"]["maxReplicaCount"] == 4
    assert scaled(annotated({**KAITO, "scaledobject.kaito.sh/auto-provision": "false"})) is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(
            raw(autoscaling={"minReplicas": 3, "maxReplicas": 2}),
            "spec.autoscaling has a minReplicas above its maxReplicas; lower minReplicas, or raise maxReplicas",
            id="limits",
        ),
        pytest.param(
            raw(autoscaling={"maxReplicas": 2, "target": {"metric": "kvCacheUtilization", "value": 101}}),
            "spec.autoscaling.target has a value above 100, which is a percentage of the KV cache; set 1 to 100",
            id="percentage",
        ),
        pytest.param(raw(autoscaling={"minReplicas": 0}), "spec.autoscaling.maxReplicas", id="no most"),
        pytest.param(
            raw(autoscaling={"maxReplicas": 2, "idleAfter": "999ms"}), "an idleAfter of less than a second", id="no idle time"
        ),
        pytest.param(raw(autoscaling={"maxReplicas": 2, "requestsHeldFor": "0s"}), "not from 1s to 24h", id="nothing held"),
        pytest.param(raw(autoscaling={"maxReplicas": 2, "requestsHeldFor": "24h1ms"}), "not from 1s to 24h", id="held for ever"),
        pytest.param(raw(autoscaling={"maxReplicas": 2, "idleAfter": "soon"}), "spec.autoscaling.idleAfter", id="no duration"),
        pytest.param(
            annotated(KAITO), "metadata.annotations[scaledobject.kaito.sh/max-replicas] is missing", id="KAITO's, without a most"
        ),
        pytest.param(
            annotated({**KAITO, "scaledobject.kaito.sh/metricName": "vllm:kv_cache_usage_perc"}, nodeCountLimit=2),
            "set spec.autoscaling.target with metric kvCacheUtilization",
            id="KAITO's fraction",
        ),
        pytest.param(
            annotated({**KAITO, "scaledobject.kaito.sh/threshold": "many"}, nodeCountLimit=2),
            "metadata.annotations[scaledobject.kaito.sh/threshold] is many, which is not a number",
            id="KAITO's, not a number",
        ),
    ],
)
def test_a_rejection_says_where_and_what_to_do(document, words):
    assert words in " ".join(judge(document, Known(is_all=True), SCALING).refusals)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("1500ms", 2), ("0s", 0), ("1h1m1s1ms", 3662)])
def test_durations(text, seconds):
    assert seconds_of(text) == seconds


def release(document, settings=SCALING):
    (found,) = [each for each in preview(document, (), settings).manifests if each["kind"] == "HelmRelease"]
    return found["spec"]["values"]["inferenceExtension"]


def test_to_zero_the_endpoint_picker_holds_requests_within_bounds():
    values = release(raw(autoscaling=TO_ZERO))
    config = json.loads(values["pluginsCustomConfig"][FILE])
    assert values["pluginsConfigFile"] == FILE
    assert config["featureGates"] == ["flowControl"]
    assert config["flowControl"] == {"maxRequests": "5000", "maxBytes": "256Mi", "defaultRequestTTL": "90s"}
    assert [entry["pluginRef"] for entry in config["schedulingProfiles"][0]["plugins"]] == [
        entry["type"] for entry in config["plugins"]
    ]


def test_its_metrics_are_open_only_to_a_controller_that_reads_them():
    auth = [
        release(document, settings).get("monitoring", {}).get("prometheus", {}).get("auth", {}).get("enabled")
        for document, settings in (
            (raw(autoscaling=TO_ZERO), SCALING),
            (raw(autoscaling=TO_ZERO), BY_PROMETHEUS),
            (raw(), SCALING),
        )
    ]
    assert auth == [False, None, None]


@pytest.mark.parametrize("autoscaling", [None, {"maxReplicas": 2}])
def test_without_zero_its_configuration_is_that_of_the_chart(autoscaling):
    document = raw(**({"autoscaling": autoscaling} if autoscaling else {}))
    assert "pluginsConfigFile" not in release(document)


def timeouts(document, settings=SCALING):
    (found,) = [each for each in preview(document, (), settings).manifests if each["kind"] == "HTTPRoute"]
    return {rule.get("timeouts", {}).get("request") for rule in found["spec"]["rules"]}


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        pytest.param(None, {"6m30s"}, id="the time for an answer follows that for the start"),
        pytest.param("0s", {"0s"}, id="no limit"),
        pytest.param("none", {None}, id="the Gateway's default"),
    ],
)
def test_a_route_waits_for_the_start_of_a_copy(timeout, expected):
    given = {"gateway": {"timeout": timeout}} if timeout else {}
    assert timeouts(raw(autoscaling=TO_ZERO, **given)) == expected
    assert timeouts(raw(autoscaling={"maxReplicas": 2})) == {"300s"}


def picker(**values):
    return {"gateway": {"endpointPicker": {"values": {"inferenceExtension": values}}}}


OWN = "featureGates: [flowControl]\nplugins: []\n"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param(picker(pluginsConfigFile="mine.yaml", pluginsCustomConfig={"mine.yaml": OWN}), "", id="own, with the gate"),
        pytest.param(
            picker(pluginsConfigFile="mine.yaml", pluginsCustomConfig={"mine.yaml": "plugins: []"}),
            "mine.yaml, the endpoint picker's configuration, lacks featureGates: [flowControl]",
            id="own, without it",
        ),
        pytest.param(picker(pluginsConfigFile="mine.yaml"), "is not one of the values", id="a file that is not known"),
        pytest.param({"gateway": {"httpRouteRef": {"name": "mine"}}}, "gateway.httpRouteRef", id="a route with other time-outs"),
    ],
)
def test_where_requests_would_be_lost_the_last_copy_stays(given, why):
    found = world(raw(autoscaling=TO_ZERO, **given))
    assert why in found.decisions.scaling.unheld
    assert (found.decisions.scaling.least, found.decisions.scaling.holds) == ((0, True) if not why else (1, False))


def test_a_gateway_class_without_endpoint_pickers_does_not_hold_requests():
    scaling = world(raw(autoscaling=TO_ZERO), controller=KTHENA).decisions.scaling
    assert (scaling.least, scaling.unheld) == (1, "kthena-router does not hold requests; without a copy, it answers 404 at once")


def test_an_older_chart_does_not_hold_requests():
    older = replace(SCALING, charts=(ChartSource(version="v1.4.0"),))
    assert "does not hold requests; use 1.5 or later" in world(raw(autoscaling=TO_ZERO), older).decisions.scaling.unheld


def test_how_long_the_gateway_waits_is_known():
    scaling = world(raw(autoscaling=TO_ZERO)).decisions.scaling
    assert (scaling.held_seconds, scaling.shortest_hold) == (90, 1000)


def existing():
    manifest = scaled(raw(autoscaling=TO_ZERO))
    ref = ObjectRef("ScaledObject", NAMESPACE, NAME)
    return ScaledObject(Meta(ref, uid="uid", controller_uid=UID, workspace=NAME, applied_hash=applied_hash(manifest)))


def test_one_that_is_not_wanted_any_more_is_deleted():
    workloads = tuple(live(each) for each in manifests(raw(), "Deployment"))
    found = world(raw(), workloads=workloads, scaled_object=existing())
    assert (applied(found, "ScaledObject"), deleted(found)) == ([], [NAME])


def test_it_is_watched_only_where_it_is_wanted_or_was():
    assert world(raw(autoscaling=TO_ZERO)).desired.dependencies.scaled_object == NAME
    assert world(raw()).desired.dependencies.scaled_object == ""
    assert world(raw(), scaled_object=existing()).desired.dependencies.scaled_object == NAME
    told = raw() | {"status": {"autoscaling": {"scaledObject": NAME}}}
    assert world(told).desired.dependencies.scaled_object == NAME
    assert world(raw(autoscaling=TO_ZERO), SETTINGS).desired.dependencies.scaled_object == ""


def test_one_of_the_user_is_not_overwritten():
    foreign = replace(existing(), meta=replace(existing().meta, controller_uid="", applied_hash=""))
    found = world(raw(autoscaling=TO_ZERO), scaled_object=foreign)
    assert applied(found, "ScaledObject") == []
    assert problem(found)[0] == "NotOwned"


@pytest.mark.parametrize(
    ("document", "settings", "observed", "reason", "way_out"),
    [
        pytest.param(
            raw(autoscaling=TO_ZERO), SETTINGS, {}, "AutoscalingDisabled", "administrators set autoscaling.enabled", id="off"
        ),
        pytest.param(
            raw(autoscaling=TO_ZERO),
            SCALING,
            {"scaled_object_problem": "ScaledObjects cannot be listed"},
            "KEDANotInstalled",
            "install KEDA",
            id="no KEDA",
        ),
        pytest.param(
            raw(autoscaling=TO_ZERO, gateway={"enabled": False}),
            SCALING,
            {},
            "LoadNotMeasured",
            "attach the InferenceSet",
            id="no gateway",
        ),
        pytest.param(
            raw(autoscaling=TO_ZERO, gateway={"pool": {"ref": {"name": "mine"}}}),
            SCALING,
            {},
            "LoadNotMeasured",
            "remove gateway.pool.ref",
            id="an own pool",
        ),
    ],
)
def test_what_prevents_autoscaling_is_told_with_a_way_out(document, settings, observed, reason, way_out):
    found = world(document, settings, **observed)
    assert applied(found, "ScaledObject") == []
    assert problem(found)[0] == reason
    assert way_out in problem(found)[1]
