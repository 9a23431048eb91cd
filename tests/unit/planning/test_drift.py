"""Whether an object still is what we applied, judged by the API server's record of who owns which field."""

import copy
from typing import Any

import pytest

from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.records.managed_fields import owned_by_others, owned_fields, packed, unpacked

MANIFEST: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "x", "namespace": "y", "labels": {"a": "b"}, "annotations": {"c": "d"}, "ownerReferences": [{"uid": "1"}]},
    "spec": {
        "replicas": None,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "one",
                        "image": "i",
                        "args": ["x"],
                        "ports": [{"containerPort": 80}],
                        "env": [{"name": "A", "value": "1"}],
                    },
                    {"name": "two", "image": "i"},
                ],
                "volumes": [{"name": "v", "emptyDir": {}}],
            }
        },
    },
}
OWNED: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:a": {}}, "f:annotations": {"f:c": {}}},
    "f:spec": {
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"one"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:args": {},
                        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                    },
                    'k:{"name":"two"}': {".": {}, "f:name": {}, "f:image": {}},
                },
                "f:volumes": {'k:{"name":"v"}': {".": {}, "f:name": {}, "f:emptyDir": {}}},
            }
        }
    },
}


def without(*path: str) -> dict[str, Any]:
    fields = copy.deepcopy(OWNED)
    at = fields
    for part in path[:-1]:
        at = at[part]
    del at[path[-1]]
    return fields


def test_what_we_applied_is_ours():
    assert is_ours(MANIFEST, packed(OWNED))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(("f:metadata", "f:labels"), id="a label"),
        pytest.param(("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"one"}', "f:image"), id="a field of an item"),
        pytest.param(("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"one"}', "f:args"), id="a list as a whole"),
        pytest.param(("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"two"}'), id="an item"),
        pytest.param(
            ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"one"}', "f:env", 'k:{"name":"A"}', "f:value"),
            id="a field of an item of an item",
        ),
        pytest.param(("f:spec", "f:template", "f:spec", "f:volumes", 'k:{"name":"v"}', "f:emptyDir"), id="an empty object"),
    ],
)
def test_a_field_that_somebody_took_is_seen(path):
    assert not is_ours(MANIFEST, packed(without(*path)))


def test_what_others_add_is_theirs():
    fields = copy.deepcopy(OWNED)
    fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"injected"}'] = {".": {}, "f:name": {}}
    assert is_ours(MANIFEST, packed(fields))


def test_a_list_of_many_thousands_is_judged_item_by_item():
    names = [f"v{number}" for number in range(20_000)]
    manifest = {**MANIFEST, "spec": {"volumes": [{"name": name} for name in names]}}
    volumes = {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}} for name in names}
    assert is_ours(manifest, packed({**OWNED, "f:spec": {"f:volumes": volumes}}))
    del volumes['k:{"name":"v19999"}']
    assert not is_ours(manifest, packed({**OWNED, "f:spec": {"f:volumes": volumes}}))


def test_values_of_a_set_are_items():
    manifest = {**MANIFEST, "spec": {"finalizers": ["a", "b"]}}
    assert is_ours(manifest, packed({**OWNED, "f:spec": {"f:finalizers": {'v:"a"': {}, 'v:"b"': {}}}}))
    assert not is_ours(manifest, packed({**OWNED, "f:spec": {"f:finalizers": {'v:"a"': {}}}}))


def test_a_chart_value_that_somebody_took_is_seen_although_its_parent_is_still_ours():
    release = {
        "apiVersion": "v2",
        "kind": "HelmRelease",
        "metadata": {"name": "x"},
        "spec": {"values": {"provider": {"name": "istio"}}},
    }
    fields = {"f:metadata": {}, "f:spec": {"f:values": {"f:provider": {".": {}, "f:name": {}}}}}
    assert is_ours(release, packed(fields))
    assert not is_ours(release, packed({**fields, "f:spec": {"f:values": {"f:provider": {}}}}))


ENTRIES = [
    {"manager": "workspace-ctrl", "operation": "Apply", "fieldsV1": OWNED | {"f:metadata": {"f:ownerReferences": {"k:{}": {}}}}},
    {"manager": "workspace-ctrl", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}},
    {"manager": "hpa", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
]


def test_our_fields_are_those_of_our_apply_and_objects_of_one_shape_share_them():
    first, second = (owned_fields({"managedFields": copy.deepcopy(ENTRIES)}) for _ in range(2))
    assert unpacked(first) == {"f:metadata": {}, "f:spec": OWNED["f:spec"]}
    assert first is second


def test_an_autoscaler_s_replicas_are_seen():
    assert owned_by_others({"managedFields": ENTRIES}, "spec", "replicas")
    assert not owned_by_others({"managedFields": ENTRIES[:2]}, "spec", "replicas")
    assert not owned_by_others({}, "spec", "replicas")


@pytest.mark.parametrize(
    "keys", ["[" * 100_000, "no JSON", "7", '["name"]', '{"name": {"a": 1}}', '{"name": ' + "[" * 900 + "]" * 900 + "}"]
)
def test_keys_that_no_api_server_writes_are_nobody_s(keys):
    manifest = {"metadata": {}, "kind": "Pod", "spec": {"containers": [{"name": "one"}]}}
    owned = {"f:spec": {"f:containers": {f"k:{keys}": {"f:name": {}}}}}
    assert not is_ours(manifest, packed(owned))
