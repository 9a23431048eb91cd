"""The DestinationRule that KAITO's quickstart has its users create for the endpoint picker: its order does not matter."""

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT

PICKER = "phi-inferencepool-epp"
RULE = workspaces.destination_rule(PICKER)


@pytest.mark.parametrize("first", [True, False], ids=["before the Workspace", "after it is ready"])
def test_the_workspace_is_ready_and_the_rule_is_one_of_the_release(installed, plane_namespace, gateway, first):
    namespace = plane_namespace
    wanted = workspaces.workspace("phi", gateway=workspaces.behind(gateway, namespace))
    with ControllerProcess(installed):
        for document in (RULE, wanted) if first else (wanted, RULE):
            workspaces.apply(installed, namespace, document)
            if document is wanted:
                workspaces.wait_ready(installed, namespace, "phi", "Ready")
        workspaces.wait_ready(installed, namespace, "phi", "Ready")
        metadata = workspaces.get(installed, namespace, "destinationrule", PICKER)["metadata"]
        assert metadata["annotations"]["meta.helm.sh/release-name"] == "phi-inferencepool"
        installed.kubectl("delete", "workspace", "phi", "-n", namespace, KUBECTL_TIMEOUT, actor="user")
        workspaces.wait_gone(installed, namespace, "destinationrule", PICKER)
