"""No status that is built can be rejected: whatever is missing, its JSON is one that the CRD's schema allows."""

from datetime import datetime
from typing import Any

from hypothesis import example, given

from tests.unit.factories import NOW, decisions, status, workspace
from tests.unit.readiness.any_status import any_status
from workspace_ctrl.api.crd import crd
from workspace_ctrl.api.status import GatewayStatus, WorkspaceStatus, parse_status
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.snapshot import Snapshot

SCHEMA = crd()["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]["properties"]["status"]
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
NOTHING_KNOWN = status(
    workspace(), Snapshot(), decisions(Problem(LinkName.GATEWAY, "x", "y"), parents=(), path="", model_names=()), NOW
)


def faults(schema: dict[str, Any], value: Any, path: str = "status") -> list[str]:
    """Why the API server would reject `value`: what its schema does not allow, and what an apply would turn into null."""
    if not isinstance(value, TYPES[schema["type"]]) or isinstance(value, bool) != (schema["type"] == "boolean"):
        return [f"{path}: {value!r} is no {schema['type']}"]
    if isinstance(value, dict):
        found = [f"{path}: empty, so an apply makes it null"] if not value else []
        found += [f"{path}.{name}: required" for name in schema.get("required", ()) if name not in value]
        found += [f"{path}.{name}: unknown" for name in value if name not in schema["properties"]]
        known = [(name, child) for name, child in value.items() if name in schema["properties"]]
        return [*found, *(fault for name, child in known for fault in faults(schema["properties"][name], child, f"{path}.{name}"))]
    if isinstance(value, list):
        return [fault for child in value for fault in faults(schema["items"], child, f"{path}[]")]
    return [*_text_faults(schema, value, path)] if isinstance(value, str) else _number_faults(schema, value, path)


def _text_faults(schema: dict[str, Any], value: str, path: str) -> list[str]:
    found = [f"{path}: too long"] if len(value) > schema.get("maxLength", len(value)) else []
    if value not in schema.get("enum", [value]):
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if schema.get("format") == "date-time":
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - only the format matters
    value.encode()
    return found


def _number_faults(schema: dict[str, Any], value: int, path: str) -> list[str]:
    is_good = schema.get("minimum", value) <= value < 2**63
    return [] if is_good else [f"{path}: {value} is out of range"]


@given(any_status())
@example(NOTHING_KNOWN)
def test_the_schema_allows_every_status(found):
    assert faults(SCHEMA, found.as_object()) == []


@given(any_status())
@example(NOTHING_KNOWN)
def test_a_status_is_read_as_it_was_written(found):
    assert parse_status(found.as_object()) == found


def test_the_check_finds_an_empty_part():
    assert faults(SCHEMA, {"gateway": {}}) == ["status.gateway: empty, so an apply makes it null"]
    assert faults(SCHEMA, {"gateway": {"url": None}}) == ["status.gateway.url: None is no string"]
    assert WorkspaceStatus(gateway=GatewayStatus()).as_object() == {}
