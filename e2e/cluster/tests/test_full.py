"""The full form: pods, GPUs, names, charts and gateways are real."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json
import sys

import pytest

from e2e.cluster.images import VLLM_IMAGE
from e2e.cluster.tests.manifests import chart_objects, engine, eventually, gateway_objects, pod, service
from e2e.waiting import KUBECTL_TIMEOUT

REQUEST = """
import json, sys, urllib.request
url, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode() or None, {"Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=5) as answer:
    print(json.dumps({"headers": dict(answer.headers), "body": answer.read().decode()}))
"""


def request(cluster, url, body=""):
    """Ask from inside; return headers and body, nothing unless the answer is a good one."""
    result = cluster.run([sys.executable, "-c", REQUEST, url, body])
    return json.loads(result.stdout) if result.returncode == 0 else None


@pytest.fixture
def apply(cluster, namespace):
    def run(*objects):
        for value in objects:
            cluster.kubectl("apply", "--namespace", namespace, "--filename", "-", input=json.dumps(value))

    return run


@pytest.fixture
def wait_for(cluster, namespace):
    def run(target, condition):
        cluster.kubectl("wait", "--namespace", namespace, f"--for={condition}", target, KUBECTL_TIMEOUT)

    return run


def test_the_node_is_ready_and_says_the_version_of_a_release(cluster):
    node = json.loads(cluster.kubectl("get", "node", cluster.gpu_node_name, "--output=json"))
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
    assert json.loads(cluster.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"].startswith("v1.")


def test_a_pod_runs_and_its_log_can_be_read(cluster, namespace, apply, wait_for):
    apply(pod("speaker", "echo", "from the pod"))
    wait_for("pod/speaker", "jsonpath={.status.phase}=Succeeded")
    assert cluster.kubectl("logs", "--namespace", namespace, "speaker") == "from the pod\n"


def test_a_pod_gets_gpus_and_one_that_asks_too_much_does_not(cluster, namespace, apply, wait_for):
    apply(
        pod("modest", "sleep", "60", resources={"limits": {"nvidia.com/gpu": "2"}}),
        pod("greedy", "sleep", "60", resources={"limits": {"nvidia.com/gpu": "9"}}),
    )
    wait_for("pod/modest", "condition=Ready")
    # The scheduler may still be about to look at the other one.
    wait_for("pod/greedy", 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable')
    waiting = cluster.kubectl("get", "pod", "--namespace", namespace, "greedy", "--output=json")
    assert "Insufficient nvidia.com/gpu" in json.loads(waiting)["status"]["conditions"][0]["message"]


def test_a_pod_that_always_pulls_finds_its_image(apply, wait_for):
    apply(pod("puller", "true", imagePullPolicy="Always"))
    wait_for("pod/puller", "jsonpath={.status.phase}=Succeeded")


def test_the_engine_answers_behind_a_service_by_name(cluster, namespace, apply, wait_for):
    apply(engine("engine"), service("engine", "engine"))
    wait_for("pod/engine", "condition=Ready")
    answer = eventually(lambda: request(cluster, f"http://engine.{namespace}/v1/models"))
    assert json.loads(answer["body"])["data"][0]["id"] == "m"


def test_pods_reach_each_other_through_a_service(cluster, namespace, apply, wait_for):
    apply(engine("engine"), service("engine", "engine"))
    wait_for("pod/engine", "condition=Ready")
    ask = r'printf "GET /v1/models HTTP/1.0\r\n\r\n" | nc -w 2 "$ENGINE_SERVICE_HOST" 80 | grep model'
    apply(pod("client", "sh", "-c", f"nslookup engine.{namespace}.svc.cluster.local; until {ask}; do sleep 0.2; done"))
    wait_for("pod/client", "jsonpath={.status.phase}=Succeeded")
    assert "some/model" in cluster.kubectl("logs", "--namespace", namespace, "client")


def test_a_request_goes_through_gateway_and_endpoint_picker_to_a_pod(cluster, namespace, apply, wait_for):
    apply(*chart_objects(cluster), *gateway_objects(), engine("engine"))
    wait_for("helmrelease/pool", "condition=Ready")
    wait_for("deployment/pool-epp", "condition=Available")
    wait_for("gateway/gateway", "condition=Programmed")
    wait_for("pod/engine", "condition=Ready")
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
    url = f"http://gateway-istio.{namespace}/v1/chat/completions"
    answer = eventually(lambda: request(cluster, url, body))
    assert answer["headers"]["x-inference-pod"] == "engine"


def test_the_audit_log_tells_actors_apart(cluster, namespace):
    cluster.kubectl("get", "pods", "--namespace", namespace, actor="user")
    calls = [event["requestURI"] for event in cluster.audit_events("user")]
    assert any(f"/namespaces/{namespace}/pods" in call for call in calls)
    assert not any(namespace in event["requestURI"] for event in cluster.audit_events("controller"))


def test_processes_inside_use_the_api_with_their_own_kubeconfig(cluster):
    env = {"KUBECONFIG": str(cluster.inside_kubeconfig_for("controller"))}
    result = cluster.run(["kubectl", "auth", "whoami", "--output=jsonpath={.status.userInfo.username}"], env=env)
    assert (result.returncode, result.stdout) == (0, "controller")


def test_a_stopped_program_can_be_started_again(cluster, namespace):
    cluster.stop_program("kube-scheduler")
    cluster.start_program("kube-scheduler")
    cluster.kubectl("run", "late", "--namespace", namespace, f"--image={VLLM_IMAGE}", "--command", "--", "sleep", "60")
    cluster.kubectl("wait", "--namespace", namespace, "--for=condition=PodScheduled", "pod/late", KUBECTL_TIMEOUT)
