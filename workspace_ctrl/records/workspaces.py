"""The record of a Workspace or InferenceSet in the cache."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import Any, Final

import orjson

from workspace_ctrl.api.labels import (
    ADOPT_ANNOTATION,
    API_VERSION,
    FINALIZER,
    GATEWAY_ANNOTATION,
    KAITO_PREFIXES,
    KAITO_SCALING,
    KEDA_PAUSES,
    KEY_PREFIXES,
    KIND,
    LOCAL_WEIGHTS_ANNOTATION,
    OF_SET_ALONE,
    SET_KIND,
    USER_ANNOTATIONS,
)
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.api.value_limits import MOST_LEVELS
from workspace_ctrl.records.meta import Json, Meta, parse_meta, status_of
from workspace_ctrl.records.unreadable_objects import too_deep

MAX_SPEC_BYTES: Final = 256 << 10
"""Largest spec of a Workspace, in bytes of JSON; normal ones have some kilobytes, and all are kept in memory."""
_LONGEST_PLAIN: Final = 16 << 10
"""Largest spec that is kept uncompressed, in bytes of JSON."""
_BEGIN: Final = b"{"
"""First byte of a spec that is kept uncompressed."""
_LONGEST_STATUS: Final = 64 << 10
_LONGEST_REASON: Final = 200
_LONGEST_ANNOTATION: Final = 1024
"""Kept of an annotation that has an effect, in characters; valid values are a word each. One more is kept of a list of kinds, so that a
longer one is not taken for what its beginning says."""
LONGEST_OPTIONS: Final = 64 << 10
"""Longest `gateway` annotation, in characters. One more is kept, so that a longer one is rejected."""
_LONGEST_WORD: Final = 64
"""Kept of the value of another one, and of a label, which are only reported."""
_MOST_REPORTED: Final = 32
"""Annotations, and labels, that are kept only to be reported."""
SPEC_FIELDS: Final = ("resource", "inference", "tuning", "gateway")
"""The top-level fields that make up the spec of a Workspace."""
_SET_FIELDS: Final = ("spec",)
_GROUP_NAME: Final = ("gateway", "group", "name")
_NONE: Mapping[str, str] = MappingProxyType({})
_EFFECTIVE: Final = frozenset({*USER_ANNOTATIONS, GATEWAY_ANNOTATION, LOCAL_WEIGHTS_ANNOTATION, *KEDA_PAUSES, *KAITO_SCALING})
"""Annotations that have an effect."""
_PREFIXES: Final = (*KEY_PREFIXES, *KAITO_PREFIXES)


def spec_fields(kind: str) -> tuple[str, ...]:
    """Return the top-level fields that make up the spec of an object of that kind."""
    return _SET_FIELDS if kind == SET_KIND else SPEC_FIELDS


@dataclass(frozen=True, slots=True)
class WorkspaceRecord:
    """A Workspace or an InferenceSet, which is planned as the Workspace of one copy: identity, spec and current status.

    Spec and status are kept as JSON text, compressed unless the spec is short: a tenth of the size of the parsed models. They are parsed
    when a pass needs them, so an invalid spec is reported by that pass and does not disturb the cache.
    """

    meta: Meta
    """Its `unreadable` is also set for a spec that is too large or too deep; such a spec is not kept."""
    spec: bytes
    """The top-level fields as they are kept; `fields` returns them parsed."""
    stored_status: bytes = b""
    has_finalizer: bool = False
    created: str = ""
    """Creation time, as text that sorts by time."""
    annotations: Mapping[str, str] = field(default_factory=lambda: _NONE)
    """The annotations that affect the result, and some of the others with our prefix or KAITO's, which are reported."""
    labels: Mapping[str, str] = field(default_factory=lambda: _NONE)
    """Some of the labels with such a prefix, which are reported."""
    group: str = ""
    """Name of the group in `gateway.group`, whether the spec is valid or not; empty without one."""
    condition_types: tuple[str, ...] = ()
    """Types of all conditions in the status, in their order; only in companion mode, where most of them are KAITO's."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.meta.ref.namespace, self.meta.ref.name

    @property
    def status(self) -> WorkspaceStatus:
        """The current status, without conditions of others."""
        return _status(self.stored_status, self.meta.ref.kind)

    def fields(self) -> Mapping[str, Any]:
        """Return the top-level fields of the spec."""
        fields: Mapping[str, Any] = orjson.loads(self._spec_text)
        return fields

    @property
    def spec_size(self) -> int:
        """Size of the spec, in bytes of JSON."""
        return len(self._spec_text)

    @property
    def _spec_text(self) -> bytes:
        return self.spec if self.spec.startswith(_BEGIN) else zlib.decompress(self.spec)


def parse_workspace_record(raw: Json, kind: str) -> WorkspaceRecord:
    """Return the record of a Workspace or InferenceSet."""
    metadata: Json = raw.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    meta = replace(parse_meta(raw, kind), api_version=intern(raw.get("apiVersion") or API_VERSION))
    fields = {name: raw[name] for name in spec_fields(kind) if name in raw}
    if kind == SET_KIND:
        annotations = _of_template(fields) | annotations
    effective = {name: value[: _longest(name)] for name, value in annotations.items() if name in _EFFECTIVE}
    spec, unreadable = _packed(fields)
    return WorkspaceRecord(
        meta=replace(meta, unreadable=unreadable) if unreadable else meta,
        spec=spec,
        stored_status=pack_status(status_of(raw), kind),
        has_finalizer=FINALIZER in (metadata.get("finalizers") or ()),
        created=metadata.get("creationTimestamp") or "",
        annotations=effective | _reported(annotations, effective) or _NONE,
        labels=_reported(metadata.get("labels") or {}) or _NONE,
        group=_group(fields, kind),
    )


def _group(fields: Json, kind: str) -> str:
    """Return the name in `gateway.group` of a spec; empty if there is none, or if it cannot be a name."""
    found: object = fields
    for name in (*_SET_FIELDS, *_GROUP_NAME) if kind == SET_KIND else _GROUP_NAME:
        found = found.get(name) if isinstance(found, Mapping) else None
    return intern(found) if isinstance(found, str) and len(found) <= _LONGEST_WORD else ""


def _of_template(fields: Json) -> dict[str, str]:
    """Return the annotations in the template of an InferenceSet; without those of a template that is not valid."""
    found: object = fields
    for name in ("spec", "template", "metadata", "annotations"):
        found = found.get(name) if isinstance(found, Mapping) else None
    given = found.items() if isinstance(found, Mapping) else ()
    return {name: value for name, value in given if is_kept(name) and name not in OF_SET_ALONE and isinstance(value, str)}


def _longest(annotation: str) -> int:
    if annotation == GATEWAY_ANNOTATION:
        return LONGEST_OPTIONS + 1
    return _LONGEST_ANNOTATION + 1 if annotation == ADOPT_ANNOTATION else _LONGEST_ANNOTATION


def is_kept(key: str) -> bool:
    """Whether an annotation or a label may be kept: it has our prefix, or one of KAITO's."""
    return key.startswith(_PREFIXES)


def _reported(given: Mapping[str, str], besides: Mapping[str, str] = _NONE) -> dict[str, str]:
    """Return the annotations or labels that are kept `besides` others, as many as messages can name."""
    keys = sorted(key for key in given if is_kept(key) and key not in besides)
    return {key: given[key][:_LONGEST_WORD] for key in keys[:_MOST_REPORTED]}


def _packed(fields: Json) -> tuple[bytes, str]:
    """Return the stored form of a spec, and why it cannot be read; empty if it can."""
    spec, wrong = b"", ""
    try:
        spec = orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        wrong = str(error)
    path = too_deep(fields) if wrong or spec.count(b"{") + spec.count(b"[") > MOST_LEVELS else None
    if path is not None:
        wrong = f"{path} is nested deeper than {MOST_LEVELS} levels"
    elif wrong:
        spec, wrong = _as_stored(fields)
    if len(spec) > MAX_SPEC_BYTES:
        wrong = f"it is larger than {MAX_SPEC_BYTES >> 10} KiB"
    elif len(spec) > _LONGEST_PLAIN:
        spec = zlib.compress(spec, level=1)
    return (b"{}", wrong) if wrong else (spec, "")


def _as_stored(fields: Json) -> tuple[bytes, str]:
    """Return a spec, read from a file, with numbers as the API server would store them, and why it cannot be stored; empty if it can."""
    try:
        return orjson.dumps(orjson.loads(json.dumps(fields))), ""
    except ValueError as error:
        return b"", printable(f"not JSON: {error}", _LONGEST_REASON)


def pack_status(status: Json, kind: str = KIND) -> bytes:
    """Return a status, given as JSON, in its stored form; if others made it too large or too deep to write, only our own fields."""
    try:
        text = orjson.dumps(status)
    except orjson.JSONEncodeError:
        text = b""
    if not text or len(text) > _LONGEST_STATUS:
        text = orjson.dumps(parse_status(status, kind).as_object())
    return zlib.compress(text, level=1)


@lru_cache(maxsize=1024)
def _status(stored: bytes, kind: str) -> WorkspaceStatus:
    """Return the status in `stored`; cached, because a pass needs it several times."""
    return parse_status(orjson.loads(zlib.decompress(stored)) if stored else {}, kind)
