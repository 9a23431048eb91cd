"""The controller of the version before is replaced by this one, and the other way round, while clients ask without a pause."""

import pytest

from e2e import earlier, workspaces
from e2e.cluster.images import VLLM_IMAGE
from e2e.controller import ControllerProcess
from e2e.traffic import Traffic
from e2e.waiting import KUBECTL_TIMEOUT

MODEL = "phi-4-mini-instruct"
OPTIONS = ("--probe", "models", "--model-server-image", VLLM_IMAGE)
MARKER = "marker"
CONTAINER = {
    "name": "server",
    "image": VLLM_IMAGE,
    "command": ["vllm", "serve", "own"],
    "ports": [{"name": "http", "containerPort": 8000}],
    "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1},
}
"""Of a model of one's own, which needs no GPU."""


@pytest.fixture
def gateway(serving_cluster, namespace):
    with workspaces.programmed_gateway(serving_cluster, namespace) as field:
        yield field


@pytest.fixture
def old_cluster(serving_cluster):
    """The cluster as an installation of the version before leaves it."""
    earlier.go_back(serving_cluster)
    yield serving_cluster
    earlier.go_on(serving_cluster)


def pods(cluster, namespace):
    """The pods of the model server and of the endpoint picker: uid → restarts of their containers."""
    found = workspaces.items(cluster, namespace, "pods")
    own = [pod for pod in found if not pod["metadata"]["name"].startswith(MARKER)]
    kept = [pod for pod in own if "deletionTimestamp" not in pod["metadata"]]
    gateways = "gateway.networking.k8s.io/gateway-name"
    return {
        pod["metadata"]["uid"]: [status["restartCount"] for status in pod["status"]["containerStatuses"]]
        for pod in kept
        if gateways not in pod["metadata"]["labels"]
    }


def others(count, gateway):
    """Workspaces beside that of the test; every third without a gateway."""
    template = {"template": {"spec": {"containers": [CONTAINER]}}}
    small = {"endpointPicker": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}}
    for number in range(count):
        yield workspaces.workspace(
            f"other-{number:02}", inference=template, gateway=gateway | small if number % 3 else {"enabled": False}
        )


def wait_all_ready(cluster, namespace, names):
    every = [f"workspace/{name}" for name in names]
    cluster.kubectl("wait", *every, "-n", namespace, "--for=condition=Ready", "--timeout=400s")


def settle(cluster, namespace):
    """Wait until the controller has worked on the Workspace before: keys are worked on in order, so one of now is done after it."""
    workspaces.apply(cluster, namespace, workspaces.workspace(MARKER, gateway={"enabled": False}))
    workspaces.wait_reason(cluster, namespace, MARKER, "WorkloadAccepted", "Accepted")
    cluster.kubectl("delete", "workspace", MARKER, "-n", namespace, KUBECTL_TIMEOUT)
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("beside", [0, pytest.param(49, marks=pytest.mark.optional_addons)])
def test_no_request_is_lost_and_no_pod_replaced_by_an_upgrade_and_a_rollback(old_cluster, namespace, gateway, beside, capsys):
    cluster, source = old_cluster, earlier.earlier()
    fleet = {
        document["metadata"]["name"]: document for document in (workspaces.workspace(gateway=gateway), *others(beside, gateway))
    }
    with ControllerProcess(cluster, *OPTIONS, source=source, inside=True):
        workspaces.apply(cluster, namespace, *fleet.values())
        wait_all_ready(cluster, namespace, fleet)
        url = workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]
        before = pods(cluster, namespace)
    with Traffic(cluster, url, MODEL) as traffic:
        earlier.go_on(cluster)
        with ControllerProcess(cluster, *OPTIONS, inside=True):
            settle(cluster, namespace)
            workspaces.wait_reason(cluster, namespace, "phi", "Warning", "UpdateWaits")
            wait_all_ready(cluster, namespace, fleet)
            traffic.wait_answered()
            assert pods(cluster, namespace) == before

        earlier.go_back(cluster)
        with ControllerProcess(cluster, *OPTIONS, source=source, inside=True):
            settle(cluster, namespace)
            wait_all_ready(cluster, namespace, fleet)
            traffic.wait_answered()
        assert pods(cluster, namespace) == before
    with capsys.disabled():
        print(
            f"\n  from {earlier.VERSION} to this version and back, {len(before)} pods of {len(fleet)} Workspaces: "
            f"of {traffic.query_results.total()} requests lost {traffic.lost or 0}"
        )
    assert traffic.lost == {}
