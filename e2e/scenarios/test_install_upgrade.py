"""The release is upgraded from the version before to this one while requests run, and rolled back: what serves goes on serving."""

import contextlib
import dataclasses
import json

import pytest

from e2e import earlier, workspaces
from e2e.cluster import images
from e2e.cluster.chart import NAME, chart, image_values
from e2e.cluster.own_image import controller
from e2e.release import GATE, NAMESPACE, import_image
from e2e.traffic import Traffic
from e2e.waiting import until

REPLICAS = 2
ROLLOUT = "--timeout=240s"
PRESET, TEMPLATE = "phi", "own"
KINDS = (
    "deployments,services,ocirepositories,helmreleases,httproutes,inferencepools,configmaps,serviceaccounts,roles,rolebindings,"
    "networkpolicies,persistentvolumeclaims"
)


def template():
    """A model server of a user, which is not asked to be anything but what his template says."""
    container = {
        "name": "server",
        "image": images.VLLM_IMAGE,
        "command": ["vllm", "serve", "own-model", "--port=8000", "--served-model-name=own-model"],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1},
    }
    return {"template": {"spec": {"containers": [container]}}}


@pytest.fixture
def before(release, team, behind):
    """The earlier release with two Workspaces of two replicas that serve; the values that chose its image."""
    cluster, folder = release.cluster, earlier.earlier()
    old = controller(earlier.VERSION, folder)
    import_image(cluster, image=old)
    import_image(cluster, image=dataclasses.replace(images.vllm(), name=earlier.VLLM_IMAGE))
    values = (GATE, image_values(old))
    release.upgrade(*values, package=chart(folder / "charts" / NAME))
    workspaces.apply(cluster, team, workspaces.workspace(PRESET, gateway=behind))
    workspaces.apply(cluster, team, workspaces.workspace(TEMPLATE, gateway=behind, inference=template()))
    for name in (PRESET, TEMPLATE):
        cluster.kubectl("wait", "--for=create", f"deployment/{name}", "-n", team, "--timeout=60s")
        cluster.kubectl("scale", f"deployment/{name}", f"--replicas={REPLICAS}", "-n", team)
        cluster.kubectl("rollout", "status", f"deployment/{name}", "-n", team, ROLLOUT)
        workspaces.wait_ready(cluster, team, name, "Ready", 120)
    return values


def objects(cluster, team):
    """All objects of Workspaces in the namespace, those of the charts included: kind and name → uid."""
    found = workspaces.items(cluster, team, KINDS)
    ours = [
        item
        for item in found
        if item["metadata"].get("labels", {}).keys() & {"workspace-ctrl/workspace", "helm.toolkit.fluxcd.io/name"}
    ]
    return {(item["kind"], item["metadata"]["name"]): item["metadata"]["uid"] for item in ours}


def pods(cluster, team, name):
    return {item["metadata"]["name"] for item in workspaces.items(cluster, team, "pods", f"kaito.sh/workspace={name}")}


def restarts(cluster, team):
    """Restarts of containers of all pods."""
    found = workspaces.items(cluster, team, "pods")
    return sum(status["restartCount"] for item in found for status in item["status"].get("containerStatuses", ()))


def wait_settled(cluster, team, release):
    """Wait until the leader is a pod of the newest release, and what it has changed is rolled out."""

    def is_led():
        holder = workspaces.get(cluster, NAMESPACE, "lease", NAME)["spec"]["holderIdentity"]
        running = workspaces.items(cluster, NAMESPACE, "pods", "app.kubernetes.io/instance=workspace-ctrl")
        return any(holder.startswith(pod["metadata"]["name"]) for pod in running if "deletionTimestamp" not in pod["metadata"])

    until(is_led, "a pod of the new release to lead")
    # Keys are worked on in order: when a later Workspace is ready, the earlier ones have been looked at.
    workspaces.apply(cluster, team, workspaces.workspace("marker", gateway={"enabled": False}))
    workspaces.wait_ready(cluster, team, "marker", "InferenceReady", 120)
    cluster.kubectl("delete", "workspace", "marker", "-n", team, "--timeout=60s")
    for kind in ("deployment", "service"):
        workspaces.wait_gone(cluster, team, kind, "marker")
    for item in workspaces.items(cluster, team, "deployments"):
        cluster.kubectl("rollout", "status", f"deployment/{item['metadata']['name']}", "-n", team, ROLLOUT)
    for name in (PRESET, TEMPLATE):
        workspaces.wait_ready(cluster, team, name, "Ready", 120)


@pytest.mark.timeout(900)
def test_no_request_is_lost_by_an_upgrade_or_by_the_way_back(release, team, before, capsys):
    cluster = release.cluster
    first, template_pods = objects(cluster, team), pods(cluster, team, TEMPLATE)
    urls = {name: workspaces.get(cluster, team, "workspace", name)["status"]["gateway"]["url"] for name in (PRESET, TEMPLATE)}
    models = {PRESET: "phi-4-mini-instruct", TEMPLATE: "own-model"}
    for way, upgrade in (
        ("to this version", lambda: release.upgrade(GATE)),
        ("back", lambda: release.helm("rollback", NAME, "1", "--wait", "--timeout=90s")),
    ):
        with contextlib.ExitStack() as stack:
            traffic = {name: stack.enter_context(Traffic(cluster, urls[name], models[name])) for name in urls}
            preset_pods = pods(cluster, team, PRESET)
            done = upgrade()
            assert not done.returncode, done.stderr
            wait_settled(cluster, team, release)
            for each in traffic.values():
                each.wait_answered()
        with capsys.disabled():
            for name, each in traffic.items():
                print(
                    f"\n  {earlier.VERSION}, {way}: {name}: of {each.query_results.total()} requests lost {each.lost or 0}", end=""
                )
            rolled = len(preset_pods - pods(cluster, team, PRESET))
            print(f"; pods replaced: preset {rolled}, template {len(template_pods - pods(cluster, team, TEMPLATE))}")
        assert {name: each.lost for name, each in traffic.items()} == {PRESET: {}, TEMPLATE: {}}
        assert objects(cluster, team) == first, json.dumps(sorted(map(str, objects(cluster, team).keys() ^ first.keys())))
        assert restarts(cluster, team) == 0
