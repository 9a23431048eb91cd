"""The CRD that the models make."""

from typing import Any

import pytest

from workspace_ctrl.api.crd import KINDS, SERVED_VERSIONS, crd


def _nodes(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, child in schema.get("properties", {}).items():
        found += _nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found += _nodes(schema[key], f"{path}[]")
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", range(len(SERVED_VERSIONS)))
def test_the_schema_is_structural(version, kind):
    for path, node in _nodes(crd(kind)["spec"]["versions"][version]["schema"]["openAPIV3Schema"]):
        assert "type" in node or node["x-kubernetes-int-or-string"], path
        assert not {"$ref", "anyOf", "allOf", "$defs", "title"} & node.keys(), path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind):
    root = crd(kind)["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
    bare = [
        path
        for path, node in _nodes(root)
        if path not in {"", ".metadata"} and not path.endswith("[]") and "description" not in node
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        ("Workspace", None),
        (
            "InferenceSet",
            {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        ),
    ],
)
def test_what_has_replicas_is_scaled_like_a_deployment(kind, scale):
    for version in crd(kind)["spec"]["versions"]:
        assert version["subresources"].get("scale") == scale


@pytest.mark.parametrize("kind", KINDS)
def test_one_version_is_stored(kind):
    assert [entry["name"] for entry in crd(kind)["spec"]["versions"] if entry["storage"]] == ["v1beta1"]


@pytest.mark.parametrize("kind", KINDS)
def test_lists_whose_entries_are_unique_say_so(kind):
    """So that the API server rejects an entry that is there twice, and merges conditions of several writers."""
    for version in crd(kind)["spec"]["versions"]:
        nodes = _nodes(version["schema"]["openAPIV3Schema"])
        lists = {path.removeprefix(".spec"): node.get("x-kubernetes-list-type") for path, node in nodes}
        assert {path: kept for path, kept in lists.items() if kept} == {
            ".gateway.aliases": "set",
            ".gateway.group.canary.steps": "set",
            ".status.conditions": "map",
        }


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_without_a_status_is_in_progress_for_kstatus(kind):
    """Flux and Helm would take it for ready; so do Flux's own CRDs."""
    versions = [entry["schema"]["openAPIV3Schema"]["properties"]["status"] for entry in crd(kind)["spec"]["versions"]]
    assert [schema["default"] for schema in versions] == [{"observedGeneration": -1}] * len(SERVED_VERSIONS)
    for schema in versions:
        assert schema["properties"]["observedGeneration"].get("minimum", -1) <= -1  # or the API server rejects the CRD
        assert [path for path, node in _nodes(schema, "status") if "default" in node] == ["status"]
