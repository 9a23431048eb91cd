"""Objects of others whose labels or versions matter: nodes, namespaces, and ConfigMaps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workspace_ctrl.records.meta import Json, Meta, parse_meta


@dataclass(frozen=True, slots=True)
class Node:
    """A node; only its labels matter."""

    meta: Meta
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_node(raw: Json, kind: str) -> Node:
    """Return the record of a node."""
    return Node(meta=parse_meta(raw, kind), labels=dict((raw.get("metadata") or {}).get("labels") or {}))


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace; only its labels matter."""

    meta: Meta
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_namespace(raw: Json, kind: str) -> Namespace:
    """Return the record of a namespace."""
    return Namespace(meta=parse_meta(raw, kind), labels=dict((raw.get("metadata") or {}).get("labels") or {}))


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap without its content, which is read when a Workspace names it."""

    meta: Meta
    version: str = ""
    """Resource version; another one means that the content may have changed."""


def parse_config_map(raw: Json, kind: str) -> ConfigMap:
    """Return the record of a ConfigMap."""
    return ConfigMap(meta=parse_meta(raw, kind), version=(raw.get("metadata") or {}).get("resourceVersion") or "")
