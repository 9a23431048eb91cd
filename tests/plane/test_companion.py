"""Companion mode beside a stand-in for KAITO, under the rights and policies of that mode."""

import json
from collections.abc import Iterator

import pytest
import yaml

from e2e import policies, workspaces
from e2e.controller import ACTOR, ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.chart.helm import GATE
from tests.chart.rights import AGENT, granted, used
from tests.plane import kaito
from workspace_ctrl.api.crd import crd
from workspace_ctrl.api.labels import SET_KIND

MODE = {"mode": "companion"}
OPTIONS = "workspace-ctrl/gateway"
STATUS = "workspace-ctrl/status"
FINALIZER = "workspace-ctrl/gateway"
SETS = "inferencesets.kaito.sh"
KINDS = ("httproute", "helmrelease", "ocirepository", "inferencepool")


@pytest.fixture
def beside_kaito(installed) -> Iterator[None]:
    """A cluster in which the CRD is KAITO's; the controller may do what the chart allows in companion mode, and no more."""
    try:
        kaito.install_kaitos(installed)
        policies.install(installed, MODE)
        place = installed.audit_place()
        yield
        calls = [event for event in installed.audit_events(ACTOR, place) if event.get("userAgent") == AGENT]
    finally:
        policies.install(installed)
        kaito.install_ours(installed)
    assert used(calls) - granted({**GATE, **MODE}) == set()


def options(gateway, namespace, **more):
    return json.dumps({**workspaces.behind(gateway, namespace), **more})  # JSON is YAML


def workspace(name, annotation):
    document = workspaces.workspace(name)
    document["metadata"]["annotations"] = {OPTIONS: annotation}
    return document


def uids(cluster, namespace, *names):
    found = {(kind, name): workspaces.get(cluster, namespace, kind, name)["metadata"]["uid"] for kind, name in names}
    assert len(set(found.values())) == len(names)
    return found


def gateway_side(name):
    return [("httproute", name), *((kind, f"{name}-inferencepool") for kind in KINDS[1:])]


def told(cluster, namespace, name):
    """Our status in the annotation."""
    annotations = workspaces.get(cluster, namespace, "workspace", name)["metadata"]["annotations"]
    return json.loads(annotations[STATUS]) if STATUS in annotations else {}


def wait_types(cluster, namespace, name, *types):
    """Wait until the status has conditions of these types and no others; it is written after the annotation."""

    def found():
        return {entry["type"] for entry in workspaces.get(cluster, namespace, "workspace", name)["status"]["conditions"]}

    until(lambda: found() == set(types), f"the conditions of {name} to be {types}")


def pool_selector(cluster, namespace, name):
    return workspaces.get(cluster, namespace, "inferencepool", f"{name}-inferencepool")["spec"]["selector"]["matchLabels"]


def test_a_workspace_of_kaito_gets_a_gateway_side_and_one_condition(installed, plane_namespace, gateway, beside_kaito):
    workspaces.apply(installed, plane_namespace, workspace("phi", options(gateway, plane_namespace)))
    live = workspaces.get(installed, plane_namespace, "workspace", "phi")
    workspaces.apply(installed, plane_namespace, kaito.stateful_set(live))
    with ControllerProcess(installed, "--mode=companion") as controller:
        workspaces.wait_ready(installed, plane_namespace, "phi")
        document = workspaces.get(installed, plane_namespace, "workspace", "phi")
        assert [entry["type"] for entry in document["status"]["conditions"]] == ["GatewayReady"]
        assert document["metadata"].get("finalizers") is None
        assert pool_selector(installed, plane_namespace, "phi") == {kaito.LABEL: "phi", kaito.INDEX: "0"}
        status = told(installed, plane_namespace, "phi")
        assert status["gateway"]["pool"] == "phi-inferencepool"
        assert {entry["type"]: entry["status"] for entry in status["conditions"]}["Ready"] == "True"
        before = uids(installed, plane_namespace, *gateway_side("phi"))

        wrong = '{"hostnam": 1}'
        installed.kubectl("annotate", "workspace/phi", "-n", plane_namespace, f"{OPTIONS}={wrong}", "--overwrite", actor="user")
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "InvalidSpec")
        assert found["message"].startswith(f"metadata.annotations[{OPTIONS}].hostnam is not known")
        assert uids(installed, plane_namespace, *gateway_side("phi")) == before

        right = options(gateway, plane_namespace)
        installed.kubectl("annotate", "workspace/phi", "-n", plane_namespace, f"{OPTIONS}={right}", "--overwrite", actor="user")
        workspaces.wait_ready(installed, plane_namespace, "phi")
        off = '{"enabled": false}'
        installed.kubectl("annotate", "workspace/phi", "-n", plane_namespace, f"{OPTIONS}={off}", "--overwrite", actor="user")
        workspaces.wait_gone(installed, plane_namespace, "helmrelease", "phi-inferencepool")
        until(lambda: not told(installed, plane_namespace, "phi"), "the annotation to be removed")
        assert workspaces.condition(installed, plane_namespace, "phi", "GatewayReady") == {}
        workspaces.get(installed, plane_namespace, "statefulset", "phi")
        assert not [line for line in controller.log if "Traceback" in line]


def test_a_workspace_can_be_deleted_while_the_controller_is_away(installed, plane_namespace, gateway, beside_kaito):
    workspaces.apply(installed, plane_namespace, workspace("phi", options(gateway, plane_namespace)))
    live = workspaces.get(installed, plane_namespace, "workspace", "phi")
    workspaces.apply(installed, plane_namespace, kaito.stateful_set(live))
    with ControllerProcess(installed, "--mode=companion"):
        workspaces.wait_ready(installed, plane_namespace, "phi")
    installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
    for kind, name in gateway_side("phi"):
        # The garbage collector deletes them, which may take more than a minute after changes of CRDs.
        workspaces.wait_gone(installed, plane_namespace, kind, name)


def test_from_managed_to_companion_and_back_nothing_is_made_anew(installed, plane_namespace, gateway):
    names = ("phi", "mistral")
    ours = [("deployment", name) for name in names] + [entry for name in names for entry in gateway_side(name)]
    with ControllerProcess(installed):
        for name in names:
            workspaces.apply(installed, plane_namespace, workspace(name, options(gateway, plane_namespace)))
        for name in names:
            workspaces.wait_ready(installed, plane_namespace, name)
    before = uids(installed, plane_namespace, *ours)

    kaito.install_kaitos(installed)
    policies.install(installed, MODE)
    for name in names:
        live = workspaces.get(installed, plane_namespace, "workspace", name)
        workspaces.apply(installed, plane_namespace, kaito.stateful_set(live))
    with ControllerProcess(installed, "--mode=companion"):
        for name in names:
            until(lambda name=name: told(installed, plane_namespace, name), "our status to be in the annotation")
            workspaces.wait_ready(installed, plane_namespace, name)
        assert uids(installed, plane_namespace, *ours) == before
        for name in names:
            document = workspaces.get(installed, plane_namespace, "workspace", name)
            assert document["metadata"].get("finalizers") is None
            kaitos = ("ResourceReady", "NodesReady", "InferenceReady", "WorkspaceSucceeded")
            wait_types(installed, plane_namespace, name, "GatewayReady", *kaitos)
            assert pool_selector(installed, plane_namespace, name) == {kaito.LABEL: name}
        installed.kubectl("delete", "deployment", *names, "-n", plane_namespace, actor="user")
        for name in names:
            until(
                lambda name=name: kaito.INDEX in pool_selector(installed, plane_namespace, name), "the pool to select KAITO's pods"
            )
            workspaces.wait_ready(installed, plane_namespace, name)
    theirs = [("statefulset", name) for name in names]
    both = uids(installed, plane_namespace, *theirs)

    policies.install(installed)
    kaito.install_ours(installed)
    with ControllerProcess(installed):
        for name in names:
            workspaces.wait_ready(installed, plane_namespace, name, "Ready")
            document = workspaces.get(installed, plane_namespace, "workspace", name)
            assert document["metadata"]["finalizers"] == [FINALIZER]
            assert STATUS not in document["metadata"]["annotations"]
        assert uids(installed, plane_namespace, *theirs) == both
        routes = [entry for entry in ours if entry[0] != "deployment"]
        assert uids(installed, plane_namespace, *routes) == {entry: before[entry] for entry in routes}


@pytest.fixture
def before_inference_sets(installed, beside_kaito) -> Iterator[None]:
    """The same without the CRD of InferenceSets, as where KAITO's feature gate for them was never on."""
    installed.kubectl("delete", "crd", SETS, KUBECTL_TIMEOUT)
    yield
    installed.kubectl("delete", "crd", SETS, KUBECTL_TIMEOUT)
    create_sets(installed, crd(SET_KIND))


def create_sets(cluster, definition):
    cluster.kubectl("create", "-f", "-", input=yaml.safe_dump(definition))
    workspaces.wait_served(cluster, SETS)


def owners(cluster, namespace, name):
    """The apiVersion in the owner reference of each object of the gateway side."""
    found = (workspaces.get(cluster, namespace, *each) for each in gateway_side(name)[:3])
    return {each["metadata"]["ownerReferences"][0]["apiVersion"] for each in found}


@pytest.mark.timeout(900)
def test_inference_sets_are_read_and_written_in_whatever_version_kaito_serves(
    installed, plane_namespace, gateway, before_inference_sets, run
):
    old, new = (f"inferencesets.{version}.kaito.sh" for version in ("v1alpha1", "v1beta1"))
    with ControllerProcess(installed, "--mode=companion") as controller:
        create_sets(installed, kaito.kaito_crd(SET_KIND, ["v1alpha1"]))
        document = workspaces.inference_set("phi") | {"apiVersion": "kaito.sh/v1alpha1"}
        document["metadata"]["annotations"] = {OPTIONS: options(gateway, plane_namespace)}
        workspaces.apply(installed, plane_namespace, document)
        live = workspaces.get(installed, plane_namespace, old, "phi")
        workspaces.apply(installed, plane_namespace, kaito.copy_of(live))
        copy = workspaces.get(installed, plane_namespace, "workspace", "phi-x2x4x")
        workspaces.apply(installed, plane_namespace, kaito.stateful_set(copy))
        workspaces.wait_ready(installed, plane_namespace, "phi", kind=old)
        assert owners(installed, plane_namespace, "phi") == {"kaito.sh/v1alpha1"}
        before = uids(installed, plane_namespace, *gateway_side("phi"))
        until(lambda: "phi" in run("events", "phi").output, "an event, which follows the status")
        for command in (("status", "phi"), ("explain", "is/phi"), ("events", "phi"), ("status",)):
            found = run(*command)
            assert (found.exit_code, "phi" in found.output) == (0, True), (command, found.output)
        assert "phi-x2x4x-0" in run("logs", "phi").output  # the pod is found; there is no kubelet that has a log

        kaito.serve_sets(installed, "v1beta1", "v1alpha1")
        until(lambda: owners(installed, plane_namespace, "phi") == {"kaito.sh/v1beta1"}, "the owner to be the new version")
        assert workspaces.condition(installed, plane_namespace, "phi", "GatewayReady", kind=new)["status"] == "True"
        assert uids(installed, plane_namespace, *gateway_side("phi")) == before

        installed.kubectl("annotate", f"{new}/phi", "-n", plane_namespace, "example.com/stored=v1beta1", actor="user")
        stored = '{"status": {"storedVersions": ["v1beta1"]}}'
        installed.kubectl("patch", "crd", SETS, "--subresource=status", "--type=merge", "-p", stored)
        # Its copies refer to it in the version that goes, and would be taken for orphans; KAITO itself has to move them.
        workspaces.apply(installed, plane_namespace, kaito.copy_of(workspaces.get(installed, plane_namespace, new, "phi")))
        kaito.serve_sets(installed, "v1beta1")
        off = json.dumps({"enabled": False})
        installed.kubectl("annotate", f"{new}/phi", "-n", plane_namespace, f"{OPTIONS}={off}", "--overwrite", actor="user")
        workspaces.wait_gone(installed, plane_namespace, "helmrelease", "phi-inferencepool")
        until(
            lambda: STATUS not in workspaces.get(installed, plane_namespace, new, "phi")["metadata"]["annotations"],
            "the annotation to be removed",
        )
        on = options(gateway, plane_namespace)
        installed.kubectl("annotate", f"{new}/phi", "-n", plane_namespace, f"{OPTIONS}={on}", "--overwrite", actor="user")
        workspaces.wait_ready(installed, plane_namespace, "phi", kind=new)
        assert run("status", "phi").exit_code == 0
    assert not [line for line in controller.log if "Traceback" in line or "ERROR" in line]
    # How soon the garbage collector knows the owner's new version is its own matter: after changes of CRDs it took more than a minute.
    assert owners(installed, plane_namespace, "phi") == {"kaito.sh/v1beta1"}
    installed.kubectl("delete", f"{new}/phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
