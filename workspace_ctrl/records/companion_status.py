"""Our status of a Workspace or InferenceSet where it is KAITO's: one condition in its list, and the rest in an annotation.

The condition is `GatewayReady`. KAITO replaces the whole list with every write, sometimes by what it has read earlier. Then our condition
is an older one, or missing. Both are a difference to the status that we want, like any other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any, Final

import orjson

from workspace_ctrl.api.conditions import Condition, ConditionType, find
from workspace_ctrl.api.labels import STATUS_ANNOTATION
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.records.meta import Json, Meta, status_of
from workspace_ctrl.records.workspaces import WorkspaceRecord, pack_status, parse_workspace_record

OURS: Final = ConditionType.GATEWAY_READY
"""The condition in KAITO's list that is ours."""
_OF_MANAGED_MODE: Final = frozenset(ConditionType) - {
    OURS,
    ConditionType.RESOURCE_READY,
    ConditionType.NODES_READY,
    ConditionType.INFERENCE_READY,
    ConditionType.WORKSPACE_SUCCEEDED,
}
"""Conditions of managed mode that KAITO does not have: nobody else would ever correct them."""
_LONGEST: Final = 64 << 10
"""Longest annotation that is read, in characters; others can edit it."""
_MOST_CONDITIONS: Final = 256
_LONGEST_TYPE: Final = 316

Operation = dict[str, Any]
"""One operation of a JSON patch."""


@dataclass(frozen=True, slots=True)
class CompanionStatus:
    """A status, divided by where it is kept."""

    condition: Condition | None = None
    """The one in KAITO's list; None if nothing is reported."""
    annotation: str = ""
    """All other parts as JSON; empty if nothing is reported."""


def divided(status: WorkspaceStatus) -> CompanionStatus:
    """Return `status`, divided by where it is kept; a Workspace without a gateway side gets neither condition nor annotation."""
    condition = find(status.conditions, OURS)
    if condition is None:
        return CompanionStatus()
    return CompanionStatus(condition, orjson.dumps(rest_of(status).as_object()).decode())


def rest_of(status: WorkspaceStatus) -> WorkspaceStatus:
    """Return what is in the annotation of `status`; of one that was read, also where the condition is missing in KAITO's list."""
    return replace(status, conditions=tuple(entry for entry in status.conditions if entry.type != OURS))


def reported(status: WorkspaceStatus) -> WorkspaceStatus:
    """Return what is reported of `status`: nothing without a gateway side, because the model server is KAITO's to report."""
    return status if find(status.conditions, OURS) is not None else type(status)()


def parse_companion_record(raw: Json, kind: str) -> WorkspaceRecord:
    """Return the record of a Workspace whose status is KAITO's: with the status that we have written, and not with KAITO's."""
    record = parse_workspace_record(raw, kind)
    types = condition_types(raw)
    return replace(record, stored_status=pack_status(joined(raw, kind), kind), condition_types=types)


def condition_types(raw: Json) -> tuple[str, ...]:
    """Return the types of all conditions in the status of an object, in their order."""
    conditions = status_of(raw).get("conditions")
    return tuple(map(_type, conditions[:_MOST_CONDITIONS])) if isinstance(conditions, list) else ()


def joined(raw: Json, kind: str) -> Json:
    """Return our status of the Workspace or InferenceSet `raw`, as JSON in the form of a status; empty if we have written none."""
    conditions = status_of(raw).get("conditions")
    ours = [entry for entry in conditions if _type(entry) == OURS] if isinstance(conditions, list) else []
    ours = ours if len(ours) == 1 else []  # two of them are as wrong as none
    noted = _noted(raw, kind)
    others = noted.get("conditions")
    kept = [entry for entry in others if _type(entry) != OURS] if isinstance(others, list) else []
    return {**noted, "conditions": [*kept, *ours]} if noted or ours else {}


def with_our_status(raw: Json) -> Json:
    """Return the Workspace or InferenceSet `raw` with our status in place of KAITO's, if a controller in companion mode has written one."""
    kind = str(raw.get("kind"))
    conditions = parse_status(raw.get("status")).conditions
    is_managed = find(conditions, ConditionType.READY) is not None
    return raw if is_managed or not _noted(raw, kind) else {**raw, "status": joined(raw, kind)}


def _noted(raw: Json, kind: str) -> Json:
    metadata: Json = raw.get("metadata") or {}
    text = (metadata.get("annotations") or {}).get(STATUS_ANNOTATION, "")
    if not text or len(text) > _LONGEST:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return parse_status(found, kind).as_object() if isinstance(found, Mapping) else {}


def condition_patch(meta: Meta, types: Sequence[str], before: Condition | None, wanted: Condition | None) -> list[Operation]:
    """Return the JSON patch that makes `wanted` the one condition of ours in a list with conditions of these `types`.

    `before` is the one that the list has. The patch changes no entry of others. Its tests make the API server reject it where the list is
    another one now, whose event will follow. It is empty if there is nothing to change; the list must exist if there is `wanted`.
    """
    kept = types.index(OURS) if wanted is not None and OURS in types else None
    removed = [index for index, type_ in enumerate(types) if type_ in _OF_MANAGED_MODE or (type_ == OURS and index != kept)]
    changes = [{"op": "remove", "path": f"/status/conditions/{index}"} for index in reversed(removed)]
    touched: Iterable[int] = removed
    if wanted is not None and kept is None:
        changes.append(_put("add", "-", wanted))
        touched = range(len(types))
    elif wanted is not None and wanted != before:
        changes.insert(0, _put("replace", str(kept), wanted))
        touched = (*removed, kept or 0)
    return [_test("/metadata/uid", meta.uid), *_tests(types, touched), *changes] if changes else []


def added_condition_patch(live: Json, meta: Meta, wanted: Condition) -> list[Operation]:
    """Return the JSON patch that adds `wanted` to the object `live`, which was just read; empty if it has our condition meanwhile.

    A test can say what the list has, but not that it has nothing more: KAITO could put back an older condition of ours, and there would be
    two. So the object must still have the version that was read.
    """
    types = condition_types(live)
    if OURS in types:
        return []
    version = _test("/metadata/resourceVersion", live["metadata"]["resourceVersion"])
    if types:
        return [version, *condition_patch(meta, types, None, wanted)]
    conditions = [wanted.as_object()]
    if not status_of(live):
        return [version, {"op": "add", "path": "/status", "value": {"conditions": conditions}}]
    return [version, {"op": "add", "path": "/status/conditions", "value": conditions}]


def _tests(types: Sequence[str], indexes: Iterable[int]) -> Iterator[Operation]:
    for index in indexes:
        yield _test(f"/status/conditions/{index}/type", types[index])


def _test(path: str, value: str) -> Operation:
    return {"op": "test", "path": path, "value": value}


def _put(operation: str, place: str, wanted: Condition) -> Operation:
    return {"op": operation, "path": f"/status/conditions/{place}", "value": wanted.as_object()}


def _type(entry: object) -> str:
    type_ = entry.get("type") if isinstance(entry, Mapping) else None
    return intern(type_) if isinstance(type_, str) and len(type_) <= _LONGEST_TYPE else ""
