"""A chart's objects in a few bytes: which they are, and whether somebody has taken a field of them."""

import pytest

from workspace_ctrl.records.chart_inventory import (
    chart_object_id,
    chart_objects_of_inventory,
    content_checksum,
    kind_of,
    parse_chart_object,
    unpack,
)
from workspace_ctrl.records.flux import parse_helm_release


def entry(manager="helm-controller", operation="Apply", subresource=None, **fields):
    tree = {"manager": manager, "operation": operation, "fieldsV1": {f"f:{name}": inside for name, inside in fields.items()}}
    return {**tree, "subresource": subresource} if subresource else tree


def shape(*entries):
    return content_checksum({"managedFields": list(entries)})


def test_the_inventory_of_flux_is_read():
    ids = ["ns_a-epp__Service", "ns_a-epp-sa_rbac.authorization.k8s.io_Role", "_a_rbac.authorization.k8s.io_ClusterRole", "odd"]
    packed = chart_objects_of_inventory([{"id": entry, "v": "v1"} for entry in ids])
    assert set(unpack(packed)) == {chart_object_id("Service", "a-epp"), chart_object_id("Role", "a-epp-sa")}
    assert {kind_of(part) for part in unpack(packed)} == {"Service", "Role"}


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        pytest.param([entry(data={})], [entry(data={})], True, id="nothing happened"),
        pytest.param([entry(data={"f:a": {}})], [entry(data={})], False, id="somebody has taken a field"),
        pytest.param(
            [entry(data={})], [entry(data={}), entry("kubectl", "Update", metadata={})], True, id="somebody has added one"
        ),
        pytest.param([entry(data={})], [entry(data={}), entry(subresource="status", status={})], True, id="status"),
        pytest.param([entry(data={"f:a": {}})], [entry(operation="Update", data={".": {}, "f:a": {}})], True, id="made anew"),
        pytest.param(
            [entry(data={"f:a": {}})],
            [entry(data={"f:a": {}}), entry(operation="Update", data={"f:a": {}})],
            True,
            id="written twice",
        ),
    ],
)
def test_the_checksum_moves_when_somebody_takes_a_field_of_flux(old, new, same):
    assert (shape(*old) == shape(*new)) is same


def test_what_no_chart_has_made_has_no_checksum():
    assert shape(entry("workspace-ctrl", spec={})) == shape() == 0


def test_a_part_knows_its_workspace():
    part = parse_chart_object(
        {"metadata": {"name": "a-epp", "namespace": "ns", "labels": {"workspace-ctrl/workspace": "a"}}}, "Role"
    )
    assert (part.owner, part.id, str(part.meta.ref)) == (("ns", "a"), chart_object_id("Role", "a-epp"), "Role ns/a-epp")


@pytest.mark.parametrize(
    ("changes", "deployed"),
    [
        pytest.param({}, True, id="deployed"),
        pytest.param({"status": "failed"}, False, id="failed"),
        pytest.param({"chartVersion": "1.5.0+new"}, False, id="another chart"),
        pytest.param({"configDigest": "sha256:new"}, False, id="other values"),
    ],
)
def test_the_history_must_tell_of_what_was_attempted_last(changes, deployed):
    newest = {"status": "deployed", "chartVersion": "1.5.0+old", "configDigest": "sha256:old", **changes}
    status = {"lastAttemptedRevision": "1.5.0+old", "lastAttemptedConfigDigest": "sha256:old", "history": [newest]}
    assert parse_helm_release({"metadata": {"name": "x"}, "status": status}, "HelmRelease").deployed is deployed


@pytest.mark.parametrize(
    ("asked", "handled", "requested"),
    [("2", "2", False), ("2", "1", True), ("2", None, True), (None, "1", False), (None, None, False)],
)
def test_a_request_stands_until_flux_says_that_it_has_handled_it(asked, handled, requested):
    annotations = {"reconcile.fluxcd.io/requestedAt": asked} if asked else None
    raw = {
        "metadata": {"name": "x", "annotations": annotations},
        "status": {"lastHandledReconcileAt": handled} if handled else None,
    }
    assert parse_helm_release(raw, "HelmRelease").requested is requested
