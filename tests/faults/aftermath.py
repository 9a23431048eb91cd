"""What must hold after any fault: all converged, nothing doubled, nothing left over, no status lost, and silence."""

import time
from collections import Counter

from e2e import workspaces
from e2e.controller import PROGRESS_SECONDS
from workspace_ctrl.api.labels import OWNER_LABEL

KINDS = "deployment,service,ocirepository,helmrelease,httproute,inferencepool,configmap,serviceaccount,role,rolebinding"
_ONCE = ("OCIRepository", "HelmRelease", "HTTPRoute", "InferencePool", "ConfigMap", "ServiceAccount")
_TWICE = ("Deployment", "Service", "Role", "RoleBinding")
WHOLE = Counter({**dict.fromkeys(_ONCE, 1), **dict.fromkeys(_TWICE, 2)})
"""Objects of those kinds of one Workspace: its model server's and its endpoint picker's."""
READY_SECONDS = 400
"""Many are made, on a machine that runs other tests at the same time."""
STATUS_WRITES = 4
"""At most so many tell how one Workspace becomes ready; see `status_writes`."""


def create(cluster, namespace, behind, count):
    """Create Workspaces and return their names."""
    names = [f"phi-{number}" for number in range(count)]
    workspaces.apply(cluster, namespace, *(workspaces.workspace(name, gateway=behind) for name in names))
    return names


def wait_all_ready(cluster, namespace, names):
    """Wait until all are Ready, GatewayReady included."""
    every = [f"workspace/{name}" for name in names]
    cluster.kubectl("wait", *every, "-n", namespace, "--for=condition=GatewayReady", f"--timeout={READY_SECONDS}s")
    cluster.kubectl("wait", *every, "-n", namespace, "--for=condition=Ready", f"--timeout={READY_SECONDS}s")


def assert_whole(cluster, namespace, names):
    """Every Workspace has the same objects, once; no object belongs to no Workspace; every status is complete and current."""
    objects: dict[str, Counter[str]] = {}
    for item in workspaces.items(cluster, namespace, KINDS, OWNER_LABEL):
        objects.setdefault(item["metadata"]["labels"][OWNER_LABEL], Counter())[item["kind"]] += 1
    assert objects == dict.fromkeys(names, WHOLE), objects
    for item in workspaces.items(cluster, namespace, "workspaces"):
        status, generation = item["status"], item["metadata"]["generation"]
        assert status["observedGeneration"] == generation
        assert {entry["observedGeneration"] for entry in status["conditions"]} == {generation}
        assert {entry["status"] for entry in status["conditions"]} == {"True"}, status["conditions"]
        assert status["gateway"]["url"].endswith(f"/{namespace}/{item['metadata']['name']}")


def assert_quiet(cluster, namespace, controller):
    """Between two Workspaces that become ready, the controller calls only for the second one.

    Keys are worked on in order, so what was still to be done for the others is done before the first one is ready.
    """
    _make_plain(cluster, namespace, "first-marker")
    before, began = calls(controller, namespace), time.monotonic()
    _make_plain(cluster, namespace, "second-marker")
    allowed = status_writes(1, time.monotonic() - began)
    between = calls(controller, namespace) - before
    assert between.pop(("patch", "workspaces/status")) <= allowed
    assert between.pop(("patch", "events"), 0) <= allowed
    between.pop(("update", "leases"), None)  # every two seconds, whatever happens
    assert between == {("patch", "deployments/dry-run"): 1, ("patch", "deployments"): 1, ("patch", "services"): 1}


def status_writes(count, seconds):
    """How many statuses may tell of some Workspaces in so many seconds: mere progress is told again and again on a slow machine."""
    return count * (STATUS_WRITES + seconds / PROGRESS_SECONDS)


def calls(controller, namespace):
    """Count the calls, but for those in other namespaces: an earlier test's may still be going away."""
    return controller.calls(namespace) + controller.calls("")


def _make_plain(cluster, namespace, name):
    workspaces.apply(cluster, namespace, workspaces.workspace(name, gateway={"enabled": False}))
    workspaces.wait_ready(cluster, namespace, name, "Ready")
