"""What a tenant could try who may write Workspaces in one namespace, and nothing else: to gain something, or to touch what is others'.

The chart's policies are installed, and a controller runs. Each attempt is refused at once, or reported in the status of the tenant's own
Workspace; in both cases nothing of others changes, in this namespace or in another.
"""

import contextlib
import json
import secrets

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until
from tests.plane.tenants import Tenant, rule

PRESET = {"preset": {"name": "phi-4-mini-instruct"}}
CONTAINER = {"name": "server", "image": "example/server:1"}
LABELS = {"app": "bank"}
KINDS = (
    "deployments,statefulsets,services,persistentvolumeclaims,configmaps,secrets,ocirepositories,helmreleases,httproutes,inferencepools,"
    "inferenceobjectives,roles,rolebindings,serviceaccounts,workspaces"
)
TENANTS = "attempt"
"""Names of the tenant's own Workspaces begin so, or are in `TAKEN`."""
TAKEN = {
    "bank-deployment": "Deployment",
    "bank-service": "Service",
    "bank-claim": "PersistentVolumeClaim",
    "bank-route": "HTTPRoute",
    "bank-source": "OCIRepository",
    "bank-pool": "InferencePool",
    "other-inferencepool-epp": "Deployment",
}
"""Names of Workspaces whose objects would have the names of others' objects → the kind of these."""


def named(name, api_version, kind, spec=None, **fields):
    body = {} if spec is None else {"spec": spec}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body, **fields}


def bank():
    """Objects of somebody else in the tenant's namespace."""
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    volume = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    picker = {"name": "bank", "port": {"number": 9002}}
    pool = {"selector": {"matchLabels": LABELS}, "targetPorts": [{"number": 8000}], "endpointPickerRef": picker}
    return [
        named("bank-deployment", "apps/v1", "Deployment", {"selector": {"matchLabels": LABELS}, "template": template}),
        named("bank-service", "v1", "Service", {"selector": LABELS, "ports": [{"port": 81}]}),
        named("bank-claim-weights", "v1", "PersistentVolumeClaim", volume),
        named("bank-route", "gateway.networking.k8s.io/v1", "HTTPRoute", {"hostnames": ["bank.example"]}),
        named(
            "bank-source-inferencepool",
            "source.toolkit.fluxcd.io/v1",
            "OCIRepository",
            {"url": "oci://registry.invalid/charts/bank", "interval": "1h", "suspend": True},
        ),
        named("bank-pool-inferencepool", "inference.networking.k8s.io/v1", "InferencePool", pool),
        named("bank-secret", "v1", "Secret", stringData={"password": "hunter2", "values.yaml": "a: hunter2"}),
        named("bank-config", "v1", "ConfigMap", data={"inference_config.yaml": "vllm: {password: hunter2}"}),
        named("bomb", "v1", "ConfigMap", data={"inference_config.yaml": BOMB}),
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nvllm: {x: [*c,*c,*c,*c,*c,*c,*c]}\n"


class Place:
    """The namespaces of an attempt."""

    def __init__(self, cluster, own, other, gateways):
        self.cluster, self.own, self.other, self.gateways = cluster, own, other, gateways
        self.tenant = Tenant(cluster, own)
        self.developer = Tenant(cluster, own, rule("create", "pods"), rule("create", "httproutes.gateway.networking.k8s.io"))

    def behind(self, **fields):
        return {"parentRefs": [{"name": "inference-gateway", "namespace": self.gateways}], **fields}

    def workspace(self, name, *, inference=None, annotations=None, labels=None, metadata=None, gateway=None, **fields):
        made = workspaces.workspace(name, inference=inference or PRESET, gateway=gateway or self.behind(), **fields)
        about = {"name": name, "annotations": annotations or {}, "labels": labels or {}, **(metadata or {})}
        return {**made, "metadata": about}

    def of_others(self):
        """Everything that is not the tenant's: spec, metadata and, of Workspaces and routes, which condition has which status."""
        kept = [("", item) for item in workspaces.items(self.cluster, self.own, KINDS) if not is_tenants(item)]
        kept += [(self.other, item) for item in workspaces.items(self.cluster, self.other, KINDS)]
        kept += [(self.gateways, item) for item in workspaces.items(self.cluster, self.gateways, "gateways,httproutes,services")]
        return {(place, item["kind"], item["metadata"]["name"]): content(item) for place, item in kept}


def is_tenants(item):
    """Whether an object belongs to a Workspace of the tenant, or to an implementation: Istio makes a Service for each pool."""
    if any(owner["kind"] == "InferencePool" for owner in item["metadata"].get("ownerReferences", ())):
        return True
    owners = [owner["name"] for owner in item["metadata"].get("ownerReferences", ()) if owner["kind"] == "Workspace"]
    labels = item["metadata"].get("labels", {})
    name = labels.get("workspace-ctrl/workspace") or next(iter(owners), "")
    if item["kind"] == "Workspace":
        name = item["metadata"]["name"]
    is_helms = item["kind"] == "Secret" and item["metadata"]["name"].startswith("sh.helm.release")
    return is_helms or name.startswith(TENANTS) or name in TAKEN


def content(item):
    about = {key: item["metadata"].get(key) for key in ("uid", "labels", "annotations", "ownerReferences", "finalizers")}
    conditions = item.get("status", {}).get("conditions", []) if item["kind"] == "Workspace" else []
    told = sorted((entry["type"], entry["status"]) for entry in conditions)
    rest = {key: value for key, value in item.items() if key not in {"metadata", "status"}}
    return json.dumps([about, told, rest], sort_keys=True)


@pytest.fixture(scope="module")
def place(installed):
    """Two tenants behind one Gateway of the cluster's administrator; one of them is served already."""
    mark = secrets.token_hex(3)
    own, other, gateways = (f"{name}-{mark}" for name in ("team-a", "team-b", "gateways"))
    for namespace in (own, other, gateways):
        installed.kubectl("create", "namespace", namespace)
    workspaces.apply(installed, gateways, *workspaces.played_gateway())
    private = workspaces.played_gateway("private")
    private[0]["spec"]["listeners"][0]["allowedRoutes"] = {"namespaces": {"from": "Same"}}
    workspaces.apply(installed, other, *private)
    workspaces.apply(installed, own, *bank())
    found = Place(installed, own, other, gateways)
    for namespace, name in ((other, "phi"), (own, "other")):
        workspaces.apply(installed, namespace, workspaces.workspace(name, gateway=found.behind()))
    with ControllerProcess(installed) as controller:
        for namespace, name in ((other, "phi"), (own, "other")):
            workspaces.wait_ready(installed, namespace, name, "Ready")
        yield found
        assert not any("Traceback" in line for line in controller.log)
    for namespace in (own, other):
        installed.kubectl("delete", "workspaces", "--all", "-n", namespace, "--wait=false")
    for namespace in (own, other, gateways):
        installed.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="module")
def before(place):
    """What others have before the attempts."""
    return place.of_others()


def template(**spec):
    return {"template": {"spec": {"containers": [CONTAINER], **spec}}}


def adapter(**volume):
    return {**PRESET, "adapters": [{"source": {"name": "lora", "volumeSource": volume}}]}


def reference(**fields):
    return {"workloadRef": fields}


def match(place, **fields):
    return place.behind(match=fields)


def create(made, **fields):
    """An attempt to create a Workspace; each value of `fields` may be a function of the place."""

    def attempt(place):
        given = {key: value(place) if callable(value) else value for key, value in fields.items()}
        return place.tenant.create([made(place) if made is not None else place.workspace("attempt", **given)])

    return attempt


def inference(value):
    def attempt(place):
        made = place.workspace("attempt", inference=value)
        return place.tenant.create([{key: given for key, given in made.items() if key != "resource" or "workloadRef" not in value}])

    return attempt


def edit(change):
    """An attempt to change a Workspace that exists, after it was accepted."""

    def attempt(place):
        place.tenant.create([place.workspace("attempt-edited")])
        return place.tenant.patch("attempt-edited", change(place) if callable(change) else change)

    return attempt


PODS, SERVICES, ROUTES = "right to create pods", "right to create services", "right to create httproutes"
NO_WORKLOADS = "has no workloads"
REFUSED = [
    pytest.param(inference(template()), PODS, id="a pod"),
    pytest.param(inference(template(serviceAccountName="admin")), PODS, id="a ServiceAccount"),
    pytest.param(inference(template(hostNetwork=True)), PODS, id="the network of the node"),
    pytest.param(
        inference(template(volumes=[{"name": "x", "secret": {"secretName": "bank-secret"}}])), PODS, id="a Secret as volume"
    ),
    pytest.param(inference({**PRESET, "weightsVolume": {"claimName": "bank-claim-weights"}}), PODS, id="somebody's claim"),
    pytest.param(inference(adapter(secret={"secretName": "bank-secret"})), PODS, id="a Secret as adapter"),
    pytest.param(inference(adapter(hostPath={"path": "/"})), PODS, id="files of the node as adapter"),
    pytest.param(
        inference(reference(kind="Deployment", name="bank-deployment", targetPort=80)), SERVICES, id="somebody's Deployment"
    ),
    pytest.param(inference(reference(selector=LABELS, targetPort=22)), SERVICES, id="somebody's pods"),
    pytest.param(inference(reference(apiVersion="v1", kind="Secret", name="bank-secret")), NO_WORKLOADS, id="a Secret as workload"),
    pytest.param(inference(reference(apiVersion="v1", kind="Node", name="node-1")), NO_WORKLOADS, id="a node as workload"),
    pytest.param(
        inference(reference(apiVersion="v1", kind="Namespace", name="default")), NO_WORKLOADS, id="a namespace as workload"
    ),
    pytest.param(
        inference(reference(apiVersion="rbac.authorization.k8s.io/v1", kind="ClusterRole", name="admin")),
        NO_WORKLOADS,
        id="a ClusterRole",
    ),
    pytest.param(inference(reference(kind="Deployment/../x", name="y")), "must be ", id="a path as kind"),
    pytest.param(inference(reference(kind="Deployment", name="../../x")), "must be ", id="a path as name"),
    pytest.param(inference(reference(apiVersion="x/../../api/v1", kind="Pod", name="y")), "must be ", id="a path as API version"),
    pytest.param(create(None, annotations={"kaito.sh/enablelb": "True"}), SERVICES, id="a load balancer"),
    pytest.param(create(None, annotations={"workspace-ctrl/adopt": "true"}), "right to update", id="adoption of everything"),
    pytest.param(
        create(None, annotations={"workspace-ctrl/adopt": "Service"}), "right to update services", id="adoption of a Service"
    ),
    pytest.param(
        create(None, annotations={"workspace-ctrl/adopt": "x, dEPLOYMENT ,"}),
        "right to update deployments",
        id="adoption in disguise",
    ),
    pytest.param(create(None, gateway=lambda p: match(p, path="/")), ROUTES, id="all paths"),
    pytest.param(create(None, gateway=lambda p: match(p, path=f"/{p.other}/phi")), ROUTES, id="another tenant's path"),
    pytest.param(
        create(None, gateway=lambda p: match(p, path=f"/{p.other}/phi/v1/chat")), ROUTES, id="below another tenant's path"
    ),
    pytest.param(create(None, gateway=lambda p: match(p, path=f"/{p.other}")), ROUTES, id="above another tenant's path"),
    pytest.param(create(None, gateway=lambda p: match(p, path=f"/{p.own}")), ROUTES, id="the path of the whole namespace"),
    pytest.param(create(None, gateway=lambda p: match(p, path="/v1")), ROUTES, id="the path of the API"),
    pytest.param(create(None, gateway=lambda p: match(p, path=f"/{p.own}2/x")), ROUTES, id="a path that begins like one's own"),
    pytest.param(
        create(None, gateway=lambda p: match(p, path=f"/{p.own}/../{p.other}/phi")),
        "must be ",
        id="another's path through dots",
    ),
    pytest.param(create(None, gateway=lambda p: match(p, path=f"/{p.own}/%2e%2e/x")), "must be ", id="another's path, escaped"),
    pytest.param(
        create(None, gateway=lambda p: p.behind(probe={"path": f"/../../{p.other}/phi/metrics"})),
        "must be ",
        id="a probe of another's path",
    ),
    pytest.param(create(None, gateway=lambda p: p.behind(hostnames=["bank.example"])), ROUTES, id="a host name"),
    pytest.param(create(None, gateway=lambda p: p.behind(hostnames=["*.example"])), ROUTES, id="all host names of a domain"),
    pytest.param(
        create(None, gateway=lambda p: p.behind(hostnames=["\u0430.example"])), "must be ", id="a host name that looks alike"
    ),
    pytest.param(create(None, gateway=lambda p: match(p, header=True)), ROUTES, id="requests by model name"),
    pytest.param(create(None, gateway=lambda p: match(p, catchAll=True)), ROUTES, id="all other requests"),
    pytest.param(
        create(None, gateway=lambda p: p.behind(pool={"ref": {"name": "bank-pool-inferencepool"}})), ROUTES, id="somebody's pool"
    ),
    pytest.param(create(None, gateway={"httpRouteRef": {"name": "bank-route"}}), "right to get httproutes", id="somebody's route"),
    pytest.param(
        create(None, gateway=lambda p: p.behind(serviceAccountName="default")),
        "right to impersonate",
        id="Flux as a ServiceAccount",
    ),
    pytest.param(
        create(None, gateway=lambda p: p.behind(endpointPicker={"valuesFrom": [{"kind": "Secret", "name": "bank-secret"}]})),
        "right to get secrets",
        id="values of a Secret",
    ),
    pytest.param(create(None, gateway=lambda p: p.behind(modelName="a\nb: c")), "must be ", id="a line break in a model name"),
    pytest.param(
        create(None, gateway=lambda p: p.behind(chart={"version": "v1/../../evil"})), "must be ", id="a path as chart version"
    ),
    pytest.param(create(lambda p: p.workspace("a" * 64)), "must be a DNS label", id="a name of 64 characters"),
    pytest.param(create(lambda p: p.workspace("\u0430ttempt")), "Invalid value", id="a name that looks alike"),
    pytest.param(
        create(lambda p: {**p.workspace("attempt", inference=template()), "apiVersion": "kaito.sh/v1alpha1"}),
        PODS,
        id="the old API",
    ),
    pytest.param(
        create(lambda p: p.workspace("attempt", metadata={"namespace": p.other})), "does not match the namespace", id="by metadata"
    ),
    pytest.param(
        lambda p: p.tenant.kubectl("delete", "workspace", "phi", "-n", p.other),
        "Forbidden",
        id="another tenant's Workspace, deleted",
    ),
    pytest.param(
        lambda p: p.tenant.kubectl("annotate", "workspace", "phi", "-n", p.other, "workspace-ctrl/adopt=true"),
        "Forbidden",
        id="another tenant's Workspace, annotated",
    ),
    pytest.param(edit({"gateway": {"hostnames": ["bank.example"]}}), ROUTES, id="a host name, later"),
    pytest.param(edit(lambda p: {"gateway": {"match": {"path": f"/{p.other}/phi"}}}), ROUTES, id="another tenant's path, later"),
    pytest.param(
        edit({"metadata": {"annotations": {"workspace-ctrl/adopt": "Deployment"}}}),
        "right to update deployments",
        id="adoption, later",
    ),
    pytest.param(edit({"inference": adapter(emptyDir={})}), PODS, id="a volume, later"),
    pytest.param(
        lambda p: p.tenant.patch("other", {"status": {"gateway": {"url": "http://evil.example"}}}, "--subresource=status"),
        "Forbidden",
        id="a forged status",
    ),
]


@pytest.mark.parametrize(("attempt", "words"), REFUSED)
def test_an_attempt_is_refused(place, before, attempt, words):
    answer = attempt(place)
    assert not answer.startswith("ok "), answer
    assert words.lower() in answer.lower()
    assert "Deployment attempt" not in answer


def deep(levels):
    inner = {}
    for _ in range(levels):
        inner = {"a": inner}
    return inner


def values(**given):
    return lambda p: p.behind(endpointPicker={"values": given})


def parent(namespace, name):
    return lambda p: {"parentRefs": [{"name": name, "namespace": getattr(p, namespace, namespace)}]}


LONG = "attempt-" + 54 * "x"
FORGED = {
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Forged",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 1,
        }
    ],
    "gateway": {"url": "http://evil.example"},
}
REPORTED = {
    "attempt-gateway-of-another": ({"gateway": parent("other", "private")}, "NotAllowedByListeners"),
    "attempt-gateway-of-the-cluster": ({"gateway": parent("kube-system", "x")}, "NoGateway"),
    "attempt-chart-by-url": ({"gateway": lambda p: p.behind(chart={"name": "oci://evil.example/chart"})}, "ChartNotAllowed"),
    "attempt-chart-version": ({"gateway": lambda p: p.behind(chart={"version": "v9.9.9"})}, "ChartVersionUnknown"),
    "attempt-chart-digest": (
        {"gateway": lambda p: p.behind(chart={"version": "v1.5.0", "digest": f"sha256:{'0' * 64}"})},
        "ChartNotAllowed",
    ),
    "attempt-image": ({"gateway": values(inferenceExtension={"image": {"hub": "evil.example"}})}, "ValuesNotAllowed"),
    "attempt-sidecar": ({"gateway": values(inferenceExtension={"sidecar": {"enabled": True}})}, "ValuesNotAllowed"),
    "attempt-selector": ({"gateway": values(inferencePool={"modelServers": {"matchLabels": LABELS}})}, "ValuesNotAllowed"),
    "attempt-env": (
        {
            "gateway": values(
                inferenceExtension={"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "bank-secret", "key": "p"}}}]}
            )
        },
        "ValuesNotAllowed",
    ),
    "attempt-line-break": (
        {"gateway": values(inferenceExtension={"pluginsConfigFile": 'x"\n---\nkind: Namespace\nmetadata: {name: stolen}\n#'})},
        "ValuesNotAllowed",
    ),
    "attempt-deep-values": ({"gateway": values(inferenceExtension=deep(70))}, "InvalidSpec"),
    "attempt-bomb": ({"inference": {**PRESET, "config": "bomb"}}, "InvalidSpec"),
    "attempt-config-of-another": ({"inference": {**PRESET, "config": "bank-config"}}, "InvalidSpec"),
    "attempt-config-path": ({"inference": {**PRESET, "config": "../../kube-system/configmaps/x"}}, "ConfigNotFound"),
    "attempt-model-path": ({"inference": {"preset": {"name": "../../etc/passwd"}}}, "InvalidSpec"),
    "bank-deployment": ({}, "NotOwned"),
    "bank-service": ({}, "NotOwned"),
    "bank-claim": ({"inference": {**PRESET, "weightsVolume": {"size": "10Gi"}}}, "NotOwned"),
    "bank-route": ({}, "NotOwned"),
    "bank-source": ({}, "NotOwned"),
    "bank-pool": ({}, "InstallFailed"),
    "other-inferencepool-epp": ({}, "NotOwned"),
    "attempt-labels": ({"labels": {"workspace-ctrl/workspace": "other", "app.kubernetes.io/managed-by": "workspace-ctrl"}}, ""),
    "attempt-annotations": (
        {
            "annotations": {
                "workspace-ctrl/applied-hash": "h0",
                "workspace-ctrl/node-gpus": "H200",
                "reconcile.fluxcd.io/requestedAt": "now",
                "meta.helm.sh/release-name": "other-inferencepool",
            }
        },
        "",
    ),
    "attempt-finalizer": ({"metadata": {"finalizers": ["workspace-ctrl/gateway"]}}, ""),
    "attempt-status": ({"status": FORGED}, ""),
    "attempt-objectives": ({"gateway": lambda p: p.behind(objectives=[{"name": "first", "priority": 2**31 - 1}])}, ""),
    "attempt-secrets": (
        {
            "inference": {
                "preset": {**PRESET["preset"], "presetOptions": {"image": "evil.example/x", "imagePullSecrets": ["bank-secret"]}}
            }
        },
        "",
    ),
    f"{LONG}1": ({}, ""),
    f"{LONG}2": ({}, ""),
}
"""Name of a Workspace that the API server accepts → its fields, and the reason that one of its conditions has in the end, if any."""


def path(value):
    return {"gateway": lambda p: match(p, path=value(p))}


def on_host(hostname, name=None, **fields):
    more = {} if name is None else {"modelName": name}
    return {"gateway": lambda p: match(p, **fields) | {"hostnames": [hostname]} | more}


REPORTED_TO_DEVELOPERS = {
    "attempt-path-of-another": (path(lambda p: f"/{p.other}/phi"), "PathNotAllowed"),
    "attempt-path-below": (path(lambda p: f"/{p.other}/phi/v1/chat"), "PathNotAllowed"),
    "attempt-path-above": (path(lambda p: f"/{p.other}"), "PathNotAllowed"),
    "attempt-path-of-the-api": (path(lambda _: "/v1"), "PathNotAllowed"),
    "attempt-path-alike": (path(lambda p: f"/{p.own}2/x"), "PathNotAllowed"),
    "attempt-all-of-a-host": (on_host("models.example.com", catchAll=True), "CatchAllConflict"),
    "attempt-all-of-a-domain": (on_host("*.example.com", catchAll=True), "CatchAllConflict"),
    "attempt-name-on-a-host": (
        {"inference": template(), **on_host("models.example.com", "phi", header=True)},
        "ModelNameConflict",
    ),
    "attempt-name-of-a-preset": (on_host("models.example.com", "phi", header=True), "InvalidSpec"),
    "attempt-name-of-the-server": (
        {"inference": template(), "gateway": lambda p: match(p, header=True)},
        "ModelNameNotSpecified",
    ),
}
"""The same for a tenant who may create pods and HTTPRoutes in its namespace, as developers may."""
ALL_REPORTED = REPORTED | REPORTED_TO_DEVELOPERS


@pytest.fixture(scope="module")
def reported(place, before):
    """The Workspaces of `ALL_REPORTED`, by name, once the controller has reported all of them."""

    def made(name, fields):
        return place.workspace(name, **{key: value(place) if callable(value) else value for key, value in fields.items()})

    for user, table in ((place.tenant, REPORTED), (place.developer, REPORTED_TO_DEVELOPERS)):
        answer = user.create([made(name, fields) for name, (fields, _) in table.items()])
        assert answer.startswith("ok "), answer
    latest = {}

    def is_reported():
        for item in workspaces.items(place.cluster, place.own, "workspaces"):
            latest[item["metadata"]["name"]] = item
        return all(
            reason in reasons_of(latest[name]) if reason else wait_over(latest[name]) for name, (_, reason) in ALL_REPORTED.items()
        )

    with contextlib.suppress(AssertionError):  # the test of each Workspace fails if its reason is missing
        until(is_reported, "the reasons")
    return latest


def reasons_of(workspace):
    return {entry["reason"] for entry in workspace.get("status", {}).get("conditions", ())}


def wait_over(workspace):
    conditions = {entry["type"]: entry["status"] for entry in workspace.get("status", {}).get("conditions", ())}
    return conditions.get("RouteReady") == "True"  # pods of so many do not fit on the node


@pytest.mark.parametrize("name", ALL_REPORTED)
def test_an_attempt_is_reported_or_changes_only_what_is_the_tenant_s(reported, name):
    reason = ALL_REPORTED[name][1]
    assert reason in reasons_of(reported[name]) if reason else wait_over(reported[name]), reported[name].get("status")
    assert "hunter2" not in json.dumps(reported[name])
    assert "evil.example" not in json.dumps(reported[name]["status"].get("gateway"))


def test_nothing_of_others_has_changed(place, before, reported):
    after = place.of_others()
    assert after.keys() == before.keys()
    assert {key: (before[key], value) for key, value in after.items() if value != before[key]} == {}


def test_what_was_made_stays_in_the_tenant_s_namespace(place, reported):
    found = json.loads(place.cluster.kubectl("get", KINDS, "-A", "-o", "json"))["items"]
    strayed = [
        (item["kind"], item["metadata"]["namespace"], item["metadata"]["name"])
        for item in found
        if item["metadata"]["namespace"] != place.own and "attempt" in item["metadata"]["name"]
    ]
    assert strayed == []
    routes = [item for item in workspaces.items(place.cluster, place.own, "httproutes") if is_tenants(item)]
    paths = {
        each["path"]["value"]
        for route in routes
        for entry in route["spec"]["rules"]
        for each in entry["matches"]
        if "headers" not in each
    }
    assert paths
    assert all(path.startswith(f"/{place.own}/") for path in paths)
    services = [item for item in workspaces.items(place.cluster, place.own, "services") if is_tenants(item)]
    assert {service["spec"]["type"] for service in services} == {"ClusterIP"}


def test_an_owner_of_others_changes_nothing_for_them(place, before):
    """As its owner, somebody's Deployment; and another namespace's Workspace, which the garbage collector does not find here."""
    deployment = workspaces.get(place.cluster, place.own, "deployment", "bank-deployment")["metadata"]["uid"]
    foreign = workspaces.get(place.cluster, place.other, "workspace", "phi")["metadata"]["uid"]
    owners = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "bank-deployment", "uid": deployment},
        {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "phi", "uid": foreign},
    ]
    for number, owner in enumerate(owners):
        made = place.workspace(f"attempt-owned-{number}", gateway={"enabled": False}, metadata={"ownerReferences": [owner]})
        assert place.tenant.create([made]).startswith("ok ")
    workspaces.wait_gone(place.cluster, place.own, "workspace", "attempt-owned-1")
    workspaces.wait_ready(place.cluster, place.own, "attempt-owned-0", "WorkloadAccepted")
    assert place.of_others() == before


def test_finalizers_that_the_tenant_removes_leave_nothing_of_others(place, before, reported):
    name = "attempt-labels"
    place.tenant.kubectl("delete", "workspace", name, "--wait=false")
    place.tenant.patch(name, {"metadata": {"finalizers": None}})
    workspaces.wait_gone(place.cluster, place.own, "workspace", name)
    workspaces.wait_gone(place.cluster, place.own, "deployment", name)
    assert place.of_others() == before
