"""A user's own pod template: kept as it is, with what the chain needs added."""

from typing import Any

import pytest

from tests.unit.factories import NAME, SETTINGS, quickstart, workspace
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.planning.workload.model_server import ModelServer, ServerRecords
from workspace_ctrl.planning.workload.server_from_spec import model_server
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import Workload

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
OURS = ["apps", "node.kubernetes.io/instance-type"]


def template(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "server", "image": "example/server:1"}], **spec}}


def serve(pod_template: Any, records: ServerRecords | None = None, *, count: int = 1, **resource: Any) -> ModelServer:
    raw = quickstart(inference={"template": pod_template})
    raw["resource"] |= {"count": count, **resource}
    record = workspace(raw)
    return model_server(record, parse_workspace(NAME, record.fields()), records or ServerRecords(), SETTINGS)


def made(server: ModelServer) -> dict[str, Any]:
    pod_template: dict[str, Any] = server.workload["spec"]["template"]
    return pod_template


def test_the_template_stays_and_gets_our_label():
    pod_template = {**template(), "metadata": {"labels": {"mine": "yes"}, "annotations": {"a": "b"}}}
    result = made(serve(pod_template))
    assert result["metadata"] == {"labels": {"mine": "yes", "kaito.sh/workspace": NAME}, "annotations": {"a": "b"}}
    words = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    assert result["spec"]["containers"] == [{**words, **entry} for entry in pod_template["spec"]["containers"]]


def test_what_a_container_says_of_its_last_words_stays():
    spec = {"containers": [{"name": "server", "terminationMessagePolicy": "File"}], "initContainers": [{"name": "first"}]}
    result = made(serve({"spec": spec}))["spec"]
    policies = [entry["terminationMessagePolicy"] for entry in (*result["containers"], *result["initContainers"])]
    assert policies == ["File", "FallbackToLogsOnError"]


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        pytest.param([], 5000, id="none: KAITO's"),
        pytest.param([{"containerPort": 8000}], 8000, id="the first"),
        pytest.param([{"containerPort": 9090, "name": "metrics"}, {"containerPort": 8080, "name": "http"}], 8080, id="http"),
    ],
)
def test_the_port_is_found_in_the_template(ports, port):  # what is assumed without one: test_admission_verdict
    server = serve(template(containers=[{"name": "server", "ports": ports}]))
    assert server.port == port
    assert server.others[-1]["spec"]["ports"][0]["targetPort"] == port


@pytest.mark.parametrize(
    ("sidecar", "port"),
    [
        pytest.param({"restartPolicy": "Always", "ports": [{"name": "http", "containerPort": 8000}]}, 8000, id="a proxy in front"),
        pytest.param({"restartPolicy": "Always", "ports": [{"name": "metrics", "containerPort": 9090}]}, 8200, id="other sidecars"),
        pytest.param({"ports": [{"name": "http", "containerPort": 8000}]}, 8200, id="an init container ends before"),
    ],
)
def test_a_native_sidecar_may_be_the_proxy(sidecar, port):
    server = {"name": "server", "ports": [{"containerPort": 8200}]}
    assert serve(template(initContainers=[{"name": "proxy", **sidecar}], containers=[server])).port == port


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param({}, False, id="not set: off"),
        pytest.param({"enableServiceLinks": None}, False, id="null"),
        pytest.param({"enableServiceLinks": True}, True, id="the user's word"),
    ],
)
def test_a_service_s_name_does_not_become_a_setting_of_the_model_server(given, found):
    assert made(serve(template(**given)))["spec"]["enableServiceLinks"] is found


def test_affinity_of_the_user_and_ours_are_both_required():
    theirs = {"key": "zone", "operator": "In", "values": ["a"]}
    affinity = {
        "podAntiAffinity": {"x": 1},
        "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [theirs]}, {"matchFields": []}]}},
    }
    result = made(serve(template(affinity=affinity)))["spec"]["affinity"]
    terms = result["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert [[entry["key"] for entry in term["matchExpressions"]] for term in terms] == [["zone", *OURS], OURS]
    assert result["podAntiAffinity"] == {"x": 1}


def preference(*names: str) -> list[dict[str, Any]]:
    return [
        {"weight": 100, "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}}
        for name in names
    ]


@pytest.mark.parametrize(
    ("theirs", "nodes", "both"),
    [
        pytest.param(preference("a"), [], preference("a"), id="theirs alone"),
        pytest.param(None, ["b"], preference("b"), id="ours alone"),
        pytest.param(preference("a"), ["b", "c"], preference("a", "b", "c"), id="both, theirs first"),
        pytest.param([], ["b"], preference("b"), id="theirs is empty"),
    ],
)
def test_preferred_nodes_of_the_user_and_ours_are_both_preferred(theirs, nodes, both):
    affinity = {"nodeAffinity": {PREFERRED: theirs}} if theirs is not None else {}
    found = made(serve(template(affinity=affinity), preferredNodes=nodes))["spec"]["affinity"]["nodeAffinity"]
    assert found[PREFERRED] == both
    assert [entry["key"] for entry in found[REQUIRED]["nodeSelectorTerms"][0]["matchExpressions"]] == (OURS[:1] if nodes else OURS)


def test_no_preference_is_made_up():
    assert PREFERRED not in made(serve(template()))["spec"]["affinity"]["nodeAffinity"]


def test_tolerations_are_added_once():
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    result = made(serve(template(tolerations=[{"key": "mine"}, gpu])))["spec"]["tolerations"]
    assert [entry["key"] for entry in result] == ["mine", "nvidia.com/gpu", "sku"]


def test_an_edit_of_the_template_is_another_workload():
    before, after = serve(template()), serve(template(containers=[{"name": "server", "image": "example/server:2"}]))
    assert before.workload["metadata"]["annotations"] != after.workload["metadata"]["annotations"]


def test_as_many_pods_as_nodes_unless_somebody_else_scales():
    assert serve(template(), count=3).workload["spec"]["replicas"] == 3
    assert "replicas" not in serve(template()).workload["spec"]
    live = Workload(Meta(ObjectRef("Deployment", "default", NAME)), scaled_by_others=True)
    assert "replicas" not in serve(template(), ServerRecords(workloads=(live,)), count=3).workload["spec"]


@pytest.mark.parametrize(
    ("pod_template", "path"),
    [
        pytest.param({}, "inference.template.spec.containers", id="nothing"),
        pytest.param({"spec": 1}, "inference.template.spec", id="spec is a number"),
        pytest.param({"spec": {"containers": {}}}, "inference.template.spec.containers", id="containers is no list"),
        pytest.param({"spec": {"containers": [1]}}, "inference.template.spec.containers", id="container is a number"),
        pytest.param({**template(), "metadata": []}, "inference.template.metadata", id="metadata is a list"),
        pytest.param({**template(), "metadata": {"labels": "x"}}, "inference.template.metadata.labels", id="labels is text"),
        pytest.param(template(tolerations="x"), "inference.template.spec.tolerations", id="tolerations is text"),
        pytest.param(template(affinity=3), "inference.template.spec.affinity", id="affinity is a number"),
        pytest.param(
            template(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": "x"}}}), "nodeSelectorTerms", id="terms is text"
        ),
    ],
)
def test_what_is_no_template_is_refused_with_its_path(pod_template, path):
    with pytest.raises(SpecError) as caught:
        serve(pod_template)
    assert path in str(caught.value)
