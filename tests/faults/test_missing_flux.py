"""Flux's CRDs are deleted under running Workspaces, and come back."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT
from tests.faults import aftermath

CRDS = ("helmreleases.helm.toolkit.fluxcd.io", "ocirepositories.source.toolkit.fluxcd.io")


def as_applied(crd):
    metadata = {key: crd["metadata"][key] for key in ("name", "labels", "annotations") if key in crd["metadata"]}
    return {"apiVersion": crd["apiVersion"], "kind": crd["kind"], "metadata": metadata, "spec": crd["spec"]}


@pytest.mark.timeout(900)
def test_crds_of_flux_go_and_come_back(installed, plane_namespace, behind):
    saved = [as_applied(json.loads(installed.kubectl("get", "crd", name, "-o", "json"))) for name in CRDS]
    with ControllerProcess(installed) as controller:
        names = aftermath.create(installed, plane_namespace, behind, 3)
        aftermath.wait_all_ready(installed, plane_namespace, names)
        try:
            installed.kubectl("delete", "crd", *CRDS, KUBECTL_TIMEOUT)
            for name in names:
                found = workspaces.wait_reason(installed, plane_namespace, name, "GatewayReady", "CRDsNotAvailable")
                assert (found["status"], found["message"].endswith("install Flux")) == ("False", True)
        finally:
            for crd in saved:
                installed.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(crd))
                workspaces.wait_served(installed, crd["metadata"]["name"])
        aftermath.wait_all_ready(installed, plane_namespace, names)
        aftermath.assert_whole(installed, plane_namespace, names)
        aftermath.assert_quiet(installed, plane_namespace, controller)
        assert controller.is_running
