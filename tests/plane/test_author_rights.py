"""Which right the author of a Workspace needs for which field: the admission policy and the controller have one list of them."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import until
from tests.plane.tenants import Tenant, rule
from tests.unit.planning.test_adoption import NO_LISTS
from workspace_ctrl.planning.admission.restricted_fields import restricted_fields
from workspace_ctrl.planning.adoption import adopted
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preview_cluster import workspace_record
from workspace_ctrl.planning.resolved_workspace import parse_spec

PRESET = {"preset": {"name": "phi-4-mini-instruct"}}
POD = {"containers": [{"name": "server", "image": "example/server:1"}]}
ADAPTER = {"source": {"name": "lora", "volumeSource": {"emptyDir": {}}}}
ROUTES = "httproutes.gateway.networking.k8s.io"
HEAVY = {"kaito.sh/enablelb": "True"}
ADOPTABLE = (
    "deployments.apps",
    "statefulsets.apps",
    "services",
    "persistentvolumeclaims",
    "ocirepositories.source.toolkit.fluxcd.io",
    "helmreleases.helm.toolkit.fluxcd.io",
    ROUTES,
    "inferenceobjectives.inference.networking.x-k8s.io",
    "inferenceobjectives.llm-d.ai",
    "modelservers.networking.serving.volcano.sh",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "scaledobjects.keda.sh",
)


def document(inference=None, annotations=None, gateway=None):
    made = workspaces.workspace("mine", inference=inference or PRESET, gateway=gateway)
    if inference is not None and "workloadRef" in inference:
        made.pop("resource")
    return {**made, "metadata": {"name": "mine", "annotations": annotations or {}}}


def as_set(made):
    """Return the InferenceSet of one copy with the same fields."""
    resource = made["resource"]
    template = {"resource": {"instanceType": resource["instanceType"]}, "inference": made["inference"]}
    spec = {"labelSelector": resource["labelSelector"], "template": template}
    gateway = {"gateway": made["gateway"]} if "gateway" in made else {}
    return {"apiVersion": made["apiVersion"], "kind": "InferenceSet", "metadata": made["metadata"], "spec": {**spec, **gateway}}


def values_from(kind):
    return {"endpointPicker": {"valuesFrom": [{"kind": kind, "name": "theirs"}]}}


RESTRICTED = [
    pytest.param(document({"template": {"spec": POD}}), "inference.template", ["create pods"], id="template"),
    pytest.param(
        document({**PRESET, "weightsVolume": {"claimName": "x"}}), "inference.weightsVolume.claimName", ["create pods"], id="claim"
    ),
    pytest.param(
        document({**PRESET, "adapters": [ADAPTER]}), "inference.adapters[0].source.volumeSource", ["create pods"], id="adapter"
    ),
    pytest.param(
        document({**PRESET, "adapters": [{"source": {"name": "lora", "volume": {"emptyDir": {}}}}]}),
        "inference.adapters[0].source.volume",
        ["create pods"],
        id="adapter in KAITO's words",
    ),
    pytest.param(
        document({"workloadRef": {"kind": "Deployment", "name": "x"}}), "inference.workloadRef", ["create services"], id="workload"
    ),
    pytest.param(document(gateway={"match": {"path": "/mine"}}), "gateway.match.path", [f"create {ROUTES}"], id="path"),
    pytest.param(document(gateway={"match": {"header": True}}), "gateway.match.header", [f"create {ROUTES}"], id="header"),
    pytest.param(document(gateway={"match": {"catchAll": True}}), "gateway.match.catchAll", [f"create {ROUTES}"], id="catch-all"),
    pytest.param(document(gateway={"hostnames": ["a.example"]}), "gateway.hostnames", [f"create {ROUTES}"], id="host names"),
    pytest.param(document(gateway={"pool": {"ref": {"name": "x"}}}), "gateway.pool.ref", [f"create {ROUTES}"], id="pool"),
    pytest.param(document(gateway={"group": {"name": "chat"}}), "gateway.group", [f"create {ROUTES}"], id="group"),
    pytest.param(document(gateway={"httpRouteRef": {"name": "x"}}), "gateway.httpRouteRef", [f"get {ROUTES}"], id="route"),
    pytest.param(
        document(gateway={"serviceAccountName": "x"}), "gateway.serviceAccountName", ["impersonate serviceaccounts"], id="account"
    ),
    pytest.param(
        document(gateway=values_from("Secret")), "gateway.endpointPicker.valuesFrom[0]", ["get secrets"], id="values of a Secret"
    ),
    pytest.param(
        document(gateway=values_from("ConfigMap")), "gateway.endpointPicker.valuesFrom[0]", ["get configmaps"], id="of a ConfigMap"
    ),
    pytest.param(document(annotations=HEAVY), "annotation kaito.sh/enablelb", ["create services"], id="load balancer"),
    pytest.param(
        document(annotations={"workspace-ctrl/adopt": " deployment, Service"}),
        "annotation workspace-ctrl/adopt",
        ["update deployments.apps", "update services"],
        id="adoption of two kinds",
    ),
    pytest.param(
        document(annotations={"workspace-ctrl/adopt": "True"}),
        "annotation workspace-ctrl/adopt",
        [f"update {kind}" for kind in ADOPTABLE],
        id="adoption of all kinds",
    ),
]
OF_SETS = [pytest.param(*each.values, id=each.id) for each in RESTRICTED if "workloadRef" not in each.values[0]["inference"]]
"""An InferenceSet has no workloadRef."""
FREE = [
    pytest.param(document(), id="preset"),
    pytest.param(document({**PRESET, "config": "x", "weightsVolume": {"size": "10Gi"}}), id="flags and a new volume"),
    pytest.param(
        document(gateway={"parentRefs": [{"name": "x", "namespace": "y"}], "timeout": "1s", "modelName": "x"}), id="Gateway"
    ),
    pytest.param(document(gateway={"match": {"header": False, "catchAll": False}, "hostnames": []}), id="matches that are off"),
    pytest.param(document(gateway={"endpointPicker": {"replicas": 2}, "chart": {"version": "v1.5.0"}}), id="endpoint picker"),
]


@pytest.fixture
def tenant(installed, plane_namespace):
    return Tenant(installed, plane_namespace)


def listed(made, namespace):
    record = workspace_record({**made, "metadata": {**made["metadata"], "namespace": namespace}})
    return [path for path, _ in restricted_fields(record, parse_spec(record, PlanSettings())[0])]


@pytest.mark.parametrize(("made", "path", "rights"), RESTRICTED)
def test_a_restricted_field_needs_its_rights_all_of_them_and_no_others(installed, plane_namespace, made, path, rights):
    assert listed(made, plane_namespace) == [path]
    rules = [rule(*right.split(" ", 1)) for right in rights]
    for lacked in rules[:: max(len(rules) - 1, 1)]:
        poor = Tenant(installed, plane_namespace, *(each for each in rules if each is not lacked))
        answer = poor.create([made], "--dry-run=server")
        needed = (
            f"the right to {lacked['verbs'][0]} {lacked['resources'][0]} in namespace {plane_namespace}, which {poor.user} does not"
        )
        assert needed in answer
    rich = Tenant(installed, plane_namespace, *rules)
    assert rich.create([made], "--dry-run=server").startswith("ok ")


@pytest.mark.parametrize(("made", "path", "rights"), OF_SETS)
def test_the_same_fields_of_an_inference_set_need_the_same_rights(installed, plane_namespace, made, path, rights):
    assert listed(as_set(made), plane_namespace) == [path]
    rules = [rule(*right.split(" ", 1)) for right in rights]
    poor = Tenant(installed, plane_namespace, *rules[1:])
    answer = poor.create([as_set(made)], "--dry-run=server")
    needed = (
        f"the right to {rules[0]['verbs'][0]} {rules[0]['resources'][0]} in namespace {plane_namespace}, which {poor.user} does not"
    )
    assert needed in answer
    assert Tenant(installed, plane_namespace, *rules).create([as_set(made)], "--dry-run=server").startswith("ok ")


@pytest.mark.parametrize("made", FREE)
def test_other_fields_of_an_inference_set_need_no_further_right(tenant, made):
    assert listed(as_set(made), tenant.namespace) == []
    assert tenant.create([as_set(made)], "--dry-run=server").startswith("ok ")


@pytest.mark.parametrize("made", FREE)
def test_other_fields_need_no_further_right(tenant, made):
    assert listed(made, tenant.namespace) == []
    assert tenant.create([made], "--dry-run=server").startswith("ok ")


def test_paths_below_that_of_the_namespace_are_its_own(tenant):
    made = document(gateway={"match": {"path": f"/{tenant.namespace}/v2/mine"}})
    assert listed(made, tenant.namespace) == []
    assert tenant.create([made], "--dry-run=server").startswith("ok ")


def check(answer, tenant, is_free):
    """A change is accepted, or refused for want of a right, and for nothing else."""
    words = f"in namespace {tenant.namespace}, which {tenant.user} does not have"
    assert answer.startswith("ok ") if is_free else words in answer, answer


GUARDED = {"match": {"path": "/mine", "header": True}, "hostnames": ["a.example"], "parentRefs": [{"name": "x"}]}


@pytest.mark.parametrize(
    ("change", "is_free"),
    [
        pytest.param({"metadata": {"labels": {"a": "b"}}}, True, id="labels"),
        pytest.param({"gateway": {"timeout": "10s"}}, True, id="another field beside it"),
        pytest.param({"gateway": {"match": None, "hostnames": None}}, True, id="removed"),
        pytest.param({"gateway": {"match": {"path": "/other"}}}, False, id="another path"),
        pytest.param({"gateway": {"hostnames": None}}, False, id="the path for all host names"),
        pytest.param({"gateway": {"parentRefs": [{"name": "y"}]}}, False, id="on another Gateway"),
        pytest.param({"gateway": {"modelName": "other"}}, False, id="another model name in the header"),
        pytest.param({"gateway": {"aliases": ["other"]}}, False, id="an alias in the header"),
        pytest.param(
            {"inference": {"adapters": [{"source": {"name": "other", "image": "example/a:1"}}]}}, False, id="a further name in it"
        ),
    ],
)
def test_only_what_changes_is_checked(installed, tenant, change, is_free):
    workspaces.apply(installed, tenant.namespace, document(gateway=GUARDED))
    answer = tenant.patch("mine", change, "--dry-run=server")
    check(answer, tenant, is_free)


FURTHER = {"inference": {"adapters": [{"source": {"name": "other", "image": "example/a:1"}}]}}


@pytest.mark.parametrize(
    ("options", "change", "is_free"),
    [
        pytest.param("match: {header: true}", FURTHER, False, id="a further name in the header"),
        pytest.param("match: {path: /mine}", FURTHER, True, id="a further name beside the path"),
        pytest.param("match: {header: true}", {"metadata": {"labels": {"a": "b"}}}, True, id="labels"),
    ],
)
def test_names_in_the_header_of_the_annotation_are_checked_as_well(installed, tenant, options, change, is_free):
    workspaces.apply(installed, tenant.namespace, document(annotations={"workspace-ctrl/gateway": options}))
    answer = tenant.patch("mine", change, "--dry-run=server")
    check(answer, tenant, is_free)


@pytest.mark.parametrize(
    ("change", "is_free"),
    [
        pytest.param({"spec": {"replicas": 5}}, True, id="replicas"),
        pytest.param({"spec": {"gateway": {"match": None, "hostnames": None}}}, True, id="removed"),
        pytest.param({"spec": {"gateway": {"match": {"path": "/other"}}}}, False, id="another path"),
        pytest.param({"spec": {"gateway": {"modelName": "other"}}}, False, id="another model name in the header"),
        pytest.param({"spec": {"gateway": {"aliases": ["other"]}}}, False, id="an alias in the header"),
    ],
)
def test_only_what_changes_of_an_inference_set_is_checked(installed, tenant, change, is_free):
    workspaces.apply(installed, tenant.namespace, as_set(document(gateway=GUARDED)))
    answer = tenant.patch("mine", change, "--dry-run=server", kind="inferenceset")
    check(answer, tenant, is_free)


@pytest.mark.parametrize("value", NO_LISTS)
def test_an_annotation_that_is_no_list_of_kinds_is_refused_whatever_its_author_may_do(installed, plane_namespace, value):
    administrator = ("-n", plane_namespace, "create", "--dry-run=server", "-f", "-")
    answer = installed.kubectl_result(*administrator, input=json.dumps(document(annotations={"workspace-ctrl/adopt": value})))
    assert 'is neither "true" nor a list of kinds' in answer.stderr


LISTS = (
    "",
    " ",
    ",",
    " ,true",
    "TRUE",
    "true,",
    "tr ue",
    "-true",
    "Service Deployment",
    " Service , , DEPLOYMENT",
    "Services",
    ".Service",
    "Service.",
    "Service-Deployment",
    "inferenceobjective.llm-d.ai",
    "InferenceObjective",
    ("," * 1017 + "Service")[:1024],
    ("Deployment" + " " * 1024)[:1024],
)
"""All that both read."""
KINDS = {"true", "inferenceobjective.llm-d.ai", "networkpolicy", *(name.partition(".")[0].removesuffix("s") for name in ADOPTABLE)}


@pytest.mark.parametrize("value", LISTS)
def test_the_policy_and_the_controller_read_the_same_kinds_in_a_list(tenant, value):
    """Whose rights do not suffice is told of a right; so he cannot name a kind that the controller would take over."""
    answer = tenant.create([document(annotations={"workspace-ctrl/adopt": value})], "--dry-run=server")
    kinds = adopted(value) & KINDS
    assert answer.startswith("ok ") == (not kinds), answer
    assert answer.startswith("ok ") or "needs the right to update" in answer


def test_where_nobody_checks_rights_restricted_fields_are_rejected(installed, plane_namespace):
    with ControllerProcess(installed, "--restricted-fields", "deny", "--namespace", plane_namespace):
        workspaces.apply(installed, plane_namespace, document(gateway={"hostnames": ["a.example"], "enabled": False}))
        found = workspaces.wait_reason(installed, plane_namespace, "mine", "WorkspaceSucceeded", "InvalidSpec")
        assert found["message"].startswith(
            "gateway.hostnames requires the right to create httproutes, which is not checked in this installation; remove it, or "
        )
        assert workspaces.items(installed, plane_namespace, "deployments,services") == []
        change = {"gateway": {"hostnames": None}}
        tenant = Tenant(installed, plane_namespace)
        until(lambda: tenant.patch("mine", change).startswith("ok "), "the change")
        workspaces.wait_ready(installed, plane_namespace, "mine", "WorkloadAccepted")
