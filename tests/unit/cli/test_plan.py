"""`workspace-ctrl plan`: every object with what matters of it, what was assumed, and why a Workspace is refused."""

import json
import re
from dataclasses import replace

import pytest
import yaml
from click.testing import CliRunner

from tests.unit.cli.test_cli import REPOSITORY, run
from workspace_ctrl.catalog.reasons import find_reason
from workspace_ctrl.cli import plan as module
from workspace_ctrl.cli.main import main
from workspace_ctrl.model.plan_decisions import LinkName, Problem

QUICKSTART = str(REPOSITORY / "examples/quickstart/workspace.yaml")


def test_plan_prints_every_object_in_order_without_a_cluster():
    result = run("plan", "-f", QUICKSTART, "-o", "yaml")
    assert result.exit_code == 0
    kinds = [document["kind"] for document in yaml.safe_load_all(result.output)]
    assert kinds == ["Deployment", "Service", "OCIRepository", "HelmRelease", "HTTPRoute"]
    assert "&id" not in result.output


def test_json_is_a_list_of_the_same_objects():
    listed, documents = run("plan", "-f", QUICKSTART, "-o", "json"), run("plan", "-f", QUICKSTART, "-o", "yaml")
    assert json.loads(listed.stdout)["items"] == list(yaml.safe_load_all(documents.stdout))
    assert "assumed for Workspace" in listed.stderr


def test_plan_with_the_gate_off_shows_the_workload_only():
    result = run("plan", "-f", QUICKSTART, "-o", "yaml", "--feature-gates", "gatewayAPIInferenceExtension=false")
    assert [document["kind"] for document in yaml.safe_load_all(result.output)] == ["Deployment", "Service"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "kind: Workspace\nmetadata: {name: w}\n",
            "Workspace w is rejected: a Workspace needs exactly one of inference and tuning",
            id="refused",
        ),
        pytest.param("kind: Workspace\n", "is rejected: metadata.name must be a DNS label", id="no name"),
        pytest.param("kind: Workspace\nmetadata: [1]\n", "is rejected: metadata must be an object", id="strange metadata"),
        pytest.param(
            "kind: Workspace\nmetadata: {name: 3, namespace: [1]}\n", "metadata.name must be a DNS label", id="name is a number"
        ),
        pytest.param(
            "kind: Workspace\nmetadata: {generateName: w-}\n",
            "is rejected: metadata.name is needed here; metadata.generateName leaves it to the API server; set a name",
            id="a name of the API server",
        ),
        pytest.param(
            "kind: Workspace\nmetadata: {name: {{ .Values.name }}}\n",
            "standard input has a mapping or list as a key in line 2; write it as a string; a template such as {{ .Values.x }} has to be",
            id="a template",
        ),
        pytest.param(
            "kind: Workspace\nmetadata: {name: w}\nspec: {inference: {}}\n",
            "move its fields up: inference is at the top level of a Workspace",
            id="one field under spec",
        ),
        pytest.param(
            "kind: Workspace\nmetadata: {name: w}\n",
            "warning: Workspace w has no apiVersion, which the API server requires; add apiVersion: kaito.sh/v1beta1",
            id="no apiVersion",
        ),
        pytest.param("kind: Gateway\n", "no Workspace or InferenceSet found in standard input", id="none"),
        pytest.param(
            "kind: InferenceSet\nmetadata: {name: s}\n", "InferenceSet s is rejected: spec is required", id="set without spec"
        ),
        pytest.param(
            "apiVersion: kaito.sh/v1alpha1\nkind: MultiRoleInference\nmetadata: {name: m}\n",
            "MultiRoleInference m is not supported: prefill and decode are not separated; use an InferenceSet",
            id="several roles",
        ),
        pytest.param(
            "apiVersion: kaito.sh/v1alpha1\nkind: ModelMirror\nmetadata: {name: m}\n",
            "ModelMirror m is not supported: there is no mirror of weights; set inference.weightsVolume",
            id="a mirror",
        ),
        pytest.param(
            "apiVersion: kaito.sh/v1beta1\nkind: RAGEngine\nmetadata: {name: r}\n",
            "RAGEngine r is not supported: run the retrieval yourself",
            id="retrieval",
        ),
        pytest.param("apiVersion: other/v1\nkind: RAGEngine\n", "no Workspace or InferenceSet found", id="of another group"),
        pytest.param("a: [", "is not YAML", id="not YAML"),
    ],
)
def test_plan_says_what_is_wrong_and_exits_with_2(text, words):
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input=text)
    assert (result.exit_code, words in result.output) == (2, True), result.output


def document(name, inference):
    """Return a Workspace as YAML; `inference` are the entries of its field."""
    return f"""
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {{name: {name}}}
resource: {{labelSelector: {{matchLabels: {{apps: phi}}}}}}
inference: {{{inference}}}
---
"""


PHI = "preset: {name: phi-4-mini-instruct}"


def test_a_workspace_that_is_given_twice_is_told_and_planned_as_often():
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input=document("phi", PHI) + document("phi", PHI))
    assert "warning: Workspace default/phi is given 2 times; an apply leaves what the last one says" in result.stderr
    assert (result.exit_code, result.stdout.count("Deployment default/phi")) == (0, 2)


def plan(text, *arguments):
    return CliRunner().invoke(main, ["plan", "-f", "-", *arguments], input=text)


def test_the_tree_shows_what_matters_of_each_object_and_the_assumptions_apart():
    result = run("plan", "-f", QUICKSTART)
    for line in (
        "Workspace workspace-phi-4-mini: 1 x Standard_NC24ads_A100_v4: 7.3 GiB weights and 62.0 GiB KV cache",
        "pods: 1",
        "image: docker.io/vllm/vllm-openai:",
        "GPUs per pod: 1",
        "ports: 80 to 5000",
        "nodes: apps=phi-4-mini, node.kubernetes.io/instance-type=Standard_NC24ads_A100_v4",
        "pool selects pods: kaito.sh/workspace=workspace-phi-4-mini",
        "Gateway: default/inference-gateway",
        "path: /default/workspace-phi-4-mini",
    ):
        assert line in result.stdout
    assert "assumed" not in result.stdout
    assert "the API server accepts the workload as a Deployment" in result.stderr


@pytest.mark.parametrize(("chart", "version"), [("inferencepool", "v1.1.0"), ("llm-d-router-gateway", "v0.9.0")])
def test_the_tree_shows_selector_and_port_of_every_chart(chart, version):
    result = run("plan", "-f", QUICKSTART, "--chart-url", f"oci://registry.example/{chart}", "--chart-version", version)
    assert result.exit_code == 0, result.output
    for line in (
        f"chart: oci://registry.example/{chart}:{version}",
        "pool selects pods: kaito.sh/workspace=workspace-phi-4-mini",
        "target ports: 5000",
    ):
        assert line in result.stdout


@pytest.mark.parametrize(
    "url", ["https://charts.example", "registry.example/inferencepool", "oci://a/inferencepool:v1.5.0", "oci://a/b/"]
)
def test_the_url_of_a_chart_is_checked_as_in_the_settings(url):
    result = run("plan", "-f", QUICKSTART, "--chart-url", url)
    assert result.exit_code == 2
    said = f"--chart-url '{url}' must be a URL without a tag, such as oci://registry.example/charts/inferencepool; set the tag as version"
    assert said in result.stderr


def test_the_tree_shows_the_digest_of_a_pinned_chart(tmp_path):
    digest = "sha256:" + "a" * 64
    text = document("one", PHI).replace("---", f"gateway: {{chart: {{digest: '{digest}'}}}}")
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"chartSources: [{{allowedDigests: {{v1.5.0: '{digest}'}}}}]")
    assert f"/inferencepool@{digest}" in plan(text, "--config", str(settings)).stdout
    assert "Workspace one is rejected: gateway.chart.digest is not one" in plan(text).stderr


def test_requests_of_the_installation_override_those_that_follow_from_the_weights(tmp_path):
    assert "requests per pod: cpu 3, ephemeral-storage 10Gi, memory 10Gi" in plan(document("one", PHI)).stdout
    settings = tmp_path / "settings.yaml"
    settings.write_text("modelServer: {resources: {requests: {cpu: 4, memory: 8Gi}}}")
    given = ("--config", str(settings), "--model-server-requests", "memory=9Gi")
    assert "requests per pod: cpu 4, ephemeral-storage 10Gi, memory 9Gi" in plan(document("one", PHI), *given).stdout


@pytest.mark.parametrize("text", ["cpu", "cpu=", "cpu=1,", "cpu=1,cpu=2", "cpu=many", "=1"])
def test_requests_that_are_none_are_refused(text):
    result = plan(document("one", PHI), "--model-server-requests", text)
    assert result.exit_code == 2
    assert f"--model-server-requests must be requests such as cpu=2,memory=8Gi, not {text!r}" in result.stderr


def test_requests_of_gpus_are_refused_because_the_sizing_decides_about_them():
    result = plan(document("one", PHI), "--model-server-requests", "cpu=1,nvidia.com/gpu=2")
    assert result.exit_code == 2
    said = "--model-server-requests must not name nvidia.com/gpu, which follows from the size of the model; remove it"
    assert said in result.stderr


def test_a_value_that_is_not_for_a_workspace_to_set_refuses_it():
    text = document("one", PHI).replace("---", "gateway: {endpointPicker: {values: {x: 1}}}")
    result = plan(text)
    assert result.exit_code == 2
    assert "Workspace one is rejected: gateway.endpointPicker.values.x cannot be set by a Workspace" in result.stderr
    assert result.stdout == ""


def test_warnings_are_said_apart_from_the_objects():
    text = document("one", PHI).replace("labelSelector", "instanceTypo: x, labelSelector")
    warning = "warning for Workspace one: unknown field resource.instanceTypo; did you mean instanceType?"
    assert warning in plan(text).stderr
    assert f"# {warning}" in plan(text, "-o", "yaml").stdout


def test_an_instance_type_that_is_not_set_is_assumed_and_said_among_the_assumptions():
    text = document("one", PHI)
    assumed = "assumed for Workspace one: no node tells its GPUs, so Standard_NC24ads_A100_v4 is assumed"
    assert (assumed in plan(text).stderr, f"# {assumed}" in plan(text, "-o", "yaml").stdout) == (True, True)
    told = plan(text.replace("labelSelector", "instanceType: Standard_NC24ads_A100_v4, labelSelector"))
    assert (told.exit_code, "so Standard_NC24ads_A100_v4 is assumed" in told.output) == (0, False)


def test_a_workspace_whose_annotations_refuse_it_is_refused():
    text = document("one", PHI).replace("{name: one}", "{name: one, annotations: {kaito.sh/runtime: transformers}}")
    result = plan(text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is rejected: metadata.annotations[kaito.sh/runtime] is transformers" in result.stderr


def test_yaml_says_what_is_assumed_in_comments():
    result = run("plan", "-f", QUICKSTART, "-o", "yaml")
    assert "# assumed for Workspace workspace-phi-4-mini: the API server accepts the workload as a Deployment" in result.stdout
    assert result.stderr == ""


def test_a_name_with_a_line_break_does_not_end_the_comment():
    text = document("one", PHI).replace("---", 'gateway: {parentRefs: [{name: "a\\nkind: Pod"}]}')
    result = plan(text, "-o", "yaml")
    assert result.exit_code == 0
    assert "Pod" not in [entry["kind"] for entry in yaml.safe_load_all(result.stdout)]
    assert "# assumed for Workspace one: Gateway default/a kind: Pod exists" in result.stdout


def test_of_several_workspaces_the_refused_one_is_named_and_the_others_are_shown():
    text = document("one", PHI) + document("two", "preset: {name: phi4}") + document("three", PHI)
    result = plan(text, "-o", "yaml")
    assert result.exit_code == 2
    assert result.stderr == "Workspace two is rejected: inference.preset.name 'phi4' is not known; did you mean phi-4?\n"
    workloads = [entry["metadata"]["name"] for entry in yaml.safe_load_all(result.stdout) if entry["kind"] == "Deployment"]
    assert workloads == ["one", "three"]


def test_several_files_are_one_world(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("kind: ConfigMap\nmetadata: {name: my}\ndata: {inference_config.yaml: 'vllm: {max-model-len: 4096}'}\n")
    result = plan(document("one", PHI + ", config: my"), "-f", str(config))
    assert (result.exit_code, "context 4096 tokens" in result.output) == (0, True), result.output
    alone = plan(document("one", PHI + ", config: my"))
    assert (alone.exit_code, "ConfigMap default/my (inference.config) not found" in alone.output) == (2, True)


def test_nodes_in_a_list_tell_their_gpus():
    node = {"kind": "Node", "metadata": {"name": "n", "labels": {"apps": "phi", "nvidia.com/gpu.product": "NVIDIA-L4"}}}
    text = document("one", PHI) + yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [node]})
    assert "1 x node with NVIDIA-L4" in plan(text).output


def test_a_referenced_deployment_stands_beside_its_workspace():
    text = document("own", "workloadRef: {kind: Deployment, name: llama}")
    container = {"name": "llama", "ports": [{"containerPort": 8080}]}
    spec = {"selector": {"matchLabels": {"app": "llama"}}, "template": {"spec": {"containers": [container]}}}
    deployment = {"kind": "Deployment", "metadata": {"name": "llama"}, "spec": spec}
    result = plan(text + yaml.safe_dump(deployment))
    assert "pool selects pods: app=llama" in result.stdout
    assert "target ports: 8080" in result.stdout
    assert plan(text).exit_code == 2


@pytest.mark.parametrize(
    "other",
    [
        "kind: Node\nmetadata: [1]",
        "kind: Node\nmetadata: {name: n, labels: [1]}",
        "kind: Node\nmetadata: {name: n, labels: {apps: phi, nvidia.com/gpu.product: NVIDIA-L4, nvidia.com/gpu.count: 3}}",
        "kind: ConfigMap\nmetadata: {name: my}\ndata: [1]",
        "kind: ConfigMap\nmetadata: {name: [1]}",
        "kind: List\nitems: 1",
        "- 1",
    ],
)
def test_strange_objects_beside_it_end_in_a_sentence(other):
    result = plan(document("one", PHI + ", config: my") + other)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert re.search("Workspace one (is rejected|cannot be planned yet): ", result.output)


def test_strange_pod_templates_are_shown_as_they_are():
    container = "{name: a, ports: [1, {containerPort: 80}], resources: [1]}"
    affinity = "{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [1]}]}}}"
    result = plan(document("own", f"template: {{spec: {{containers: [{container}], affinity: {affinity}}}}}"))
    assert (result.exit_code, "ports: 80" in result.stdout) == (0, True), result.output


@pytest.mark.parametrize(
    ("field", "words"),
    [
        pytest.param(
            "resource: {count: 99999999999999999999999, labelSelector: {}}",
            "JSON cannot represent in line 3",
            id="a number beyond all limits",
        ),
        pytest.param("resource: {instanceType: !!binary aGk=, labelSelector: {}}", "which is not JSON", id="bytes"),
        pytest.param("resource: {? [a] : 2, labelSelector: {}}", "has a mapping or list as a key", id="a list as a key"),
        pytest.param("resource: {instanceType: 2026-01-01, labelSelector: {}}", "'2026-01-01' is not known", id="a date"),
    ],
)
def test_yaml_that_no_api_server_takes_is_refused_in_a_sentence(field, words):
    text = f"kind: Workspace\nmetadata: {{name: a}}\n{field}\ninference: {{preset: {{name: phi-4}}}}\n"
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input=text)
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
    assert words in result.output


GATEWAY = """
gateway:
  parentRefs: [{name: door, namespace: gateways, sectionName: https}]
  hostnames: [m.example.com]
  match: {path: /default/phi, header: true}
"""


def behind_gateway(name):
    return document(name, PHI).removesuffix("---\n") + GATEWAY


def test_a_route_is_shown_with_its_host_names_paths_and_headers():
    shown = " ".join(plan(behind_gateway("own")).stdout.split())
    for words in (
        "Gateway: gateways/door, listener https",
        "host names: m.example.com",
        "path: /default/phi",
        "header: X-Gateway-Model-Name: phi-4-mini-instruct",
    ):
        assert words in shown, shown


def test_a_path_of_another_namespace_is_rejected_unless_the_settings_share_it():
    text = behind_gateway("own").replace("/default/phi", "/team-b/phi/v1/chat")
    result = plan(text)
    assert result.exit_code == 2
    assert "Workspace own is rejected: gateway.match.path /team-b/phi/v1/chat is not under /default" in result.stderr
    assert "path: /team-b/phi/v1/chat" in plan(text, "--shared-path", "/team-b/phi").stdout


def test_routes_and_pools_of_others_are_assumed_to_be_as_they_should():
    result = plan(
        document("own", PHI).removesuffix("---\n") + "gateway: {httpRouteRef: {name: mine}, pool: {ref: {name: theirs}}}\n"
    )
    assert result.exit_code == 0
    assert "HelmRelease" not in result.stdout
    for words in ("HTTPRoute default/mine exists and is valid", "InferencePool default/theirs exists and is valid"):
        assert words in " ".join(result.output.split())


def test_workspaces_behind_one_gateway_share_its_body_based_router(tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("bodyBasedRouting: {mode: managed}\n")
    text = behind_gateway("one") + "---" + behind_gateway("two")
    result = plan(text, "-o", "yaml", "--config", str(settings))
    objects = [entry for entry in yaml.safe_load_all(result.stdout) if entry["metadata"]["namespace"] == "gateways"]
    assert [(entry["kind"], entry["metadata"]["name"]) for entry in objects] == [
        ("OCIRepository", "door-body-router"),
        ("HelmRelease", "door-body-router"),
    ]
    assert objects[1]["spec"]["values"]["provider"] == {"name": "istio"}
    assert "Body-based router of Gateway gateways/door" in plan(text, "--config", str(settings)).stdout


def test_no_body_based_router_is_shown_that_nobody_manages():
    assert "body-router" not in plan(behind_gateway("own"), "-o", "yaml").stdout


WRONG = """
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi}
resource: {count: 0, labelSelector: {matchLabels: {a: b}}}
inference: {preset: {name: phi-4}}
gateway: {hostnames: ["a b"], match: {path: models}}
"""


def test_all_fields_that_are_wrong_are_named_at_once():
    output = CliRunner().invoke(main, ["plan", "-f", "-"], input=WRONG).output
    assert all(
        path in output
        for path in (
            "resource.count is not valid",
            "gateway.hostnames[0] must be a host name",
            "gateway.match.path must be an absolute path",
        )
    )


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (
            "apiVersion: kaito.sh/v2\nkind: Workspace\nmetadata: {name: a}",
            "apiVersion kaito.sh/v2 is not served; use kaito.sh/v1beta1",
        ),
        ("kind: Workspace\nmetadata: {name: a, labels: {x y: z}}", "metadata.labels x y: z is not a valid label"),
        ("kind: Workspace\nmetadata: {name: a, labels: {x: 1}}", "metadata.labels x: 1 is not a valid label"),
        (
            "kind: Workspace\nmetadata: {name: a, annotations: {x: 1}}",
            "metadata.annotations x must be a text; put its value into quotes",
        ),
        ("kind: Workspace\nmetadata: {name: a, annotations: {x y: z}}", "metadata.annotations x y is not a valid key"),
        ("kind: Workspace\nmetadata: {name: a, namespace: A_b}", "metadata.namespace A_b is not the name of a namespace"),
        ("kind: Workspce\nmetadata: {name: a}", "warning: kind Workspce is ignored; did you mean Workspace?"),
        (
            "apiVersion: kaito.sh/v1beta1\nkind: Unknown\nmetadata: {name: a}",
            "kind Unknown of kaito.sh is ignored; only Workspace and InferenceSet are planned",
        ),
        ("kind: InferenceSets\nmetadata: {name: a}", "warning: kind InferenceSets is ignored; did you mean InferenceSet?"),
    ],
)
def test_what_the_api_server_rejects_is_rejected(head, words):
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input=f"{head}\n")
    assert (result.exit_code, words in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("link", "reason", "condition"),
    [
        (LinkName.WORKLOAD, "NotOwned", "WorkloadAccepted"),
        (LinkName.RELEASE, "NotOwned", "ChartReady"),
        (LinkName.ROUTE, "NotOwned", "RouteReady"),
        (LinkName.ROUTE, "ApplyRefused", "RouteReady"),
        (LinkName.DISRUPTION_BUDGET, "ObjectUnreadable", "DisruptionBudgetReady"),
        (LinkName.SOURCE, "CRDsNotAvailable", "ChartReady"),
        (LinkName.POOL, "CRDsNotAvailable", "RouteReady"),
        (LinkName.OBJECTIVES, "CRDsNotAvailable", "ObjectivesReady"),
        (LinkName.POOL, "InferencePoolNotFound", "RouteReady"),
    ],
)
def test_a_problem_is_shown_with_the_condition_of_its_link(link, reason, condition, monkeypatch):
    judge = module.judge

    def with_problem(*arguments):
        found = judge(*arguments)
        decisions = replace(found.preview.decisions, problems=(Problem(link, reason, "so it is"),))
        planned = replace(found.preview.planned, decisions=decisions)
        return replace(found, preview=replace(found.preview, planned=planned))

    monkeypatch.setattr(module, "judge", with_problem)
    assert f"── {condition}: {reason}: so it is\n" in run("plan", "-f", QUICKSTART).output
    assert condition in find_reason(reason).types


def test_what_is_not_supported_does_not_hide_the_rest():
    text = f"{document('phi', 'preset: {name: phi-4-mini-instruct}')}apiVersion: kaito.sh/v1alpha1\nkind: ModelMirror\n"
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input=text)
    assert result.exit_code == 2
    assert "ModelMirror without a name is not supported" in result.stderr
    assert "Deployment default/phi" in result.stdout


UNKNOWN = document("any", "preset: {name: some-lab/Model-7B}")


def plan_unknown(*options, text=UNKNOWN):
    return CliRunner().invoke(main, ["plan", "-f", "-", *options], input=text)


def test_a_model_that_is_not_in_the_catalog_needs_a_size_unless_a_hub_is_asked():
    result = plan_unknown()
    assert result.exit_code == 2
    assert "'some-lab/Model-7B' is not in the catalog, and its size is not set; set inference.preset.size" in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model-hub", "ftp://hub.example"), "--model-hub must be off, or a URL without a trailing slash"),
        (("--model-hub", "https://user@hub.example"), "--model-hub must be off, or a URL without a trailing slash"),
        (("--model-hub-network", "all"), "--model-hub-network must be a network, such as 127.0.0.0/8, not 'all'"),
    ],
)
def test_a_hub_has_a_url_and_networks(options, words):
    result = plan_unknown(*options)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_without_helm_nothing_is_rendered():
    result = run("plan", "-f", QUICKSTART, "--render", "--helm", "/nowhere/helm")
    assert (result.exit_code, "/nowhere/helm not found; install Helm" in result.output) == (2, True)
