"""Core objects of which only labels or versions are needed: nodes, namespaces, and ConfigMaps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workspace_ctrl.records.meta import Json, Meta, parse_meta


@dataclass(frozen=True, slots=True)
class Node:
    """A node, with its labels only."""

    meta: Meta
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_node(raw: Json, kind: str) -> Node:
    """Return the record of a node."""
    return Node(meta=parse_meta(raw, kind), labels=dict((raw.get("metadata") or {}).get("labels") or {}))


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace, with its labels only."""

    meta: Meta
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_namespace(raw: Json, kind: str) -> Namespace:
    """Return the record of a namespace."""
    return Namespace(meta=parse_meta(raw, kind), labels=dict((raw.get("metadata") or {}).get("labels") or {}))


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap without its content, which is read only if a Workspace refers to it."""

    meta: Meta
    version: str = ""
    """Resource version, to detect changes of the content."""


def parse_config_map(raw: Json, kind: str) -> ConfigMap:
    """Return the record of a ConfigMap."""
    return ConfigMap(meta=parse_meta(raw, kind), version=(raw.get("metadata") or {}).get("resourceVersion") or "")
