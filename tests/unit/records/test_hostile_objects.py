"""Objects that anybody may make with our labels and in our name: read in bounded time and memory, and without an exception."""

import gc
import json
import secrets
import tracemalloc
from contextlib import contextmanager
from functools import reduce

import orjson
import pytest

from workspace_ctrl.records import chart_inventory as parts
from workspace_ctrl.records import managed_fields as ownership
from workspace_ctrl.records.chart_inventory import content_checksum
from workspace_ctrl.records.core_v1 import parse_config_map
from workspace_ctrl.records.gateways import parse_gateway, parse_gateway_service, parse_http_route
from workspace_ctrl.records.managed_fields import NO_FIELDS, owned_fields, unpacked
from workspace_ctrl.records.pods import parse_pod
from workspace_ctrl.records.unreadable_objects import isolated
from workspace_ctrl.records.workloads import parse_referenced_workload, parse_service, parse_workload, serving_port
from workspace_ctrl.records.workspaces import MAX_SPEC_BYTES, parse_workspace_record


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
    assert unpacked(owned_fields(managed("workspace-ctrl", LARGE)))["f:spec"] == LARGE["f:spec"]
    assert content_checksum(managed("helm-controller", LARGE)) == content_checksum(
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
    problem = parse_pod({"metadata": {"name": "x"}, "status": {"containerStatuses": [{"name": "c", **container}]}}, "Pod").problem
    assert problem is not None
    assert len(problem.message) <= 1024
    assert len(problem.reason) <= 128
    assert problem.message.isprintable()


@pytest.mark.parametrize("number", [0, -1, 65536, 10**30, True, "80"])
def test_what_is_no_port_is_none(number):
    template = {"spec": {"containers": [{"ports": [{"name": "http", "containerPort": number}, {"containerPort": 8000}]}]}}
    assert serving_port(template).number == 8000


def test_a_model_server_does_not_listen_on_udp():
    ports = [
        {"containerPort": 53, "protocol": "UDP"},
        {"name": "http", "containerPort": 54, "protocol": ["TCP"]},
        {"containerPort": 8000},
    ]
    assert serving_port({"spec": {"containers": [{"ports": ports}]}}).number == 8000


def test_a_port_of_a_service_is_found_without_looking_through_all():
    raw = {"metadata": {"name": "x"}, "spec": {"ports": [{"port": number} for number in range(1, 30_000)]}}
    assert isinstance(parse_gateway_service(raw, "Service").ports, frozenset)


def test_an_address_of_a_gateway_is_printable_and_bounded():
    raw = {"metadata": {"name": "x"}, "status": {"addresses": [{"value": "\x1b]0;" + "a" * 9999}]}}
    (address,) = parse_gateway(raw, "Gateway").addresses
    assert address.isprintable()
    assert len(address) <= 253


def test_an_address_of_a_pod_is_bounded():
    ready = [{"type": "Ready", "status": "True"}]
    pod = parse_pod({"metadata": {"name": "x"}, "status": {"podIP": "1" * 9999, "conditions": ready}}, "Pod")
    assert pod.address == "1" * 64


WORD = "workspace-ctrl/applied-hash"
MEGABYTE = 1_000_000


@contextmanager
def memory(most):
    """Keep what is allocated inside, and at its end, to `most` bytes; garbage in cycles is there until it happens to be collected."""
    tracemalloc.start()
    try:
        yield
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < most
    finally:
        tracemalloc.stop()


def words(count, size):
    """Texts that do not repeat, of `size` hexadecimal digits each."""
    digits = secrets.token_hex(count * size // 2)
    return [digits[at : at + size] for at in range(0, count * size, size)]


def random_tree(fields):
    return {"f:data": {f"f:{word}": {} for word in words(fields, 8)}}


def route_matches(count):
    headers = [{"name": secrets.token_hex(8), "value": secrets.token_hex(300)} for _ in range(count)]
    return [{"matches": [{"headers": [header]} for header in headers]}]


HEAVY = {
    "a tree": (
        parse_config_map,
        lambda: {"metadata": {"name": "x", "annotations": {WORD: "h"}, **managed("workspace-ctrl", random_tree(50_000))}},
    ),
    "a tree that packs well": (
        parse_config_map,
        lambda: {"metadata": {"name": "x", "annotations": {WORD: "h"}, **managed("workspace-ctrl", LARGE)}},
    ),
    "a hash": (parse_service, lambda: {"metadata": {"name": "x", "annotations": {WORD: secrets.token_hex(MEGABYTE)}}}),
    "an owner": (
        parse_service,
        lambda: {"metadata": {"name": "x", "ownerReferences": [{"controller": True, "uid": secrets.token_hex(MEGABYTE)}]}},
    ),
    "labels": (
        parse_pod,
        lambda: {"metadata": {"name": "x", "labels": dict(zip(words(10_000, 60), words(10_000, 60), strict=True))}},
    ),
    "a selector": (
        parse_referenced_workload,
        lambda: {
            "metadata": {"name": "x"},
            "spec": {"selector": {"matchLabels": dict(zip(words(10_000, 60), words(10_000, 60), strict=True))}},
        },
    ),
    "the model's size": (
        parse_workload,
        lambda: {"metadata": {"name": "x", "annotations": {"workspace-ctrl/node-gpus": secrets.token_hex(MEGABYTE)}}},
    ),
    "headers of a route": (parse_http_route, lambda: {"metadata": {"name": "x"}, "spec": {"rules": route_matches(2000)}}),
    "an annotation": (
        parse_workspace_record,
        lambda: {"metadata": {"name": "x", "annotations": {"workspace-ctrl/adopt": secrets.token_hex(MEGABYTE)}}},
    ),
}


@pytest.mark.parametrize("what", HEAVY)
def test_of_a_large_object_little_is_kept(what):
    """500 objects of the largest size that the API server stores must fit into the pod's memory."""
    parse, make = HEAVY[what]
    isolated(parse)(make(), "It")  # what the code itself keeps for good is not the object's
    sent = json.dumps(make())  # not orjson: that keeps keys for later texts
    with memory(128 << 10):
        record = isolated(parse)(json.loads(sent), "It")
        assert record.meta.ref.name == "x"


def test_a_tree_of_a_large_pod_template_is_kept():
    containers = {f'k:{{"name":"A{number}"}}': {".": {}, "f:name": {}, "f:value": {}} for number in range(5_000)}
    assert unpacked(owned_fields(managed("workspace-ctrl", {"f:env": containers})))["f:env"] == containers


def test_what_is_no_owner_of_ours_owns_nothing():
    raw = {"metadata": {"name": "x", "ownerReferences": [{"controller": True, "uid": "u" * 1000}]}}
    assert parse_service(raw, "Service").meta.controller_uid == ""


@pytest.mark.parametrize("references", [[["u"]], [None, "u", 1], [[[[{}]]]]])
def test_owners_of_another_shape_are_none(references):
    raw = {"metadata": {"name": "x", "ownerReferences": references}}
    read = isolated(parse_gateway)(raw, "Gateway")
    assert (read.meta.ref.name, read.meta.controller_uid) == ("x", "")
    assert read.meta.unreadable.startswith("AttributeError: ")


def template(args):
    return {"metadata": {"name": "x"}, "inference": {"template": {"spec": {"containers": [{"name": "c", "args": args}]}}}}


@pytest.mark.parametrize("flags", [1000, 4000])
def test_a_long_spec_is_kept_compressed(flags):
    raw = template([f"--flag-{number}=value" for number in range(flags)])
    record = parse_workspace_record(raw, "Workspace")
    assert record.fields() == {"inference": raw["inference"]}
    assert record.spec_size > 16 << 10
    assert len(record.spec) < record.spec_size / 2


def test_a_long_spec_is_never_rejected_because_it_compresses_badly():
    """Whether a spec is valid must not depend on how it is kept."""
    raw = template([secrets.token_hex(100_000)])
    record = parse_workspace_record(raw, "Workspace")
    assert not record.meta.unreadable
    assert record.fields() == {"inference": raw["inference"]}


@pytest.mark.parametrize("length", [10, 20_000, 200_000])
def test_the_size_of_a_spec_is_that_of_its_json(length):
    raw = template(["x" * length])
    record = parse_workspace_record(raw, "Workspace")
    assert record.spec_size == len(orjson.dumps({"inference": raw["inference"]}))


def test_a_spec_is_kept_up_to_the_documented_size():
    overhead = parse_workspace_record(template([""]), "Workspace").spec_size
    largest = parse_workspace_record(template(["x" * (MAX_SPEC_BYTES - overhead)]), "Workspace")
    assert (largest.spec_size, largest.meta.unreadable) == (MAX_SPEC_BYTES, "")
    larger = parse_workspace_record(template(["x" * (MAX_SPEC_BYTES - overhead + 1)]), "Workspace")
    assert "larger than 256 KiB" in larger.meta.unreadable
    assert larger.fields() == {}
