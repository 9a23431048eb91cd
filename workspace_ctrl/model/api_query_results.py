"""Results of the queries of a plan to the API server, kept until the query changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DryRun:
    """The answer to a dry-run of the workload."""

    manifest_hash: str
    """Hash of the manifest of the dry-run."""
    kind: str = ""
    """Kind of the accepted object."""
    refusal: str = ""
    """The API server's error message; empty if it accepted."""
    foreign: bool = False
    """Whether it was rejected because an object of that name exists that is not ours."""
    adopting: bool = False
    """Whether the adoption of such an object was allowed."""


@dataclass(frozen=True, slots=True)
class ConfigContent:
    """The content of the ConfigMap that a Workspace names."""

    name: str
    version: str
    """Resource version of the ConfigMap."""
    text: str | None
    """Content of its key `inference_config.yaml`; None if it has no such key."""


@dataclass(frozen=True, slots=True)
class ScaleSelector:
    """The pod selector in the scale subresource of a referenced object."""

    uid: str
    """uid of the object."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Empty if there is none, or if it is more than labels."""


@dataclass(frozen=True, slots=True)
class QueryResults:
    """The newest results; each may be for an older query."""

    dry_run: DryRun | None = None
    config: ConfigContent | None = None
    scale: ScaleSelector | None = None
