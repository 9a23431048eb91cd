"""What a test leaves in its namespace is removed without the namespace."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import json

import pytest

from e2e.cluster.leftovers import POOLS, Kind, created, remove
from e2e.waiting import until

ROUTES = Kind("gateway.networking.k8s.io", "v1", "httproutes")
RELEASES = Kind("helm.toolkit.fluxcd.io", "v2", "helmreleases")


def event(resource, group="", version="v1", code=201, **more):
    place = {"resource": resource, "apiVersion": version, **({"apiGroup": group} if group else {}), **more}
    return {"objectRef": place, "responseStatus": {"code": code}}


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        pytest.param([], set(), id="nothing"),
        pytest.param([event("services"), event("services")], {Kind("", "v1", "services")}, id="of one kind"),
        pytest.param([event("httproutes", ROUTES.group)], {ROUTES}, id="of a group"),
        pytest.param([event("services", code=200), event("services", code=409)], set(), id="changed or refused"),
        pytest.param([event("pods", subresource="binding")], set(), id="a subresource"),
        pytest.param([event("configmaps"), event("events", "events.k8s.io")], set(), id="what is inert"),
        pytest.param([event("localsubjectaccessreviews", "authorization.k8s.io")], set(), id="what is not stored"),
        pytest.param([event("helmreleases", RELEASES.group, "v2")], {RELEASES, POOLS}, id="what Flux creates of a release"),
    ],
)
def test_the_kinds_that_were_created_are_known_from_the_audit_log(events, kinds):
    assert created(events) == kinds


def manifest(name, finalizers=()):
    spec = {"hostnames": ["example.org"]}
    metadata = {"name": name, "finalizers": list(finalizers)}
    return {"apiVersion": f"{ROUTES.group}/{ROUTES.version}", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def test_objects_go_with_what_they_own_though_nobody_takes_their_finalizers_off(plane, plane_namespace):
    place = ("-n", plane_namespace)
    since = plane.audit_place()
    for document in (manifest("it"), manifest("held", ["example.org/held"])):
        plane.kubectl("create", *place, "-f", "-", input=json.dumps(document))
    owner = json.loads(plane.kubectl("get", "httproute/held", *place, "-o", "json"))["metadata"]["uid"]
    owned = {"apiVersion": manifest("")["apiVersion"], "kind": "HTTPRoute", "name": "held", "uid": owner}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned", "ownerReferences": [owned]}}
    plane.kubectl("create", *place, "-f", "-", input=json.dumps(config))
    plane.kubectl("create", "configmap", "inert", *place)
    remove(plane, plane_namespace, since)
    assert plane.kubectl("get", "httproutes", *place, "-o", "name") == ""
    until(lambda: "owned" not in plane.kubectl("get", "configmaps", *place, "-o", "name"), "what they own to be gone")
    assert "configmap/inert" in plane.kubectl("get", "configmaps", *place, "-o", "name")
    assert plane.kubectl("get", "namespace", plane_namespace, "-o", "jsonpath={.status.phase}") == "Active"


def test_a_kind_that_has_gone_meanwhile_and_a_namespace_without_objects_are_no_errors(plane, plane_namespace, monkeypatch):
    monkeypatch.setattr("e2e.cluster.leftovers.created", lambda _: {Kind("example.org", "v1", "lates"), ROUTES})
    remove(plane, plane_namespace, plane.audit_place())
