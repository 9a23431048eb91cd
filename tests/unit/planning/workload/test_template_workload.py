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
        pytest.param([{"containerPort": 9090, "name": "http-metrics"}, {"containerPort": 8080}], 8080, id="not that of metrics"),
        pytest.param([{"containerPort": 8000, "name": "metrics"}], 8000, id="that of metrics alone"),
        pytest.param([{"containerPort": 8081, "name": "management"}, {"containerPort": 8080}], 8080, id="not that of management"),
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
        pytest.param({"restartPolicy": "Always", "ports": [{"name": "otlp", "containerPort": 4317}]}, 8200, id="one with a name"),
        pytest.param({"restartPolicy": "Always", "ports": [{"containerPort": 8000}]}, 8000, id="llm-d's proxy, without a name"),
        pytest.param({"ports": [{"name": "http", "containerPort": 8000}]}, 8200, id="an init container ends before"),
    ],
)
def test_a_native_sidecar_may_be_the_proxy(sidecar, port):
    server = {"name": "server", "ports": [{"containerPort": 8200}], "readinessProbe": {"httpGet": {"port": 8200}}}
    assert serve(template(initContainers=[{"name": "proxy", **sidecar}], containers=[server])).port == port


PROBED = {"readinessProbe": {"httpGet": {"port": 4317}}}


@pytest.mark.parametrize(
    "server",
    [
        pytest.param({"readinessProbe": {"httpGet": {"port": 8000}}}, id="asked by a probe"),
        pytest.param({"startupProbe": {"tcpSocket": {"port": "api"}}}, id="asked by its name"),
        pytest.param({"resources": {"limits": {"nvidia.com/gpu": 1}}}, id="GPUs"),
        pytest.param({"resources": {"requests": {"cpu": 1, "google.com/tpu": 4}}}, id="TPUs"),
        pytest.param({"resources": {"claims": [{"name": "gpu"}]}}, id="a claim"),
        pytest.param({"resources": {"limits": {"nvidia.com/gpu": 1}}, "beside": PROBED}, id="GPUs, beside a sidecar with a probe"),
    ],
)
def test_the_port_of_the_model_server_comes_before_that_of_a_container_beside_it(server):
    other = {"name": "otel", "ports": [{"containerPort": 4317}], "resources": {"requests": {"cpu": 1}}, **server.get("beside", {})}
    ports = (
        [{"containerPort": 9000}, {"containerPort": 8000, "name": "api"}] if "startupProbe" in server else [{"containerPort": 8000}]
    )
    assert serve(template(containers=[other, {"name": "server", "ports": ports, **server}])).port == 8000


PORTS = {"ports": [{"containerPort": 8000}, {"containerPort": 8001}]}
READY = {"readinessProbe": {"httpGet": {"path": "/health", "port": 8000}}}
PROXY = {"name": "proxy", "restartPolicy": "Always", "ports": [{"containerPort": 9000, "name": "http"}]}
SEVERAL = (
    "inference.template has several container ports and none named http, so port 8000 of container server is used; "
    "name the right one http"
)


@pytest.mark.parametrize(
    ("spec", "notes"),
    [
        pytest.param({"containers": [{"name": "server", **PORTS, **READY}]}, [SEVERAL], id="several ports"),
        pytest.param({"containers": [{"name": "server", "ports": PORTS["ports"][:1], **READY}]}, [], id="one port"),
        pytest.param(
            {"containers": [{"name": "server", "ports": [*PORTS["ports"][:1], {"containerPort": 1, "name": "metrics"}], **READY}]},
            [],
            id="one for metrics",
        ),
        pytest.param({"initContainers": [PROXY], "containers": [{"name": "server", **PORTS, **READY}]}, [], id="one named http"),
        pytest.param(
            {"containers": [{"name": "server", "ports": PORTS["ports"][:1], "startupProbe": {"exec": {}}}]},
            [],
            id="a startup probe",
        ),
        pytest.param(
            {"initContainers": [PROXY], "containers": [{"name": "server"}]},
            ["container proxy of inference.template has no readinessProbe"],
            id="no probe behind a proxy",
        ),
        pytest.param(
            {"containers": [{"name": "side", **READY}, {"name": "server", "ports": PORTS["ports"][:1]}]},
            ["container server of inference.template has no readinessProbe"],
            id="a probe of another container",
        ),
    ],
)
def test_a_guessed_port_and_a_missing_probe_are_notes(spec, notes):
    found = serve(template(**spec)).notes
    assert [text for text, beginning in zip(found, notes, strict=True) if not text.startswith(beginning)] == []


@pytest.mark.parametrize("number", ["8000", 0, 65536, True, 80.5, []])
def test_a_container_port_that_is_no_number_is_refused_with_its_path(number):
    path = (
        r"inference\.template\.spec\.containers\[0\]\.ports\[1\]\.containerPort is .*; use a number from 1 to 65535, without quotes"
    )
    with pytest.raises(SpecError, match=path):
        serve(template(containers=[{"name": "server", "ports": [{"containerPort": 8000}, {"containerPort": number}]}]))


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
