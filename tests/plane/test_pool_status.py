"""What Istio says of a pool whose endpoint picker's Service was away for a moment, and how it is brought to look again."""

import shlex
import time

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.outdated_status import POOL, picker_away, suspend, wait_reason
from e2e.waiting import until
from workspace_ctrl.model.attachment_status import SILENT_SECONDS

REQUEST = "workspace-ctrl/pool-status-requested"
OF_ROUTES = ("patch", "httproutes")


@pytest.fixture
def controller(installed):
    with ControllerProcess(installed) as process:
        yield process


def own_route(gateway):
    backend = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": POOL}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "own"},
        "spec": {"parentRefs": [{"name": gateway}], "rules": [{"backendRefs": [backend]}]},
    }


def annotations_of_route(cluster, namespace):
    return workspaces.get(cluster, namespace, "httproute", "phi")["metadata"]["annotations"]


def test_a_service_that_is_back_is_found_again_for_two_writes_of_the_route(installed, plane_namespace, gateway, controller):
    document = workspaces.workspace("phi", gateway=workspaces.behind(gateway, plane_namespace))
    workspaces.apply(installed, plane_namespace, document)
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    before = controller.writes(plane_namespace)[OF_ROUTES]
    with picker_away(installed, plane_namespace):
        workspaces.wait_reason(installed, plane_namespace, "phi", "RouteReady", "InferencePoolRefsUnresolved")
        assert controller.writes(plane_namespace)[OF_ROUTES] == before
        began = time.monotonic()
    wait_reason(installed, plane_namespace, "ResolvedRefs")
    until(lambda: REQUEST not in annotations_of_route(installed, plane_namespace), "the end of the request")
    made = controller.writes(plane_namespace)[OF_ROUTES] - before
    # On a busy machine, Istio may see the first request before the Service; after a minute there is a second one, and no other.
    assert made == 2 or (made == 3 and time.monotonic() - began >= SILENT_SECONDS)
    suspend(installed, plane_namespace, suspended=False)
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    assert controller.writes(plane_namespace)[OF_ROUTES] - before == made


def test_behind_a_user_s_route_the_message_says_what_is_the_case_and_its_command_helps(
    installed, plane_namespace, gateway, controller
):
    workspaces.apply(
        installed, plane_namespace, own_route(gateway), workspaces.workspace("phi", gateway={"httpRouteRef": {"name": "own"}})
    )
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
    with picker_away(installed, plane_namespace):
        workspaces.wait_reason(installed, plane_namespace, "phi", "RouteReady", "InferencePoolRefsUnresolved")
    message = workspaces.wait_reason(installed, plane_namespace, "phi", "RouteReady", "InferencePoolStatusOutdated")["message"]
    suspend(installed, plane_namespace, suspended=False)
    workspaces.wait_reason(installed, plane_namespace, "phi", "GatewayReady", "InferencePoolStatusOutdated")
    command = message.partition("kubectl ")[2].replace("$(date +%s)", "1")
    installed.kubectl(*shlex.split(command), actor="user")
    workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
