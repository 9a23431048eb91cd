"""Common parts of all records: identity, generation, owner."""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any, Final

from workspace_ctrl.api.conditions import Condition, find, parse_brief_conditions
from workspace_ctrl.api.labels import API_VERSION, HASH_ANNOTATION, OWNER_LABEL
from workspace_ctrl.records.managed_fields import NO_FIELDS, Fields, owned_fields

Json = Mapping[str, Any]

UNREADABLE: Final = "unreadable"
"""Entry of `metadata` with the reason why only the identity of an object could be parsed; the API server stores no such field."""
_LONGEST_WORD: Final = 128
"""Longest uid of an owner, and longest hash of ours, in characters; whoever writes the object may make both of any length."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Identifies one object; as text, "Kind namespace/name"."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the reference for messages."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Meta:
    """The part of `metadata` that decisions need."""

    ref: ObjectRef
    uid: str = ""
    generation: int = 0
    deleting: bool = False
    controller_uid: str = ""
    """uid of the controlling owner; empty if there is none."""
    workspace: str = ""
    """Value of our owner label."""
    applied_hash: str = ""
    """Hash of the fields that we last applied."""
    owned: Fields = NO_FIELDS
    """The fields that we own; empty for objects that we did not apply."""
    unreadable: str = ""
    """Why only the identity of the object could be parsed; empty if all of it was."""
    api_version: str = API_VERSION
    """Of a Workspace or InferenceSet, the `apiVersion` in which it was read, and in which it is written and referred to. Of all other
    kinds, it has no meaning."""

    @property
    def is_usable(self) -> bool:
        """Whether the object stays, and could be parsed."""
        return not self.deleting and not self.unreadable

    def is_controlled_by(self, uid: str) -> bool:
        """Whether the owner with that uid controls the object."""
        return bool(uid) and self.controller_uid == uid


def parse_meta(raw: Json, kind: str) -> Meta:
    """Return the metadata of the object `raw`; the kind is a parameter, because list entries do not contain it.

    A Workspace's objects share names and owner, so these strings are interned.

    Raises:
        TypeError: uid or generation has another type, as only an aggregated API server could let through.
    """
    metadata: Json = raw.get("metadata") or {}
    uid, generation = metadata.get("uid") or "", metadata.get("generation") or 0
    if not (isinstance(uid, str) and isinstance(generation, int)):
        raise TypeError("metadata.uid or metadata.generation has another type")
    owners = metadata.get("ownerReferences") or ()
    applied = bounded((metadata.get("annotations") or {}).get(HASH_ANNOTATION, ""))
    return Meta(
        ref=ObjectRef(kind, intern(metadata.get("namespace") or ""), intern(metadata.get("name") or "")),
        uid=uid,
        generation=generation,
        deleting=bool(metadata.get("deletionTimestamp")),
        controller_uid=intern(bounded(next((owner.get("uid", "") for owner in owners if owner.get("controller")), ""))),
        workspace=intern((metadata.get("labels") or {}).get(OWNER_LABEL, "")),
        applied_hash=applied,
        owned=owned_fields(metadata) if applied else NO_FIELDS,
        unreadable=metadata.get(UNREADABLE, ""),
    )


def bounded(word: str, longest: int = _LONGEST_WORD) -> str:
    """Return `word`, or an empty text if it is longer than `longest` characters, as none of ours is."""
    return word if len(word) <= longest else ""


@dataclass(frozen=True, slots=True)
class Conditioned:
    """A record with a status that has conditions."""

    meta: Meta
    conditions: tuple[Condition, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """Which object this is."""
        return self.meta.ref

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""
        return find(self.conditions, type_)

    def is_true(self, type_: str) -> bool:
        """Whether the condition of that type is True."""
        condition = self.condition(type_)
        return condition is not None and condition.is_true


def status_of(raw: Json) -> Json:
    """Return the status of `raw`; empty if there is none."""
    return mapping_of(raw.get("status"))


def spec_of(raw: Json) -> Json:
    """Return the spec of `raw`; empty if there is none."""
    return mapping_of(raw.get("spec"))


def mapping_of(value: object) -> Json:
    """Return a part of an object whose shape nobody has checked; empty if it is no mapping."""
    return value if isinstance(value, dict | Mapping) else {}


def list_of(value: object) -> list[Any]:
    """Return a part of an object whose shape nobody has checked; empty if it is no list."""
    return value if isinstance(value, list) else []


def mappings_of(value: object) -> list[Json]:
    """Return the mappings in a part of an object whose shape nobody has checked; none if it is no list."""
    return [entry for entry in list_of(value) if isinstance(entry, Mapping)]


def conditions_of(raw: Json) -> tuple[Condition, ...]:
    """Return the conditions in the status of `raw`."""
    return parse_brief_conditions(status_of(raw).get("conditions"))
