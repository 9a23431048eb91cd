"""The record of a Workspace in the cache."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson

from workspace_ctrl.api.labels import ADOPT_ANNOTATION, BYPASS_ANNOTATION, FINALIZER, LOAD_BALANCER_ANNOTATION, RUNTIME_ANNOTATION
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.records.meta import Json, Meta, parse_meta, status_of

_SPEC_FIELDS = ("resource", "inference", "tuning", "gateway")
_NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})
_ANNOTATIONS = (RUNTIME_ANNOTATION, LOAD_BALANCER_ANNOTATION, BYPASS_ANNOTATION, ADOPT_ANNOTATION)


@dataclass(frozen=True, slots=True)
class WorkspaceRecord:
    """A Workspace: identity, spec and current status.

    Spec and status are kept as JSON text, the latter compressed: a tenth of the size of the parsed models. They are parsed when a pass
    needs them, so an invalid spec is reported by that pass and does not disturb the cache.
    """

    meta: Meta
    spec: bytes
    stored_status: bytes = b""
    has_finalizer: bool = False
    created: str = ""
    """Creation time, as text that sorts by time."""
    annotations: Mapping[str, str] = field(default_factory=lambda: _NO_ANNOTATIONS)
    """The annotations that affect the result."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.meta.ref.namespace, self.meta.ref.name

    @property
    def status(self) -> WorkspaceStatus:
        """The current status, without conditions of others."""
        return _status(self.stored_status)

    def fields(self) -> Mapping[str, Any]:
        """Return the top-level fields of the spec."""
        fields: Mapping[str, Any] = json.loads(self.spec)
        return fields


def parse_workspace_record(raw: Json, kind: str) -> WorkspaceRecord:
    """Return the record of a Workspace."""
    metadata: Json = raw.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    return WorkspaceRecord(
        meta=parse_meta(raw, kind),
        spec=json.dumps({name: raw[name] for name in _SPEC_FIELDS if name in raw}, separators=(",", ":")).encode(),
        stored_status=pack_status(status_of(raw)),
        has_finalizer=FINALIZER in (metadata.get("finalizers") or ()),
        created=metadata.get("creationTimestamp") or "",
        annotations={name: annotations[name] for name in _ANNOTATIONS if name in annotations} or _NO_ANNOTATIONS,
    )


def pack_status(status: Json) -> bytes:
    """Return a status, given as JSON, in its stored form."""
    return zlib.compress(orjson.dumps(status), level=1)


@lru_cache(maxsize=1024)
def _status(stored: bytes) -> WorkspaceStatus:
    """Return the status in `stored`; cached, because a pass needs it several times."""
    return parse_status(orjson.loads(zlib.decompress(stored)) if stored else {})
