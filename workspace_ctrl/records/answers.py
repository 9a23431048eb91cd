"""What the API server answered when a plan asked it, kept until the question changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DryRun:
    """The answer to a dry-run of the workload."""

    manifest_hash: str
    """Hash of the manifest that was tried."""
    kind: str = ""
    """Kind of the accepted object."""
    refusal: str = ""
    """The server's words; empty when it accepted."""
    foreign: bool = False
    """Whether it was refused because somebody else's object has that name."""
    adopting: bool = False
    """Whether such an object was to be taken over."""


@dataclass(frozen=True, slots=True)
class ConfigContent:
    """The content of the ConfigMap that a Workspace names."""

    name: str
    version: str
    """Resource version of the ConfigMap."""
    text: str | None
    """Content of its key `inference_config.yaml`; None where it has no such key."""


@dataclass(frozen=True, slots=True)
class ScaleSelector:
    """The pod selector that the scale subresource of a referenced object tells."""

    uid: str
    """uid of the object."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Empty where it tells none, or more than labels."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The newest answers; each may speak of an older question."""

    dry_run: DryRun | None = None
    config: ConfigContent | None = None
    scale: ScaleSelector | None = None
