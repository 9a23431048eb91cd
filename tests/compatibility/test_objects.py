"""Objects that 0.1.0 has stored are read: each Workspace with its status, and each object as the Workspace's own."""

import json

import pytest

from tests.compatibility.record import RECORDED
from workspace_ctrl.api.labels import OWNER_LABEL
from workspace_ctrl.api.names import names
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.kube.lease import Sighting, parse_lease
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preview import preview
from workspace_ctrl.records.flux import parse_helm_release, parse_oci_repository
from workspace_ctrl.records.gateways import parse_http_route, parse_inference_pool
from workspace_ctrl.records.objectives import parse_objective
from workspace_ctrl.records.pods import parse_pod
from workspace_ctrl.records.workloads import parse_persistent_volume_claim, parse_service, parse_workload
from workspace_ctrl.records.workspaces import parse_workspace_record

OBJECTS = json.loads(RECORDED.read_text())
WORKSPACES = [item for item in OBJECTS if item["kind"] == "Workspace"]
PARSERS = {
    "Deployment": parse_workload,
    "StatefulSet": parse_workload,
    "Service": parse_service,
    "PersistentVolumeClaim": parse_persistent_volume_claim,
    "OCIRepository": parse_oci_repository,
    "HelmRelease": parse_helm_release,
    "HTTPRoute": parse_http_route,
    "InferencePool": parse_inference_pool,
    "InferenceObjective": parse_objective,
    "Pod": parse_pod,
}
OWNED = [
    item
    for item in OBJECTS
    if item["kind"] in PARSERS and any(owner["kind"] == "Workspace" for owner in item["metadata"].get("ownerReferences", ()))
]
OF_USERS = [item for item in OBJECTS if item["kind"] in {"ConfigMap", "Deployment"} and not item["metadata"].get("ownerReferences")]
"""What Workspaces refer to."""
each_workspace = pytest.mark.parametrize("item", WORKSPACES, ids=lambda item: item["metadata"]["name"])
each_owned = pytest.mark.parametrize("item", OWNED, ids=lambda item: f"{item['kind']} {item['metadata']['name']}")


def test_every_shape_is_among_them():
    kinds = {item["kind"] for item in OBJECTS}
    assert {*PARSERS, "Lease", "Event"} - kinds == set()
    forms = {form for item in WORKSPACES for form in item["inference"]}
    assert {"preset", "template", "workloadRef", "config", "adapters", "weightsVolume"} <= forms
    assert len(WORKSPACES) >= 15


@each_workspace
def test_a_workspace_is_valid_and_has_its_finalizer(item):
    record = parse_workspace_record(item, "Workspace")
    assert record.meta.unreadable == ""
    parse_workspace(record.meta.ref.name, record.fields())
    assert record.has_finalizer is ("workspace-ctrl/gateway" in item["metadata"].get("finalizers", ()))


@each_workspace
def test_nothing_of_its_status_is_lost(item):
    status = parse_status(item["status"])
    assert status.without_empty_parts().as_object() == item["status"]


@each_workspace
def test_it_is_planned_as_the_same_objects(item):
    """Names, selectors and ports are those of the objects that are there, so that none is made beside them."""
    name = item["metadata"]["name"]
    planned = preview(item, OF_USERS, PlanSettings(gateway_extension=True))
    wanted = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in planned.manifests}
    found = {(each["kind"], each["metadata"]["name"]) for each in OWNED if each["metadata"]["labels"][OWNER_LABEL] == name}
    assert found - wanted == set()
    by_key = {(each["kind"], each["metadata"]["name"]): each for each in OWNED}
    for manifest in planned.manifests:
        before = by_key.get((manifest["kind"], manifest["metadata"]["name"]))
        if before is not None and manifest["kind"] in {"Deployment", "StatefulSet"}:
            assert manifest["spec"]["selector"] == before["spec"]["selector"]  # cannot be changed
        if before is not None and manifest["kind"] == "Service":
            assert manifest["spec"]["selector"] == before["spec"]["selector"]


@each_owned
def test_an_object_is_known_as_the_workspace_s_own(item):
    record = PARSERS[item["kind"]](item, item["kind"])
    (owner,) = (entry for entry in item["metadata"]["ownerReferences"] if entry["kind"] == "Workspace")
    assert record.meta.controller_uid == owner["uid"]
    assert record.meta.workspace == owner["name"]
    assert record.meta.applied_hash  # of the manifest that was applied: this version's differs, so it applies its own
    assert record.meta.unreadable == ""


def test_the_lease_of_an_earlier_replica_is_respected_and_taken_over():
    (item,) = (each for each in OBJECTS if each["kind"] == "Lease")
    lease = parse_lease(item, "Lease")
    assert lease.duration > 0
    assert Sighting().see(lease, 100.0).free_at("another") == (100.0 + lease.duration if lease.holder else float("-inf"))


def test_names_are_derived_as_before():
    for item in OWNED:
        derived = names(item["metadata"]["labels"][OWNER_LABEL])
        expected = {
            "Deployment": {derived.workload},
            "OCIRepository": {derived.source},
            "HelmRelease": {derived.release},
        }
        if item["kind"] in expected:
            assert item["metadata"]["name"] in expected[item["kind"]]
