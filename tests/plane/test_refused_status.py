"""A CRD that refuses a part of the status, as an older or a changed one does: the rest is written, and says so."""

import json

import pytest

from e2e import workspaces
from e2e.cluster.errors import ClusterError
from e2e.controller import ControllerProcess
from e2e.waiting import until
from tests.refused_statuses import ON_PURPOSE, refused_statuses

MAKE = {"workspace": workspaces.workspace, "inferenceset": workspaces.inference_set}
RULE = [{"rule": "!has(self.route)", "message": "no routes here"}]


def set_rule(cluster, kind, value):
    """Have the CRD refuse a status with a route, or no longer; returns once the API server does so."""
    crd = f"{kind}s.kaito.sh"
    versions = json.loads(cluster.kubectl("get", "crd", crd, "-o", "json"))["spec"]["versions"]
    path = "/spec/versions/{}/schema/openAPIV3Schema/properties/status/properties/gateway/x-kubernetes-validations"
    change = {"op": "add", "value": value} if value else {"op": "remove"}
    changes = [{**change, "path": path.format(number)} for number in range(len(versions))]
    cluster.kubectl("patch", "crd", crd, "--type=json", "-p", json.dumps(changes))


def refuses(cluster, namespace, kind):
    change = json.dumps({"status": {"gateway": {"route": "x"}}})
    try:
        cluster.kubectl("patch", kind, "idle", "-n", namespace, "--subresource=status", "--type=merge", "-p", change)
    except ClusterError as error:
        assert "no routes here" in str(error)
        return True
    return False


@pytest.fixture(params=MAKE)
def kind(request):
    """The kind whose status is refused."""
    return request.param


@pytest.fixture
def stricter(installed, plane_namespace, kind):
    """A CRD that refuses a route in the status; the refusals in this namespace are on purpose."""
    ON_PURPOSE.add(plane_namespace)
    workspaces.apply(installed, plane_namespace, MAKE[kind]("idle", gateway={"enabled": False}))
    set_rule(installed, kind, RULE)
    try:
        until(lambda: refuses(installed, plane_namespace, kind), "the CRD to refuse")
        yield
    finally:
        set_rule(installed, kind, None)
        until(lambda: not refuses(installed, plane_namespace, kind), "the CRD to be as before")


@pytest.mark.usefixtures("stricter")
def test_the_rest_of_a_status_is_written_and_says_what_is_missing(installed, plane_namespace, gateway, kind):
    since = installed.audit_place()
    with ControllerProcess(installed, "--namespace", plane_namespace):  # the CRD is that of all: others may still be there
        document = MAKE[kind]("phi", gateway=workspaces.behind(gateway, plane_namespace))
        workspaces.apply(installed, plane_namespace, document)
        found = workspaces.wait_message(installed, plane_namespace, "phi", "Ready", "the API server rejects", kind=kind)
        assert "gateway of the status, left out" in found["message"]
        assert "no routes here" in found["message"]
        assert workspaces.get(installed, plane_namespace, kind, "phi")["status"].get("gateway") is None
        workspaces.wait_ready(installed, plane_namespace, "phi", "InferenceReady", kind=kind)
    assert refused_statuses(installed, since) == []  # they are on purpose
    refused = refused_statuses(installed, since, on_purpose=())
    assert {line.partition(":")[0] for line in refused} == {f"{plane_namespace}/phi"}
    assert all("no routes here" in line for line in refused)
