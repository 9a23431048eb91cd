"""What the list needs of a Workspace or InferenceSet: a small part of its status."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from urllib.parse import urlsplit

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.labels import SET_KIND
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.status import GatewayStatus
from workspace_ctrl.model.probe_results import LONGEST_NAME, MOST_NAMES, is_model_name
from workspace_ctrl.records.companion_status import parse_companion_record
from workspace_ctrl.records.meta import Json, Meta
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

_LONGEST_REASON = 128
_MOST_ADAPTERS = 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model or a group is reached: a host name or an address of a Gateway, and the path of the API without /v1."""

    host: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class GroupEndpoint:
    """The endpoint that a model shares with others."""

    name: str
    endpoint: Endpoint | None = None
    is_ready: bool = False
    """Whether any of the members that get its requests answers."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A Workspace or InferenceSet."""

    meta: Meta
    created: int = 0
    """Unix time."""
    names: tuple[str, ...] = ()
    """Names for the model field of requests, that of the base model first."""
    adapters: frozenset[str] = frozenset()
    """Those of the names that are of LoRA adapters in the spec."""
    gateways: tuple[str, ...] = ()
    """As namespace/name."""
    endpoints: tuple[Endpoint, ...] = ()
    internal_path: str = ""
    """The path at the Service of a Gateway; empty if it is not known."""
    is_routed: bool = False
    """Whether the Gateways have accepted its route."""
    is_ready: bool = False
    reason: str = ""
    """That of the condition GatewayReady."""
    group: GroupEndpoint | None = None


def parse_listed_model(raw: Json, kind: str) -> ListedModel:
    """Return what is listed of a Workspace or InferenceSet."""
    return _listed(parse_workspace_record(raw, kind))


def parse_listed_companion(raw: Json, kind: str) -> ListedModel:
    """Return the same where the status is KAITO's, and ours is kept elsewhere."""
    return _listed(parse_companion_record(raw, kind))


def _listed(record: WorkspaceRecord) -> ListedModel:
    status, meta = record.status, record.meta
    gateway = status.gateway
    if gateway is None or not meta.is_usable:
        return ListedModel(meta)
    said = find(status.conditions, ConditionType.GATEWAY_READY)
    routed = find(status.conditions, ConditionType.ROUTE_READY)
    names = tuple(map(intern, dict.fromkeys(filter(_is_name, gateway.model_names))))[:MOST_NAMES]
    return ListedModel(
        meta,
        created=_unix_time(record.created),
        names=names,
        adapters=frozenset(names).intersection(_adapters(record)),
        gateways=tuple(map(intern, gateway.gateways)),
        endpoints=tuple(map(_endpoint, gateway.urls)),
        internal_path=_endpoint(gateway.internal_url or "").path,
        is_routed=routed is not None and routed.is_true,
        is_ready=said is not None and said.is_true,
        reason=intern(printable(said.reason, _LONGEST_REASON)) if said is not None else "",
        group=_group(gateway),
    )


def _is_name(name: str) -> bool:
    return len(name) <= LONGEST_NAME and is_model_name(name)


def _group(gateway: GatewayStatus) -> GroupEndpoint | None:
    group = gateway.group
    if group is None or not group.name:
        return None
    is_ready = any(member.ready and member.current for member in group.members)
    return GroupEndpoint(group.name, _endpoint(group.url) if group.url else None, is_ready)


def _endpoint(url: str) -> Endpoint:
    """Return where a URL leads; without a host if it is none."""
    try:
        parts = urlsplit(url)
        return Endpoint(intern(parts.hostname or ""), intern(parts.path))
    except ValueError:
        return Endpoint()


def _unix_time(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0


def _adapters(record: WorkspaceRecord) -> Iterator[str]:
    """Yield the names of the LoRA adapters in a spec, whether it is valid or not."""
    found: object = record.fields()
    for name in ("spec", "template", "inference") if record.meta.ref.kind == SET_KIND else ("inference",):
        found = found.get(name) if isinstance(found, Mapping) else None
    listed = found.get("adapters") if isinstance(found, Mapping) else None
    for adapter in listed[:_MOST_ADAPTERS] if isinstance(listed, list) else ():
        source = adapter.get("source") if isinstance(adapter, Mapping) else None
        given = source.get("name") if isinstance(source, Mapping) else None
        if isinstance(given, str):
            yield given
