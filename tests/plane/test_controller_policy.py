"""What somebody could try with the controller's own token: RBAC allows it, and the chart's policies do not.

The table has a row for each attempt. The controller's user may do everything here, so that nothing but the policies refuses.
"""

import copy
import json
import secrets

import pytest

from e2e import policies, workspaces
from e2e.controller import ACTOR
from e2e.release import NAMESPACE
from e2e.waiting import KUBECTL_TIMEOUT, until

LABEL = "workspace-ctrl/workspace"
FLUX = {"OCIRepository": "source.toolkit.fluxcd.io/v1", "HelmRelease": "helm.toolkit.fluxcd.io/v2"}
API = {
    "Deployment": "apps/v1",
    "Service": "v1",
    "ConfigMap": "v1",
    "PersistentVolumeClaim": "v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Workspace": "kaito.sh/v1beta1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "Event": "events.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
    **FLUX,
}
INDEX = "workspace-ctrl-models"
CONTAINER = {"name": "server", "image": "example/server:1"}


class Attacker:
    """Somebody with the controller's token, beside a Workspace `phi` and objects of others."""

    def __init__(self, cluster, namespace):
        self.cluster, self.namespace = cluster, namespace
        self.uid = workspaces.get(cluster, namespace, "workspace", "phi")["metadata"]["uid"]

    def kubectl(self, *arguments, document=None, namespace=""):
        """What the API server answers, with `ok` in front if it obeyed."""
        text = json.dumps(document) if document is not None else None
        result = self.cluster.kubectl_result("-n", namespace or self.namespace, *arguments, input=text, actor=ACTOR)
        return f"{'' if result.returncode else 'ok '}{result.stdout}{result.stderr}".replace("\n", " ")

    def create(self, document, namespace=""):
        return self.kubectl("create", "-f", "-", document=document, namespace=namespace)

    def patch(self, kind, name, change, namespace=""):
        return self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(change), namespace=namespace)

    def owner(self, **fields):
        return {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "phi", "uid": self.uid, "controller": True, **fields}

    def ours(self, kind, spec, name="stolen", **metadata):
        """An object as the controller makes it for `phi`."""
        about = {"name": name, "labels": {LABEL: "phi"}, "ownerReferences": [self.owner()], **metadata}
        return {"apiVersion": API[kind], "kind": kind, "metadata": about, "spec": spec}

    def deployment(self, pod=None, **metadata):
        labels = {"kaito.sh/workspace": "phi"}
        spec = {"containers": [CONTAINER], **(pod or {})}
        body = {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}
        return self.ours("Deployment", body, **metadata)

    def service(self, **spec):
        body = {"selector": {"kaito.sh/workspace": "phi"}, "ports": [{"port": 80}], **spec}
        return self.ours("Service", body)

    def source(self, **spec):
        body = {"url": self.cluster.chart_source_url(), "interval": "10m", "ref": {"tag": "v1.5.0"}, "insecure": True, **spec}
        return self.ours("OCIRepository", body)

    def pinned(self, **spec):
        return self.source(url=self.cluster.chart_source_url(policies.PINNED), **spec)

    def release(self, **spec):
        body = {
            "chartRef": {"kind": "OCIRepository", "name": "stolen"},
            "interval": "30m",
            "suspend": True,
            "install": {"crds": "Skip"},
            **spec,
        }
        return self.ours("HelmRelease", body)

    def claim(self, **spec):
        size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        return self.ours("PersistentVolumeClaim", {**size, **spec})

    def budget(self, **spec):
        chosen = {"selector": {"matchLabels": {"kaito.sh/workspace": "phi"}}, "maxUnavailable": 1, **spec}
        return self.ours("PodDisruptionBudget", {key: value for key, value in chosen.items() if value is not None})

    def network(self, **spec):
        chosen = {"podSelector": {"matchLabels": {"kaito.sh/workspace": "phi"}}, "policyTypes": ["Ingress"], **spec}
        return self.ours("NetworkPolicy", chosen)

    def route(self, backend, parents=None, **rule):
        attached = {"parentRefs": parents} if parents else {}
        return self.ours("HTTPRoute", {"rules": [{"backendRefs": [backend], **rule}], **attached})

    def index_route(self, backend=None, owner=None, **rule):
        """A route of the list of models, as the controller makes it in the namespace of the release."""
        service = {"apiVersion": "v1", "kind": "Service", "name": INDEX, "uid": "1"} | (owner or {})
        whole = {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]}}],
            "backendRefs": [{"kind": "Service", "name": INDEX, "port": 80} | (backend or {})],
            **rule,
        }
        labels = {"workspace-ctrl/model-index": INDEX}
        return self.ours("HTTPRoute", {"rules": [whole]}, labels=labels, ownerReferences=[service])


THEIRS = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "theirs"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "theirs"}},
            "template": {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [CONTAINER]}},
        },
    },
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"a": "b"}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs"}, "spec": {"ports": [{"port": 80}]}},
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "theirs"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": "theirs"},
        "spec": {"url": "oci://registry.invalid/charts/theirs", "interval": "1h", "suspend": True},
    },
]
"""Objects of others in the namespace of the Workspace."""


def patched(kind, patch):
    return [{"kustomize": {"patches": [{"target": {"kind": kind}, "patch": patch}]}}]


def owned_by(namespace):
    """The patch with which the controller makes the namespace an owner."""
    owner = f'{{"apiVersion": "v1", "kind": "Namespace", "name": "{namespace}", "uid": "0-1"}}'
    return f'[{{"op": "add", "path": "/metadata/ownerReferences", "value": [{owner}]}}]'


@pytest.fixture(scope="module")
def attacker(installed):
    """One for all attempts: what is refused leaves nothing."""
    namespace = f"attacked-{secrets.token_hex(4)}"
    installed.kubectl("create", "namespace", namespace)
    workspaces.apply(installed, namespace, workspaces.workspace("phi"), workspaces.inference_set("copies"), *THEIRS)
    # What others make a moment later would be taken for what an attempt has changed: the cluster's authority, and Flux's finalizer.
    installed.kubectl("wait", "--for=create", "configmap/kube-root-ca.crt", "-n", namespace, KUBECTL_TIMEOUT)
    finalizer = "--for=jsonpath={.metadata.finalizers[0]}=finalizers.fluxcd.io"
    installed.kubectl("wait", "ocirepository/theirs", "-n", namespace, finalizer, KUBECTL_TIMEOUT)
    yield Attacker(installed, namespace)
    installed.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="module")
def before(attacker):
    """What is there before the attempts."""
    return state(attacker.cluster, attacker.namespace)


def test_what_the_controller_itself_does_is_allowed(attacker):
    """The counterpart of the attempts: each of them differs from one of these in one thing."""
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "phi"}
    made = (
        attacker.deployment(),
        attacker.service(),
        attacker.source(),
        attacker.source(ref={"digest": policies.ALLOWED_DIGEST}),
        attacker.pinned(ref={"digest": policies.ALLOWED_DIGEST}),
        attacker.release(),
        attacker.release(postRenderers=patched("ClusterRole", owned_by(attacker.namespace))),
        attacker.release(postRenderers=patched("ClusterRoleBinding", owned_by(attacker.namespace))),
        attacker.claim(),
        attacker.budget(),
        attacker.budget(maxUnavailable="25%"),
        attacker.network(),
        attacker.route(pool, parents=[{"name": "theirs"}]),
        attacker.release(
            values=extension(replicas=2, env=[{"name": "A", "value": SECRET}], pluginsCustomConfig={"a.yaml": "a:\n"})
        ),
        attacker.release(postRenderers=patched("Deployment", picker_patch())),
        attacker.deployment(container(securityContext={"capabilities": {"add": ["IPC_LOCK", "SYS_PTRACE"], "drop": ["ALL"]}})),
        attacker.deployment({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}]}}),
    )
    for document in made:
        assert attacker.create(document).startswith("ok "), document["kind"]
        kind = document["kind"]
        assert attacker.patch(kind, "stolen", {"metadata": {"annotations": {"a": "b"}}}).startswith("ok ")
        assert attacker.kubectl("delete", kind, "stolen", "--wait=false").startswith("ok ")
        # Finalizers of Flux and of volumes keep it for a moment, in which there can be no other one of its name.
        workspaces.wait_gone(attacker.cluster, attacker.namespace, kind, "stolen")


def test_values_of_others_in_a_release_stay_and_do_not_stop_the_controller(attacker):
    """Somebody may have set them who can write HelmReleases; to change them is as much as to set them."""
    assert attacker.create(attacker.release(values=extension(replicas=1, env=[]))).startswith("ok ")
    theirs = extension(sidecar={"args": [SECRET]}) | {"other": {"a": 1}}
    attacker.cluster.kubectl(
        "patch", "helmrelease", "stolen", "-n", attacker.namespace, "--type=merge", "-p", json.dumps({"spec": {"values": theirs}})
    )
    for values, is_allowed in (
        (extension(replicas=2), True),
        ({"other": None}, True),
        ({"other": {"a": 2}}, False),
        (extension(sidecar={"args": []}), False),
        (extension(sidecar={"enabled": True}), False),
    ):
        answer = attacker.patch("helmrelease", "stolen", {"spec": {"values": values}})
        assert answer.startswith("ok ") is is_allowed, answer
        assert is_allowed or NO_VALUE in answer, answer
    assert attacker.kubectl("delete", "helmrelease", "stolen", "--wait=false").startswith("ok ")
    workspaces.wait_gone(attacker.cluster, attacker.namespace, "helmrelease", "stolen")


def test_a_budget_of_a_user_can_be_taken_over_as_it_is(attacker):
    """Adoption changes nothing but managedFields; what the budget says is its author's."""
    keeps = attacker.budget(maxUnavailable=None, minAvailable=1)
    attacker.cluster.kubectl("create", "-n", attacker.namespace, "-f", "-", input=json.dumps(keeps))
    for change, is_allowed in (
        ({"metadata": {"annotations": {"a": "b"}}}, True),
        ({"spec": {"minAvailable": 2}}, False),
        ({"spec": {"minAvailable": None, "maxUnavailable": 0}}, False),
        ({"spec": {"minAvailable": None, "maxUnavailable": 1}}, True),
    ):
        answer = attacker.patch("poddisruptionbudget", "stolen", change)
        assert answer.startswith("ok ") is is_allowed, answer
        assert is_allowed or BLOCKS in answer
    assert attacker.kubectl("delete", "poddisruptionbudget", "stolen").startswith("ok ")


@pytest.fixture
def flux_account(installed):
    """The policies of an installation whose HelmReleases have a ServiceAccount; afterwards those of all other tests."""
    with policies.changed(installed, {"helmRelease": {"serviceAccountName": "flux-tenant"}}):
        yield "flux-tenant"


def test_flux_never_works_with_its_own_rights_where_the_installation_names_an_account(attacker, flux_account):
    answer = attacker.create(attacker.release())
    assert "only with the rights of a ServiceAccount" in answer
    for account in (flux_account, "another"):
        assert attacker.kubectl(
            "create", "--dry-run=server", "-f", "-", document=attacker.release(serviceAccountName=account)
        ).startswith("ok ")


def test_a_namespace_of_the_level_privileged_may_have_what_leaves_a_container(attacker):
    level = "pod-security.kubernetes.io/enforce"

    def is_known():
        """Say whether the API server, whose policies hear of labels as every watcher does, lets pods have the network of the node."""
        return attacker.kubectl(
            "create", "--dry-run=server", "-f", "-", document=attacker.deployment({"hostNetwork": True})
        ).startswith("ok ")

    attacker.cluster.kubectl("label", "namespace", attacker.namespace, f"{level}=privileged")
    try:
        until(is_known, "the label to be known")
        for pod in ({"hostNetwork": True}, *(each.values[0] for each in NODES)):
            answer = attacker.kubectl("create", "--dry-run=server", "-f", "-", document=attacker.deployment(pod))
            assert answer.startswith("ok "), answer
    finally:
        attacker.cluster.kubectl("label", "namespace", attacker.namespace, f"{level}-")
        until(lambda: not is_known(), "the end of the label to be known")


@pytest.fixture
def index_service(installed):
    """The uid of the Service of the list of models."""
    document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": INDEX}, "spec": {"ports": [{"port": 80}]}}
    workspaces.apply(installed, NAMESPACE, document)
    yield workspaces.get(installed, NAMESPACE, "service", INDEX)["metadata"]["uid"]
    installed.kubectl("delete", "service", INDEX, "-n", NAMESPACE)


def test_the_controller_makes_the_routes_of_the_list_of_models(attacker, index_service):
    assert attacker.create(attacker.index_route(owner={"uid": index_service}), NAMESPACE).startswith("ok ")
    change = {"metadata": {"annotations": {"a": "b"}}}
    assert attacker.patch("httproute", "stolen", change, NAMESPACE).startswith("ok ")
    assert attacker.kubectl("delete", "httproute", "stolen", "--wait=false", namespace=NAMESPACE).startswith("ok ")


DOCKER = {"group": "", "kind": "Service", "name": "theirs", "port": 80}
POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "phi"}
EVERY_RIGHT = '[{"op": "add", "path": "/rules/0", "value": {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}}]'
NODE = "creates no pods with hostNetwork"
BLOCKS = "PodDisruptionBudgets that let a pod be evicted"
OTHERS = "has neither the label workspace-ctrl/workspace nor a Workspace as its owner"
OTHER_DIGEST = f"sha256:{'b' * 64}"
REFUSED = "denied request"
"""Two policies refuse it; which of them is told is not said."""
UNLISTED = "is not listed in chartSources"
ROLE_BINDING = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: stolen}"
BINDING_PATCH = (
    '[{"op": "replace", "path": "/kind", "value": "ClusterRoleBinding"}, '
    '{"op": "replace", "path": "/apiVersion", "value": "rbac.authorization.k8s.io/v1"}, {"op": "remove", "path": "/spec"}]'
)
SECRET = '{{ lookup "v1" "Secret" "kube-system" "theirs" }}'
PROBED = {"failureThreshold": 120, "periodSeconds": 1, "tcpSocket": {"port": 9002}}


def picker_patch(container=None, pod=None, **fields):
    """The patch of the endpoint picker as the controller makes it, with more fields."""
    spec = {"containers": [{"name": "epp", "startupProbe": PROBED} | (container or {})], **(pod or {})}
    template = {"metadata": {"labels": {"workspace-ctrl/endpoint-picker": "stolen-epp"}}, "spec": spec}
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "stolen-epp"}, "spec": {"template": template}}
    return json.dumps(patch | fields, sort_keys=True)


def extension(**values):
    """Values of the endpoint picker."""
    return {"inferenceExtension": values}


def container(**fields):
    return {"containers": [{**CONTAINER, **fields}]}


WINDOWS = {"windowsOptions": {"hostProcess": True}}
BEYOND = "beyond the Pod Security level baseline"
NODES = [
    pytest.param(container(ports=[{"containerPort": 80, "hostPort": 80}]), id="port of the node"),
    pytest.param(container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), id="rights of an administrator"),
    pytest.param(container(securityContext={"capabilities": {"add": ["IPC_LOCK", "ALL"]}}), id="all capabilities"),
    pytest.param(container(securityContext={"seccompProfile": {"type": "Unconfined"}}), id="no seccomp"),
    pytest.param(container(securityContext={"appArmorProfile": {"type": "Unconfined"}}), id="no AppArmor"),
    pytest.param(container(securityContext={"seLinuxOptions": {"type": "spc_t"}}), id="SELinux type of the node"),
    pytest.param(container(securityContext={"seLinuxOptions": {"user": "system_u"}}), id="SELinux user of the node"),
    pytest.param({"hostUsers": False, **container(securityContext={"procMount": "Unmasked"})}, id="all of /proc"),
    pytest.param({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, id="no seccomp in the pod"),
    pytest.param({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, id="no AppArmor in the pod"),
    pytest.param({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}}, id="sysctl of the node"),
    pytest.param(
        {"initContainers": [{**CONTAINER, "name": "i", "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]},
        id="rights of an init container",
    ),
]
IMAGE = {"image": {"tag": f"v1.5.0\n---\n{ROLE_BINDING}\n---\n#"}}
NO_PATCH, NO_VALUE = "patches only Deployments", "of a chart only to what it needs itself"
VALUES = [
    pytest.param(extension(**IMAGE), id="objects behind the tag of an image"),
    pytest.param(extension(image={"repository": "evil.example/epp"}), id="other image"),
    pytest.param(extension(image={"pullPolicy": f"Always\n---\n{ROLE_BINDING}"}), id="objects behind a pull policy"),
    pytest.param(extension(failureMode=f"FailOpen\n---\n{ROLE_BINDING}"), id="objects behind a failure mode"),
    pytest.param(extension(replicas=f"1\n---\n{ROLE_BINDING}"), id="objects behind the replicas"),
    pytest.param(extension(pluginsConfigFile=f"a.yaml\n---\n{ROLE_BINDING}"), id="objects behind a file name"),
    pytest.param(
        extension(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]), id="Secret in a variable"
    ),
    pytest.param(
        extension(sidecar={"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}), id="files of the node in a sidecar"
    ),
    pytest.param(extension(sidecar={"enabled": True, "args": [SECRET]}), id="Secrets in the arguments of a sidecar"),
    pytest.param(extension(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), id="files of the node in the endpoint picker"),
    pytest.param(extension(flags={"a": SECRET}), id="flags"),
    pytest.param(extension(extProcPort=f"9002\n---\n{ROLE_BINDING}"), id="objects behind a port"),
    pytest.param({"inferencePool": {"targetPorts": [{"number": f"1\n---\n{ROLE_BINDING}"}]}}, id="objects behind a port of a pool"),
    pytest.param(
        {"inferencePool": {"modelServers": {"matchLabels": {f"a: b\n---\n{ROLE_BINDING}": "c"}}}}, id="objects behind a label"
    ),
    pytest.param(
        {"inferencePool": {"modelServers": {"matchLabels": {"a": f"b\n---\n{ROLE_BINDING}"}}}}, id="objects behind its value"
    ),
    pytest.param({"provider": {"name": f"none\n---\n{ROLE_BINDING}"}}, id="objects behind the provider"),
    pytest.param({"provider": {"istio": {"destinationRule": {"host": "theirs.default.svc"}}}}, id="rule for somebody's host"),
    pytest.param({"experimentalHttpRoute": {"enabled": True}}, id="route of the chart"),
    pytest.param({"inferenceObjectives": [{"name": "a", "priority": 1}]}, id="objectives of the chart"),
    pytest.param({"router": {"epp": {"image": {"registry": "evil.example"}}}}, id="other image of the other chart"),
    pytest.param({"router": {"epp": {"flags": {"drain-timeout": "1h"}}}}, id="flags of the other chart"),
    pytest.param({"router": {"extra": 1}}, id="unknown value"),
    pytest.param({"bbr": {"name": f"a\n---\n{ROLE_BINDING}"}}, id="objects behind the name of a body-based router"),
    pytest.param({"bbr": {"multiNamespace": True}}, id="body-based router of all namespaces"),
    pytest.param({"global": {}}, id="values of another chart"),
]
PATCHES = [
    pytest.param(patched("Deployment", BINDING_PATCH), id="Deployment becomes a ClusterRoleBinding"),
    pytest.param(patched("HealthCheckPolicy", BINDING_PATCH), id="health check becomes a ClusterRoleBinding"),
    pytest.param(patched("GCPBackendPolicy", BINDING_PATCH), id="policy of a backend becomes a ClusterRoleBinding"),
    pytest.param(patched("Deployment", picker_patch({"image": "evil.example/epp"})), id="image in a patch"),
    pytest.param(patched("Deployment", picker_patch(pod={"serviceAccountName": "theirs"})), id="ServiceAccount in a patch"),
    pytest.param(patched("Deployment", picker_patch(kind="ClusterRoleBinding")), id="other kind in a patch"),
    pytest.param(patched("Deployment", picker_patch() + "\n---\n" + picker_patch()), id="two patches in one"),
    pytest.param(patched("HealthCheckPolicy", picker_patch()), id="patch of another kind"),
    pytest.param([{"kustomize": {"patches": [{"patch": picker_patch()}]}}], id="patch without a target"),
    pytest.param(
        [{"kustomize": {"patches": [{"target": {"kind": "Deployment", "labelSelector": "a"}, "patch": picker_patch()}]}}],
        id="patch of what has a label",
    ),
]
CREATED = [
    *(pytest.param(lambda a, v=each.values[0]: a.create(a.release(values=v)), NO_VALUE, id=each.id) for each in VALUES),
    *(pytest.param(lambda a, v=each.values[0]: a.create(a.release(postRenderers=v)), NO_PATCH, id=each.id) for each in PATCHES),
    pytest.param(lambda a: a.create(a.release(releaseName="theirs")), "installs only the chart", id="somebody's release"),
    pytest.param(lambda a: a.create(a.release(upgrade={"crds": "CreateReplace"})), "installs no CRDs", id="CRDs of an upgrade"),
    pytest.param(lambda a: a.create(a.release(test={"enable": True})), "sets only the fields", id="tests of a chart"),
    *(pytest.param(lambda a, p=each.values[0]: a.create(a.deployment(p)), BEYOND, id=each.id) for each in NODES),
    pytest.param(
        # The API server allows it only with hostNetwork.
        lambda a: a.create(a.deployment({"hostNetwork": True, **container(securityContext=WINDOWS)})),
        NODE,
        id="process of a Windows node",
    ),
    pytest.param(lambda a: a.create(a.network(podSelector={})), "only NetworkPolicies of pods", id="network of all pods"),
    pytest.param(lambda a: a.create(a.route({**POOL, "group": "evil.example"})), "routes only to InferencePools", id="other pools"),
    pytest.param(
        lambda a: a.create(a.route(POOL, parents=[{"group": "", "kind": "Service", "name": "theirs"}])),
        "only to Gateways",
        id="route of a service mesh",
    ),
    pytest.param(
        lambda a: a.create(a.route(POOL, parents=[{"kind": "ListenerSet", "name": "theirs"}])), "only to Gateways", id="ListenerSet"
    ),
    pytest.param(
        lambda a: a.create(a.route(POOL, filters=[{"type": "URLRewrite", "urlRewrite": {"hostname": "theirs.example"}}])),
        "changes only the path",
        id="other host name",
    ),
    pytest.param(lambda a: a.create(a.deployment(), "kube-system"), "belongs to the cluster", id="Deployment in kube-system"),
    pytest.param(lambda a: a.create(a.deployment(), "kube-public"), "belongs to the cluster", id="Deployment in kube-public"),
    pytest.param(lambda a: a.create(a.deployment(labels={})), "needs the label", id="Deployment without our label"),
    pytest.param(lambda a: a.create(a.deployment(ownerReferences=[])), "needs the label", id="Deployment without an owner"),
    pytest.param(
        lambda a: a.create(
            a.deployment(ownerReferences=[a.owner(), a.owner(kind="Job", apiVersion="batch/v1", controller=False, uid="1")])
        ),
        "make anything but a Workspace an owner",
        id="Deployment with a Job as its owner",
    ),
    pytest.param(
        lambda a: a.create(a.deployment(labels={"workspace-ctrl/body-router": "x"}, ownerReferences=[])),
        "needs the label",
        id="Deployment in the name of a body-based router",
    ),
    pytest.param(lambda a: a.create(a.budget(selector={})), "pods with the label kaito.sh/workspace", id="budget of all pods"),
    pytest.param(lambda a: a.create(a.budget(maxUnavailable=0)), BLOCKS, id="budget that blocks drains"),
    pytest.param(lambda a: a.create(a.budget(maxUnavailable="0%")), BLOCKS, id="budget that blocks drains, in percent"),
    pytest.param(lambda a: a.create(a.budget(maxUnavailable=None)), BLOCKS, id="budget without a limit"),
    pytest.param(lambda a: a.create(a.budget(maxUnavailable=None, minAvailable=1)), BLOCKS, id="budget that keeps pods"),
    pytest.param(lambda a: a.create(a.deployment({"hostNetwork": True})), NODE, id="network of the node"),
    pytest.param(lambda a: a.create(a.deployment({"hostPID": True})), NODE, id="processes of the node"),
    pytest.param(
        lambda a: a.create(a.deployment({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]})), NODE, id="files of the node"
    ),
    pytest.param(
        lambda a: a.create(a.deployment({"containers": [{**CONTAINER, "securityContext": {"privileged": True}}]})),
        NODE,
        id="privileged container",
    ),
    pytest.param(
        lambda a: a.create(a.deployment({"initContainers": [{**CONTAINER, "name": "i", "securityContext": {"privileged": True}}]})),
        NODE,
        id="privileged init container",
    ),
    pytest.param(lambda a: a.create(a.service(externalIPs=["192.0.2.1"])), "sets no externalIPs", id="externalIPs"),
    pytest.param(lambda a: a.create(a.service(type="NodePort")), "only Services of type", id="NodePort"),
    pytest.param(
        lambda a: a.create(a.service(type="ExternalName", externalName="evil.example")), "only Services of type", id="ExternalName"
    ),
    pytest.param(lambda a: a.create(a.service(selector={"app": "theirs"})), "only Services of pods", id="Service of others' pods"),
    pytest.param(lambda a: a.create(a.claim(volumeName="theirs")), "new, empty volumes", id="somebody's volume"),
    pytest.param(
        lambda a: a.create(a.claim(dataSource={"kind": "PersistentVolumeClaim", "name": "theirs"})),
        "new, empty",
        id="copy of a volume",
    ),
    pytest.param(lambda a: a.create(a.source(url="oci://evil.example/charts/inferencepool")), UNLISTED, id="chart from elsewhere"),
    pytest.param(lambda a: a.create(a.source(insecure=False)), UNLISTED, id="chart by another protocol"),
    pytest.param(lambda a: a.create(a.source(secretRef={"name": "theirs"})), UNLISTED, id="chart with somebody's login"),
    pytest.param(lambda a: a.create(a.source(ref={"digest": OTHER_DIGEST})), UNLISTED, id="chart with another digest"),
    pytest.param(
        lambda a: a.create(
            a.source(ref={"digest": policies.ALLOWED_DIGEST}, url=a.cluster.chart_source_url("another-inferencepool"))
        ),
        UNLISTED,
        id="chart with the digest of another source",
    ),
    pytest.param(lambda a: a.create(a.pinned(ref={"digest": OTHER_DIGEST})), UNLISTED, id="pinned chart with another digest"),
    pytest.param(lambda a: a.create(a.pinned(ref={"tag": "v1.5.0"})), UNLISTED, id="pinned chart by its tag"),
    pytest.param(
        lambda a: a.create(a.source(provider="aws")), "without credentials of nodes", id="chart with a node's credentials"
    ),
    pytest.param(
        lambda a: a.create(a.source(serviceAccountName="theirs")),
        "without credentials of nodes",
        id="chart with a ServiceAccount's login",
    ),
    pytest.param(lambda a: a.create(a.release(targetNamespace="kube-system")), "only into the namespace", id="targetNamespace"),
    pytest.param(lambda a: a.create(a.release(storageNamespace="kube-system")), "only into the namespace", id="storageNamespace"),
    pytest.param(
        lambda a: a.create(a.release(kubeConfig={"secretRef": {"name": "theirs"}})), "sets no kubeConfig", id="kubeConfig"
    ),
    pytest.param(
        lambda a: a.create(a.release(chartRef={"kind": "OCIRepository", "name": "theirs"})),
        "installs only the chart",
        id="chart of others",
    ),
    pytest.param(
        lambda a: a.create(a.release(chartRef={"kind": "OCIRepository", "name": "stolen", "namespace": "default"})),
        "installs only the chart",
        id="chart of another namespace",
    ),
    pytest.param(
        lambda a: a.create(a.release(valuesFrom=[{"kind": "Secret", "name": "theirs"}])),
        "sets no valuesFrom",
        id="values of a Secret",
    ),
    pytest.param(
        lambda a: a.create(a.release(postRenderers=patched("RoleBinding", "[]"))),
        "patches only Deployments",
        id="patch of rights",
    ),
    pytest.param(
        lambda a: a.create(a.release(postRenderers=patched("ClusterRole", EVERY_RIGHT))),
        "patches only Deployments",
        id="patch of rights in the whole cluster",
    ),
    pytest.param(
        lambda a: a.create(a.release(postRenderers=patched("ClusterRole", f"{owned_by(a.namespace)[:-1]}, {EVERY_RIGHT[1:]}"))),
        "patches only Deployments",
        id="patch of rights behind that of the owner",
    ),
    pytest.param(
        lambda a: a.create(a.release(postRenderers=patched("ClusterRoleBinding", owned_by('x", "a": "')))),
        "patches only Deployments",
        id="patch of more than the owner",
    ),
    pytest.param(
        lambda a: a.create(a.release(postRenderers=patched("Role", owned_by(a.namespace)))),
        "patches only Deployments",
        id="owner of what is not the cluster's",
    ),
    pytest.param(
        lambda a: a.create(a.release(postRenderers=[{"kustomize": {"images": [{"name": "a", "newName": "b"}]}}])),
        "patches only Deployments",
        id="other images",
    ),
    pytest.param(lambda a: a.create(a.release(install={"crds": "Create"})), "installs no CRDs", id="CRDs"),
    pytest.param(
        lambda a: a.create(a.release(install={"crds": "Skip", "createNamespace": True})), "creates no namespaces", id="namespaces"
    ),
    pytest.param(lambda a: a.create(a.route(DOCKER)), "routes only to InferencePools", id="route to a Service"),
    pytest.param(
        lambda a: a.create(a.route({**POOL, "namespace": "default"})),
        "routes only to InferencePools",
        id="route to another namespace",
    ),
    pytest.param(
        lambda a: a.create(a.route(POOL, filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": DOCKER}}])),
        "changes only the path",
        id="mirrored requests",
    ),
    pytest.param(lambda a: a.create(a.index_route()), REFUSED, id="route of the list of models elsewhere"),
    pytest.param(lambda a: a.create(a.route(POOL), NAMESPACE), REFUSED, id="route beside the list of models"),
    pytest.param(
        lambda a: a.create(a.index_route({"name": "theirs"}), NAMESPACE),
        REFUSED,
        id="list of models of others",
    ),
    pytest.param(
        lambda a: a.create(a.index_route({"namespace": "default"}), NAMESPACE),
        REFUSED,
        id="list of models of another namespace",
    ),
    pytest.param(
        lambda a: a.create(a.index_route(owner={"name": "theirs"}), NAMESPACE),
        REFUSED,
        id="list of models that stays",
    ),
    pytest.param(
        lambda a: a.create(a.index_route(matches=[{"path": {"type": "PathPrefix", "value": "/team-a"}}]), NAMESPACE),
        REFUSED,
        id="list of models instead of somebody's model",
    ),
    pytest.param(
        lambda a: a.create(a.index_route(filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": DOCKER}}]), NAMESPACE),
        REFUSED,
        id="mirrored requests for the list of models",
    ),
    pytest.param(lambda a: a.create(workspaces.workspace("mine")), "changes only the status", id="a Workspace of its own"),
    pytest.param(
        lambda a: a.create(
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": "forged"},
                "eventTime": "2026-01-01T00:00:00.000000Z",
                "reportingController": "kubelet",
                "reportingInstance": "node-1",
                "action": "Pulling",
                "type": "Normal",
                "reason": "Pulled",
                "regarding": {"kind": "Pod", "name": "x", "namespace": a.namespace},
            }
        ),
        "only its own Events",
        id="somebody's Event",
    ),
    pytest.param(
        lambda a: a.create(
            {"apiVersion": API["Lease"], "kind": "Lease", "metadata": {"name": "kube-scheduler"}, "spec": {}}, "kube-system"
        ),
        "only its own Lease",
        id="somebody's Lease",
    ),
]
CHANGED = [
    pytest.param(lambda a: a.patch("deployment", "theirs", {"spec": {"replicas": 3}}), OTHERS, id="others' Deployment is scaled"),
    pytest.param(
        lambda a: a.patch("deployment", "theirs", {"metadata": {"labels": {LABEL: "phi"}, "ownerReferences": [a.owner()]}}),
        OTHERS,
        id="others' Deployment is taken over by label and owner",
    ),
    pytest.param(
        lambda a: a.patch("service", "theirs", {"metadata": {"labels": {LABEL: "phi"}}}), OTHERS, id="others' Service is labelled"
    ),
    pytest.param(
        lambda a: a.patch("ocirepository", "theirs", {"metadata": {"labels": {LABEL: "phi"}}}),
        OTHERS,
        id="others' chart is taken over",
    ),
    pytest.param(lambda a: a.kubectl("delete", "deployment", "theirs"), OTHERS, id="others' Deployment is deleted"),
    pytest.param(lambda a: a.kubectl("delete", "deployments", "--all"), OTHERS, id="all Deployments are deleted"),
    pytest.param(
        lambda a: a.kubectl("delete", "--raw", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{a.namespace}/roles"),
        OTHERS,
        id="deletecollection of Roles",
    ),
    pytest.param(
        lambda a: a.kubectl("delete", "--raw", f"/api/v1/namespaces/{a.namespace}/configmaps"),
        OTHERS,
        id="deletecollection of ConfigMaps",
    ),
    pytest.param(
        lambda a: a.kubectl("delete", "--raw", f"/api/v1/namespaces/{a.namespace}/services"),
        OTHERS,
        id="deletecollection of Services",
    ),
    pytest.param(
        lambda a: a.kubectl("delete", "--raw", "/api/v1/namespaces/kube-system/serviceaccounts"),
        "belongs to the cluster",
        id="deletecollection of ServiceAccounts in kube-system",
    ),
    pytest.param(
        lambda a: a.patch("workspace", "phi", {"inference": {"config": "other"}}),
        "changes only the status",
        id="a Workspace's spec",
    ),
    pytest.param(
        lambda a: a.patch("workspace", "phi", {"metadata": {"annotations": {"workspace-ctrl/adopt": "true"}}}),
        "changes only the status",
        id="a Workspace's annotations",
    ),
    pytest.param(
        lambda a: a.patch("workspace", "phi", {"metadata": {"finalizers": ["example.com/theirs"]}}),
        "changes only the status",
        id="others' finalizers",
    ),
    pytest.param(lambda a: a.kubectl("delete", "workspace", "phi"), "changes only the status", id="a Workspace is deleted"),
    pytest.param(
        lambda a: a.patch("inferenceset", "copies", {"spec": {"replicas": 5}}),
        "changes only the status",
        id="the replicas of an InferenceSet",
    ),
    pytest.param(
        lambda a: a.patch("inferenceset", "copies", {"metadata": {"annotations": {"workspace-ctrl/adopt": "true"}}}),
        "changes only the status",
        id="annotations of an InferenceSet",
    ),
    pytest.param(
        lambda a: a.kubectl("delete", "inferenceset", "copies"), "changes only the status", id="an InferenceSet is deleted"
    ),
]


def state(cluster, namespace):
    """What is in the namespace, as far as somebody could have changed it."""
    kinds = "deployments,services,configmaps,roles,ocirepositories,helmreleases,httproutes,persistentvolumeclaims,workspaces,inferencesets"
    found = workspaces.items(cluster, namespace, kinds)
    return {(item["kind"], item["metadata"]["name"], item["metadata"]["uid"], json.dumps(spec_of(item))) for item in found}


def spec_of(item):
    kept = copy.deepcopy(item)
    metadata = kept.pop("metadata")
    kept.pop("status", None)
    return {
        **kept,
        "labels": metadata.get("labels"),
        "owners": metadata.get("ownerReferences"),
        "finalizers": metadata.get("finalizers"),
    }


@pytest.mark.parametrize(("attempt", "words"), [*CREATED, *CHANGED])
def test_an_attempt_with_the_controller_s_token_is_refused(attacker, before, attempt, words):
    answer = attempt(attacker)
    assert not answer.startswith("ok "), answer
    assert words in answer
    assert state(attacker.cluster, attacker.namespace) == before
