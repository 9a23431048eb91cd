"""The client against a real API server: what it sends, and which error comes back as which type."""

import json

import pytest

from e2e.waiting import KUBECTL_TIMEOUT
from workspace_ctrl.cache.watches import DEPLOYMENT, SERVICE
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection, open_connection
from workspace_ctrl.kube.errors import (
    ConflictError,
    ForbiddenError,
    KindNotServedError,
    NamespaceTerminatingError,
    NotFoundError,
    RejectedError,
    RetryableError,
)
from workspace_ctrl.kube.resources import ApiResource


def service(namespace, port=80, **metadata):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "it", "namespace": namespace, **metadata},
        "spec": {"ports": [{"name": "http", "port": port, "protocol": "TCP"}]},
    }


async def test_apply_creates_changes_and_answers_the_object(client, plane_namespace):
    first = await client.apply(SERVICE, service(plane_namespace), force=False)
    second = await client.apply(SERVICE, service(plane_namespace, port=81), force=True)
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert [entry["port"] for entry in second["spec"]["ports"]] == [81]


async def test_an_apply_that_changes_nothing_keeps_the_version(client, plane_namespace):
    first = await client.apply(SERVICE, service(plane_namespace), force=True)
    second = await client.apply(SERVICE, service(plane_namespace), force=True)
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_dry_run_stores_nothing(client, plane, plane_namespace):
    answer = await client.apply(SERVICE, service(plane_namespace), force=False, dry_run=True)
    assert answer["kind"] == "Service"
    assert plane.kubectl("get", "services", "-n", plane_namespace, "-o", "name") == ""


async def test_without_force_fields_of_others_are_a_conflict(client, plane, plane_namespace):
    plane.kubectl("create", "service", "clusterip", "it", "--tcp=90:90", "-n", plane_namespace)
    mine = service(plane_namespace)
    mine["spec"]["selector"] = {"app": "mine"}
    with pytest.raises(ConflictError, match="conflict with"):
        await client.apply(SERVICE, mine, force=False)


async def test_a_uid_that_is_not_the_object_s_is_a_conflict(client, plane_namespace):
    await client.apply(SERVICE, service(plane_namespace), force=True)
    with pytest.raises(ConflictError, match="metadata.uid"):
        await client.apply(SERVICE, service(plane_namespace, uid="00000000-0000-0000-0000-000000000000"), force=True)


async def test_delete_takes_only_the_object_that_was_meant(client, plane_namespace, plane):
    created = await client.apply(SERVICE, service(plane_namespace), force=True)
    with pytest.raises(ConflictError):
        await client.delete(SERVICE, plane_namespace, "it", "00000000-0000-0000-0000-000000000000")
    await client.delete(SERVICE, plane_namespace, "it", created["metadata"]["uid"])
    await client.delete(SERVICE, plane_namespace, "it", created["metadata"]["uid"])
    assert plane.kubectl("get", "services", "-n", plane_namespace, "-o", "name") == ""


async def test_what_the_server_refuses_is_quoted(client, plane_namespace):
    wrong = service(plane_namespace)
    wrong["spec"]["ports"][0]["port"] = 99999
    with pytest.raises(RejectedError, match="must be between 1 and 65535"):
        await client.apply(SERVICE, wrong, force=True)


async def test_a_quota_is_forbidden(client, plane, plane_namespace):
    plane.kubectl("create", "quota", "none", "--hard=count/services=0", "-n", plane_namespace)
    plane.kubectl("wait", "resourcequota/none", "-n", plane_namespace, "--for=jsonpath={.status.used}", KUBECTL_TIMEOUT)
    with pytest.raises(ForbiddenError, match="exceeded quota: none"):
        await client.apply(SERVICE, service(plane_namespace), force=True, dry_run=True)


async def test_an_object_is_found_with_its_kind_by_a_list(client, plane_namespace):
    made = await client.apply(SERVICE, service(plane_namespace), force=False)
    assert await client.find(SERVICE, plane_namespace, "it") == made
    assert await client.find(SERVICE, plane_namespace, "other") is None
    assert await client.find(SERVICE, "nowhere", "it") is None


async def test_a_namespace_that_is_being_deleted_takes_nothing_new(client, plane):
    held = {"name": "held", "namespace": "test-going", "finalizers": ["example.com/hold"]}
    plane.kubectl("create", "namespace", "test-going")
    try:
        plane.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held}))
        plane.kubectl("delete", "namespace", "test-going", "--wait=false")
        with pytest.raises(NamespaceTerminatingError, match="being terminated"):
            await client.apply(SERVICE, service("test-going"), force=False)
    finally:
        plane.kubectl("patch", "configmap", "held", "-n", "test-going", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


async def test_a_missing_namespace_is_not_found_and_a_missing_kind_is_not_served(client):
    with pytest.raises(NotFoundError, match='namespaces "nowhere" not found'):
        await client.apply(SERVICE, service("nowhere"), force=True)
    with pytest.raises(KindNotServedError):
        await client.list_page(ApiResource("nobody.example", "v1", "things", "Thing"), {})


async def test_a_list_is_paged(client, plane, plane_namespace):
    for number in range(3):
        plane.kubectl("create", "deployment", f"d{number}", "--image=none", "--replicas=0", "-n", plane_namespace)
    first = await client.list_page(DEPLOYMENT, {"limit": "2"}, plane_namespace)
    rest = await client.list_page(DEPLOYMENT, {"limit": "2", "continue": first["metadata"]["continue"]}, plane_namespace)
    assert [item["metadata"]["name"] for item in first["items"] + rest["items"]] == ["d0", "d1", "d2"]


async def test_no_server_is_a_passing_error_and_each_request_is_counted(plane):
    connection = open_connection(load_access(plane.kubeconfig, None))
    seen = []
    absent = Client(Connection("https://127.0.0.1:1", connection.session), "tester", lambda *request: seen.append(request))
    with pytest.raises(RetryableError):
        await absent.apply(SERVICE, service("default"), force=True)
    assert seen == [("patch", "services", 0)] * 4
    await connection.close()
