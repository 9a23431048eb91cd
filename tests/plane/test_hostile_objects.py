"""Objects that tenants make to do harm are isolated: each has its condition, and those of others are ready as soon as ever."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ACTOR, ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

TEMPLATE = {"spec": {"containers": [{"name": "server", "image": "example/server:1"}]}}
LABELS = {"kaito.sh/workspace": "good-0"}


def nested(levels, value="1", name="a"):
    """A value below `levels` mappings, as JSON text: no parser of this process has to read it."""
    return f'{{"{name}":' * levels + value + "}" * levels


def hostile(name, template='{"spec": {"containers": []}}', **fields):
    document = json.dumps(workspaces.workspace(name, inference={"template": "TEMPLATE"}, **fields))
    return document.replace('"TEMPLATE"', template)


def kinds_of_harm():
    """Name → (Workspace as text, what its condition says)."""
    too_deep = "nested deeper than 64 levels"
    too_large = "larger than 256 KiB"
    return {
        "deep-70": (hostile("deep-70", nested(70)), too_deep),
        "deep-300": (hostile("deep-300", nested(300)), too_deep),
        "deep-1000": (hostile("deep-1000", nested(1000)), too_deep),
        "deep-5000": (hostile("deep-5000", nested(5000)), too_deep),
        "lists": (hostile("lists", f'{{"a":{"[" * 9000}{"]" * 9000}}}'), too_deep),
        "deep-in-affinity": (
            hostile("deep-in-affinity", f'{{"spec": {{"containers": [], "affinity": {nested(2000)}}}}}'),
            too_deep,
        ),
        "key": (hostile("key", json.dumps({"x" * 600_000: 1})), too_large),
        "list": (hostile("list", json.dumps({"a": [1] * 200_000})), too_large),
        "objects": (hostile("objects", json.dumps({"a": [{}] * 150_000})), too_large),
        "text": (hostile("text", json.dumps({"a": "\x1b[31m\u202e" * 60_000})), too_large),
    }


def create(cluster, namespace, text):
    """Store an object without kubectl's own reading of it, as any client can."""
    cluster.kubectl(
        "create",
        "--validate=false",
        "--raw",
        f"/apis/kaito.sh/v1beta1/namespaces/{namespace}/workspaces",
        "-f",
        "-",
        input=text,
        actor="user",
    )


def message(cluster, namespace, name):
    path = '{.status.conditions[?(@.type=="Ready")].message}'
    return cluster.kubectl("get", "workspace", name, "-n", namespace, "-o", f"jsonpath={path}")


def apply_good(cluster, namespace, name, **fields):
    workspaces.apply(cluster, namespace, workspaces.workspace(name, inference={"template": TEMPLATE}, **fields))
    workspaces.wait_ready(cluster, namespace, name, "Ready")


def names_of_writes(cluster, namespace, since):
    """The names of the objects that the controller has written since that place of the audit log."""
    calls = [event for event in cluster.audit_events(ACTOR, since) if event["verb"] not in {"get", "list", "watch"}]
    return {ref.get("name") for call in calls if (ref := call.get("objectRef", {})).get("namespace") == namespace}


def faults(controller):
    return [line for line in controller.log if any(word in line for word in ("Traceback", "ERROR", "broke", "unexpected"))]


def test_each_hostile_workspace_has_its_condition_and_others_go_on_also_after_a_restart(installed, plane_namespace):
    harm = kinds_of_harm()
    with ControllerProcess(installed, gate=False) as controller:
        for text, _ in harm.values():
            create(installed, plane_namespace, text)
        apply_good(installed, plane_namespace, "good")
        for name, (_, words) in harm.items():
            until(lambda name=name: message(installed, plane_namespace, name), f"a condition of {name}")
            assert words in message(installed, plane_namespace, name), name
    assert faults(controller) == []
    place = installed.audit_place()
    with ControllerProcess(installed, gate=False) as controller:
        apply_good(installed, plane_namespace, "late")
        installed.kubectl("delete", "workspaces", "-n", plane_namespace, *harm, KUBECTL_TIMEOUT)
    written = names_of_writes(installed, plane_namespace, place)
    assert "late" in written
    assert written & set(harm) == set()
    assert faults(controller) == []


ANY_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "modelservings.serving.example.com"},
    "spec": {
        "group": "serving.example.com",
        "scope": "Namespaced",
        "names": {"kind": "ModelServing", "plural": "modelservings"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture
def kind(installed):
    """A kind of somebody else, whose objects hold whatever somebody likes."""
    installed.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(ANY_CRD))
    workspaces.wait_served(installed, "modelservings.serving.example.com")
    yield
    installed.kubectl("delete", "crd", "modelservings.serving.example.com")


@pytest.mark.parametrize(
    "spec", [nested(3000), json.dumps({"template": [1], "selector": "x"}), "[]"], ids=["deep", "odd", "a list"]
)
def test_an_object_of_a_tenants_own_kind_hurts_only_the_workspace_that_names_it(installed, plane_namespace, kind, spec):
    reference = {"apiVersion": "serving.example.com/v1", "kind": "ModelServing", "name": "box"}
    metadata = json.dumps({"name": "box", "labels": LABELS})
    box = f'{{"apiVersion":"serving.example.com/v1","kind":"ModelServing","metadata":{metadata},"spec":{spec}}}'
    path = f"/apis/serving.example.com/v1/namespaces/{plane_namespace}/modelservings"
    installed.kubectl("create", "--raw", path, "-f", "-", input=box)
    with ControllerProcess(installed, gate=False) as controller:
        named = workspaces.workspace("named", inference={"workloadRef": reference}, resource=None)
        workspaces.apply(installed, plane_namespace, named)
        until(lambda: message(installed, plane_namespace, "named"), "a condition of the Workspace that names it")
        apply_good(installed, plane_namespace, "good")
    assert faults(controller) == []


@pytest.mark.parametrize("levels", [300, 900, 3000])
def test_deep_values_and_managed_fields_of_a_release_hurt_nobody(installed, plane_namespace, levels):
    """A tenant with rights on HelmReleases labels one as ours, under our field manager, with the annotation that we read by."""
    metadata = {"name": "bad", "labels": LABELS, "annotations": {"workspace-ctrl/applied-hash": "x"}}
    spec = f'{{"interval":"1h","suspend":true,"chartRef":{{"kind":"OCIRepository","name":"none"}},"values":{nested(levels)}}}'
    release = f'{{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","metadata":{json.dumps(metadata)},"spec":{spec}}}'
    with ControllerProcess(installed) as controller:
        path = f"/apis/helm.toolkit.fluxcd.io/v2/namespaces/{plane_namespace}/helmreleases"
        installed.kubectl("create", "--raw", f"{path}?fieldManager=workspace-ctrl", "-f", "-", input=release)
        apply_good(installed, plane_namespace, "good", gateway={"enabled": False})
    assert faults(controller) == []
