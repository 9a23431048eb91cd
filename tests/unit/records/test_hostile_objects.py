"""Objects that anybody may make with our labels and in our name: read in bounded time and memory, and without an exception."""

from functools import reduce

import pytest

from workspace_ctrl.records import ownership, parts
from workspace_ctrl.records.gateways import parse_gateway, parse_gateway_service
from workspace_ctrl.records.ownership import NO_FIELDS, owned_fields
from workspace_ctrl.records.parts import shape_of
from workspace_ctrl.records.pods import parse_pod
from workspace_ctrl.records.workloads import http_port, parse_workload


def managed(manager, fields):
    return {"managedFields": [{"manager": manager, "operation": "Apply", "fieldsV1": fields}]}


DEEP = reduce(lambda inside, _: {"f:a": inside}, range(900), {})
WIDE = {"f:spec": {f"f:field{number}": {} for number in range(100_000)}}
LARGE = {"f:spec": {f"f:field{number}": {} for number in range(2_000)}}


@pytest.mark.parametrize("fields", [DEEP, WIDE], ids=["deep", "wide"])
def test_a_tree_that_no_object_of_ours_has_counts_as_none(fields):
    assert owned_fields(managed("workspace-ctrl", fields)) == NO_FIELDS


@pytest.mark.parametrize("fields", [DEEP, {"f:spec": "x"}, {"f:spec": {"f:replicas": 1}}], ids=["deep", "text", "number"])
def test_trees_of_any_shape_are_read(fields):
    for manager in ("workspace-ctrl", "helm-controller", "other"):
        parse_workload(
            {"metadata": {"name": "x", "annotations": {"workspace-ctrl/applied-hash": "h"}, **managed(manager, fields)}}, ""
        )


def test_large_trees_are_not_kept_for_others():
    before = ownership._shared.cache_info().currsize, parts._shared_checksum.cache_info().currsize
    assert owned_fields(managed("workspace-ctrl", LARGE))["f:spec"] == LARGE["f:spec"]
    assert shape_of(managed("helm-controller", LARGE)) == shape_of(
        managed("helm-controller", {"f:spec": {".": {}, **LARGE["f:spec"]}})
    )
    assert (ownership._shared.cache_info().currsize, parts._shared_checksum.cache_info().currsize) == before


@pytest.mark.parametrize(
    "container",
    [
        {"state": {"waiting": {"reason": "ErrImagePull", "message": "\x1b[2J\n" * 9999}}},
        {"state": {"waiting": {"reason": "r" * 9999, "message": "x" * 99_999}}},
        {"state": {"terminated": {"exitCode": 1, "message": "\u202e" * 99_999}}},
    ],
)
def test_of_what_a_container_says_a_printable_part_is_kept(container):
    trouble = parse_pod({"metadata": {"name": "x"}, "status": {"containerStatuses": [{"name": "c", **container}]}}, "Pod").trouble
    assert trouble is not None
    assert len(trouble.message) <= 1024
    assert len(trouble.reason) <= 128
    assert trouble.message.isprintable()


@pytest.mark.parametrize("number", [0, -1, 65536, 10**30, True, "80"])
def test_what_is_no_port_is_none(number):
    template = {"spec": {"containers": [{"ports": [{"name": "http", "containerPort": number}, {"containerPort": 8000}]}]}}
    assert http_port(template) == 8000


def test_a_port_of_a_service_is_found_without_looking_through_all():
    raw = {"metadata": {"name": "x"}, "spec": {"ports": [{"port": number} for number in range(1, 30_000)]}}
    assert isinstance(parse_gateway_service(raw, "Service").ports, frozenset)


def test_an_address_of_a_gateway_is_printable_and_bounded():
    raw = {"metadata": {"name": "x"}, "status": {"addresses": [{"value": "\x1b]0;" + "a" * 9999}]}}
    (address,) = parse_gateway(raw, "Gateway").addresses
    assert address.isprintable()
    assert len(address) <= 253
