"""The Workspace as it lies in the cache."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workspace_ctrl.api.labels import BYPASS_ANNOTATION, FINALIZER, LOAD_BALANCER_ANNOTATION, RUNTIME_ANNOTATION
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.records.meta import Json, Meta, parse_meta, status_of

_SPEC_FIELDS = ("resource", "inference", "tuning", "gateway")
_ANNOTATIONS = (RUNTIME_ANNOTATION, LOAD_BALANCER_ANNOTATION, BYPASS_ANNOTATION)


@dataclass(frozen=True, slots=True)
class WorkspaceRecord:
    """A Workspace: identity, what it asks for, and the status that stands in it.

    The spec is kept as JSON text, a tenth of the size of the parsed models, and parsed in each pass; so a spec that cannot be parsed is a
    matter of the pass that reports it, not of the cache.
    """

    meta: Meta
    spec: bytes
    status: WorkspaceStatus = field(default_factory=WorkspaceStatus)
    has_finalizer: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Those annotations that change what is served."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.meta.ref.namespace, self.meta.ref.name

    def fields(self) -> Mapping[str, Any]:
        """Return the top-level fields that make up the spec."""
        fields: Mapping[str, Any] = json.loads(self.spec)
        return fields


def parse_workspace_record(raw: Json, kind: str) -> WorkspaceRecord:
    """Return the record of a Workspace."""
    annotations = (raw.get("metadata") or {}).get("annotations") or {}
    return WorkspaceRecord(
        meta=parse_meta(raw, kind),
        spec=json.dumps({name: raw[name] for name in _SPEC_FIELDS if name in raw}, separators=(",", ":")).encode(),
        status=parse_status(status_of(raw)),
        has_finalizer=FINALIZER in (raw.get("metadata", {}).get("finalizers") or ()),
        annotations={name: annotations[name] for name in _ANNOTATIONS if name in annotations},
    )
