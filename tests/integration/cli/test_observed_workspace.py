"""What `workspace-ctrl explain` reads: few lists, and the same chain as the controller evaluates."""

import asyncio
import json
import re
from contextlib import asynccontextmanager

import pytest
import yaml
from aiohttp import web
from click.testing import CliRunner

from e2e.waiting import WAIT_SECONDS
from tests.integration.http_server import not_served
from tests.unit.factories import quickstart
from workspace_ctrl.api.labels import OWNER_LABEL, PICKER_POD_LABEL, POD_INDEX_LABEL, POD_LABEL, SET_LABEL, STATUS_ANNOTATION
from workspace_ctrl.cache import watches
from workspace_ctrl.cli.inspect.objects_of_workspace import Belonging
from workspace_ctrl.cli.main import main
from workspace_ctrl.planning.plan_settings import GatewayChoice, Mode, PlanSettings
from workspace_ctrl.planning.preview import preview

NAME, NAMESPACE, UID = "workspace-phi-4-mini", "default", "uid-of-workspace"
RELEASE = f"{NAME}-inferencepool"
ISTIO = "istio.io/gateway-controller"
MOST_REQUESTS = 12
RESOURCES = [*{watched.resource for watched in watches.WATCHED}]


def good(*types, generation=1):
    return [{"type": type_, "status": "True", "reason": "Ok", "message": "", "observedGeneration": generation} for type_ in types]


def parents():
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference-gateway", "namespace": NAMESPACE}
    return [{"parentRef": ref, "controllerName": ISTIO, "conditions": good("Accepted", "ResolvedRefs")}]


def metadata(name, **labels):
    return {
        "namespace": NAMESPACE,
        "name": name,
        "uid": f"uid-of-{name}",
        "generation": 1,
        "resourceVersion": "1",
        "labels": labels,
    }


STATUSES = {
    "Deployment": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    "OCIRepository": {
        "observedGeneration": 1,
        "conditions": good("Ready"),
        "artifact": {"revision": "v1.5.0@sha256:aa", "digest": "sha256:bb"},
    },
    "HelmRelease": {
        "observedGeneration": 1,
        "lastAttemptedGeneration": 1,
        "lastAttemptedRevision": "1.5.0",
        "lastAttemptedRevisionDigest": "sha256:aa",
        "conditions": good("Ready", "Released"),
        "history": [{"chartName": "inferencepool", "chartVersion": "1.5.0", "status": "deployed", "ociDigest": "sha256:aa"}],
        "inventory": {"entries": [{"id": f"{NAMESPACE}_{RELEASE}-epp__Service", "v": "v1"}]},
    },
    "HTTPRoute": {"parents": parents()},
}


def cluster_of(workspace, mode=Mode.MANAGED, **labels):
    """All objects of a Workspace or InferenceSet that is served, as JSON, by kind; `labels` are those of its pod."""
    labels = labels or {POD_LABEL: NAME}
    settings = PlanSettings(gateway_extension=True, gateway=GatewayChoice(NAMESPACE, "inference-gateway"), mode=mode)
    objects = [dict(manifest) for manifest in preview(workspace, (), settings).manifests]
    for item in objects:
        owner = {"apiVersion": workspace["apiVersion"], "kind": workspace["kind"], "name": NAME, "uid": UID, "controller": True}
        item["metadata"] = {**item["metadata"], "uid": "u", "generation": 1, "resourceVersion": "1", "ownerReferences": [owner]}
        item["status"] = STATUSES.get(item["kind"], {})
    mine = {OWNER_LABEL: NAME}
    picker = {"metadata": metadata(f"{RELEASE}-epp", **mine), "spec": {"replicas": 1}, "status": STATUSES["Deployment"]}
    pool_spec = {
        "selector": {"matchLabels": labels},
        "targetPorts": [{"number": 5000}],
        "endpointPickerRef": {"name": "x"},
    }
    pod_status = {"phase": "Running", "conditions": good("Ready", "PodScheduled")}
    listener = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
    return [
        workspace,
        *objects,
        {"kind": "Deployment", **picker},
        {"kind": "Service", "metadata": metadata(f"{RELEASE}-epp", **mine)},
        {"kind": "Pod", "metadata": metadata("pod-1", **labels), "spec": {"nodeName": "node-1"}, "status": pod_status},
        {"kind": "InferencePool", "metadata": metadata(RELEASE, **mine), "spec": pool_spec, "status": {"parents": parents()}},
        {
            "kind": "Gateway",
            "metadata": metadata("inference-gateway"),
            "spec": {"gatewayClassName": "istio", "listeners": [listener]},
            "status": {"conditions": good("Programmed", "Accepted"), "addresses": [{"value": "192.0.2.1"}]},
        },
        {"kind": "GatewayClass", "metadata": {"name": "istio", "resourceVersion": "1"}, "spec": {"controllerName": ISTIO}},
    ]


def selects(selector, item):
    labels = item["metadata"].get("labels") or {}
    for key, _, values in re.findall(r"([^,\s=()]+)(?:=([^,]*)| in \(([^)]*)\))?", selector):
        wanted = (
            values.split(",") if values else [selector.partition(f"{key}=")[2].partition(",")[0]] if f"{key}=" in selector else None
        )
        if key not in labels or (wanted is not None and labels[key] not in wanted):
            return False
    return True


class Cluster:
    def __init__(self, objects):
        self.objects = objects
        self.requests = []
        self.denied = set()
        self.denied_everywhere = set()
        self.unserved = set()
        self.versions = {}
        """Kind → its versions, where not all are served."""

    def of(self, kind, name=""):
        return next(item for item in self.objects if item["kind"] == kind and name in {"", item["metadata"]["name"]})

    def drop(self, kind, name=""):
        self.objects.remove(self.of(kind, name))

    def handler(self, resource):
        async def answer(request):
            self.requests.append(f"{resource.plural}?{request.query.get('labelSelector', '')}")
            is_denied = resource.kind in self.denied_everywhere and "namespace" not in request.match_info
            if is_denied or resource.kind in self.denied:
                return web.json_response({"kind": "Status", "message": f"may not list {resource.plural}"}, status=403)
            if resource.kind in self.unserved:
                return await not_served(request)
            namespace, field = request.match_info.get("namespace", ""), request.query.get("fieldSelector", "")
            items = [
                {key: value for key, value in item.items() if key != "kind"}
                for item in self.objects
                if item["kind"] == resource.kind
                and namespace in {"", item["metadata"].get("namespace", "")}
                and field in {"", f"metadata.name={item['metadata']['name']}"}
                and selects(request.query.get("labelSelector", ""), item)
            ]
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})

        return answer


@asynccontextmanager
async def serving(cluster, folder):
    application = web.Application()
    for resource in RESOURCES:
        handler = cluster.handler(resource)
        for each in resource.versions:
            if each.version in cluster.versions.get(each.kind, {each.version}):
                application.router.add_get(each.path(), handler)
                if each.namespaced:
                    application.router.add_get(each.path("NAMESPACE").replace("NAMESPACE", "{namespace}"), handler)
    application.router.add_route("*", "/{path:.*}", not_served)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    document = {
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "users": [{"name": "it", "user": {"token": "secret"}}],
    }
    (folder / "config").write_text(yaml.safe_dump(document))
    try:
        yield {"KUBECONFIG": str(folder / "config")}
    finally:
        await runner.cleanup()


async def explained(cluster, folder, *arguments):
    async with serving(cluster, folder) as environment:
        words = ("explain", *(arguments or (NAME,)))
        return await asyncio.wait_for(asyncio.to_thread(CliRunner().invoke, main, words, env=environment), WAIT_SECONDS)


def a_cluster(**status):
    item = quickstart(metadata={"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1, "resourceVersion": "1"})
    found = Cluster(cluster_of(item))
    if status:
        item["status"] = status
    return found


READY = {
    "observedGeneration": 1,
    "conditions": good("Ready", "GatewayReady"),
    "gateway": {"gateways": [f"{NAMESPACE}/inference-gateway"]},
}


def marked(result):
    """The link that is marked as the first broken one, and its reason."""
    lines = [line for line in result.output.splitlines() if line.startswith("> ")]
    assert len(lines) == 1, result.output
    title, _, words = lines[0][4:].partition("  ")
    return title, words.strip().partition(":")[0]


async def test_a_whole_chain_takes_few_requests(tmp_path):
    cluster = a_cluster(**READY)
    result = await explained(cluster, tmp_path)
    assert (result.exit_code, f"Workspace {NAMESPACE}/{NAME} is ready" in result.output) == (0, True), result.output
    assert 8 < len(cluster.requests) <= MOST_REQUESTS


def of_kaito(kind="Workspace", version="v1beta1"):
    """The cluster of a KAITO, beside which a controller in companion mode has written READY."""
    fields = quickstart(apiVersion=f"kaito.sh/{version}", kind=kind)
    labels = {POD_LABEL: NAME}
    if kind == "InferenceSet":
        fields["spec"] = {"replicas": 1, "template": {name: fields.pop(name) for name in ("resource", "inference")}}
        labels = {POD_LABEL: f"{NAME}-x2x4x", SET_LABEL: NAME}
    said = {**READY, "conditions": good("Ready")}
    about = {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1, "resourceVersion": "1"}
    fields["metadata"] = {**about, "annotations": {STATUS_ANNOTATION: json.dumps(said)}}
    found = Cluster(cluster_of(fields, Mode.COMPANION, **labels, **{POD_INDEX_LABEL: "0"}))
    found.versions[kind] = {version}
    fields["status"] = {"conditions": good("ResourceReady", "GatewayReady")}
    return found


@pytest.mark.parametrize(
    ("kind", "version", "requests"),
    [("Workspace", "v1beta1", 12), ("InferenceSet", "v1beta1", 12), ("InferenceSet", "v1alpha1", 12)],
)
async def test_beside_kaito_its_pods_are_the_model_server(tmp_path, kind, version, requests):
    cluster = of_kaito(kind, version)
    name = f"{kind.lower()}/{NAME}"
    result = await explained(cluster, tmp_path, name)
    assert (result.exit_code, f"{kind} {NAMESPACE}/{NAME} is ready" in result.output) == (0, True), result.output
    assert len(cluster.requests) <= requests
    cluster.drop("Pod")
    assert (marked(await explained(cluster, tmp_path, name))[1]) == "NoPods"


def scale_picker(cluster):
    cluster.of("Deployment", f"{RELEASE}-epp").update(spec={"replicas": 0}, status={"observedGeneration": 1})


def break_picker(cluster):
    cluster.of("Deployment", f"{RELEASE}-epp")["status"] = {"observedGeneration": 1, "replicas": 1}
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pod = {"kind": "Pod", "metadata": metadata("epp-1", **{PICKER_POD_LABEL: f"{RELEASE}-epp"}), "spec": {"nodeName": "n"}}
    status = {"phase": "Pending", "containerStatuses": [{"name": "epp", "state": {"waiting": waiting}}]}
    cluster.objects.append({**pod, "status": status})


def break_proxy(cluster):
    labels = {"gateway.networking.k8s.io/gateway-name": "inference-gateway"}
    cluster.objects.append({"kind": "Deployment", "metadata": metadata("proxy", **labels), "spec": {"replicas": 1}, "status": {}})


def break_pod(cluster):
    cluster.of("Deployment", NAME)["status"] = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    cluster.of("Pod").update(spec={}, status={"phase": "Pending", "conditions": [unscheduled]})


FAULTS = {
    "endpoint picker scaled to 0": (scale_picker, ("endpoint picker", "EndpointPickerScaledToZero")),
    "endpoint picker without its image": (break_picker, ("endpoint picker", "ImagePullError")),
    "Service deleted": (lambda cluster: cluster.drop("Service", f"{RELEASE}-epp"), ("endpoint picker", "ChartObjectsMissing")),
    "pool deleted": (lambda cluster: cluster.drop("InferencePool"), ("InferencePool", "InferencePoolNotFound")),
    "route deleted": (lambda cluster: cluster.drop("HTTPRoute"), ("HTTPRoute", "HTTPRouteNotCreated")),
    "Gateway deleted": (lambda cluster: cluster.drop("Gateway"), ("Gateway", "NoGateway")),
    "proxy not ready": (break_proxy, ("Gateway", "GatewayProxyNotReady")),
    "pod without a node": (break_pod, ("nodes", "Unschedulable")),
    "release suspended": (lambda cluster: cluster.of("HelmRelease")["spec"].update(suspend=True), ("chart release", "Paused")),
    "release deleted": (lambda cluster: cluster.drop("HelmRelease"), ("chart release", "ChartNotInstalled")),
    "Deployment deleted": (lambda cluster: cluster.drop("Deployment", NAME), ("model server", "WorkloadNotCreated")),
    "no Flux": (lambda cluster: cluster.unserved.update({"HelmRelease", "OCIRepository"}), ("chart source", "CRDsNotAvailable")),
}


@pytest.mark.parametrize(("act", "expected"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("status", [READY, {}], ids=["status of before", "no status"])
async def test_the_objects_tell_what_is_broken(tmp_path, act, expected, status):
    cluster = a_cluster(**status)
    act(cluster)
    result = await explained(cluster, tmp_path)
    assert (result.exit_code, marked(result)) == (1, expected), result.output
    assert ("which these objects contradict" if status else "no controller has written a status") in result.output
    assert "meaning    " in result.output
    assert len(cluster.requests) <= MOST_REQUESTS


LINKS = ("WorkloadAccepted", "ChartReady", "EndpointPickerReady", "RouteReady", "EndpointsReady")


async def test_what_may_not_be_listed_is_taken_from_the_status_and_not_for_missing(tmp_path):
    cluster = a_cluster(**READY | {"conditions": good("Ready", "GatewayReady", *LINKS)})
    cluster.denied = {"Deployment", "Gateway", "GatewayClass", "HelmRelease", "Pod"}
    result = await explained(cluster, tmp_path)
    assert (result.exit_code, "you may not list Deployment, Gateway, GatewayClass, HelmRelease, Pod" in result.output) == (
        0,
        True,
    ), result.output
    said = {"type": "RouteReady", "status": "False", "reason": "NoGateway", "message": "none", "observedGeneration": 1}
    cluster.of("Workspace")["status"]["conditions"][-2] = said
    assert marked(await explained(cluster, tmp_path)) == ("Gateway", "NoGateway")


async def test_proxies_that_may_not_be_listed_are_not_missed(tmp_path):
    cluster = a_cluster(**READY)
    break_proxy(cluster)
    cluster.denied_everywhere = {"Deployment"}
    assert (await explained(cluster, tmp_path)).exit_code == 0


async def test_without_a_name_those_that_are_not_ready_are_explained(tmp_path):
    cluster = a_cluster(**READY)
    assert f"Workspace {NAMESPACE}/{NAME} is ready\n" == (await explained(cluster, tmp_path, "-n", NAMESPACE)).stdout
    scale_picker(cluster)
    assert marked(await explained(cluster, tmp_path, "-A")) == ("endpoint picker", "EndpointPickerScaledToZero")


async def test_of_many_only_those_that_are_not_ready_are_looked_at(tmp_path):
    cluster = a_cluster(**READY)
    first = cluster.of("Workspace")
    cluster.objects += [{**first, "metadata": {**first["metadata"], "name": f"phi-{number}"}} for number in range(60)]
    first["status"] = {}
    result = await explained(cluster, tmp_path, "-n", NAMESPACE)
    assert "60 of them are ready by their status" in result.stdout
    assert result.stdout.count("Workspace default/") == 1
    assert len(cluster.requests) <= MOST_REQUESTS


async def test_a_workspace_without_a_gateway_is_ready_by_its_server(tmp_path):
    cluster = a_cluster(observedGeneration=1, conditions=good("Ready", "InferenceReady"))
    cluster.of("Workspace")["gateway"] = {"enabled": False}
    result = await explained(cluster, tmp_path)
    assert (result.exit_code, "no GatewayReady: gateway.enabled is false" in result.output) == (0, True), result.output


@pytest.mark.parametrize(("kind", "label"), [("Workspace", POD_LABEL), ("InferenceSet", SET_LABEL)])
def test_pods_and_events_of_copies_belong_to_an_inference_set_of_kaito(kind, label):
    belonging = Belonging.to(of_kaito(kind).of(kind))
    assert (belonging.pod_label, belonging.release) == (label, RELEASE)
    found = [belonging.has(each, f"{NAME}-x2x4x") for each in ("Workspace", "StatefulSet", "Pod", "Service")]
    assert found == [kind == "InferenceSet"] * 3 + [False]
    assert belonging.has("Pod", f"{NAME}-x2x4x-0") == (kind == "InferenceSet")
    assert not belonging.has("Workspace", f"{NAME}-another")
