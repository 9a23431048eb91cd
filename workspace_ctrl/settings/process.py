"""Settings of the process, read once from the command line and its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.settings.scope import Scope

FEATURE_GATES: Final[Mapping[str, bool]] = {"gatewayAPIInferenceExtension": False}
"""Known feature gates and their defaults."""


class SettingsError(Exception):
    """A setting cannot be used; the message says which and what to write."""


@dataclass(frozen=True, slots=True)
class LeaderElection:
    """The Lease by which one of several replicas leads."""

    namespace: str
    name: str


class ProbeMode(StrEnum):
    """What is asked through the Gateway."""

    OFF = "off"
    MODELS = "models"
    """GET /v1/models: costs the model server nothing."""
    COMPLETION = "completion"
    """A chat completion of one token: proves that the model computes, and occupies it for a moment."""


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Requests through Gateways."""

    mode: ProbeMode = ProbeMode.MODELS
    interval: float = 60.0
    """Seconds, and 2 more, within which a fault is told that only a request shows; while all is well, requests come a little sooner."""
    secret: tuple[str, str] | None = None
    """Namespace and name of a Secret with `token`, `ca.crt` or both."""


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """The validating admission webhook."""

    port: int
    certificates: Path
    """Folder with `tls.crt` and `tls.key`, such as a mounted Secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the controller."""

    plan: PlanSettings = field(default_factory=PlanSettings)
    scope: Scope = field(default_factory=Scope)
    election: LeaderElection | None = None
    """None where this process is the only one of its scope."""
    workers: int = 32
    """Passes that may be under way at once."""
    progress_interval: float = 5.0
    """Seconds between two status writes that only tell of progress, longer where many are on their way; what breaks is told at once."""
    pass_interval: float = 0.3
    """Seconds between two passes over one Workspace, where many are on their way; events in between are taken together."""
    first_status_interval: float = 1.0
    """Seconds by which the first status of a Workspace is put off for each ten others that are on their way."""
    settle_interval: float = 0.5
    """Seconds for which readiness, and a failure while the chain is being made, must hold before they are told."""
    helm: str = ""
    """Path of the helm program by which charts are looked at before their first use; empty where they are not."""
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    admission: AdmissionSettings | None = None
    """None if the webhook is disabled."""
    events: bool = True
    """Whether transitions are told by events on the Workspace."""
    refusal_interval: float = 30.0
    """Seconds after which a request that the API server refused is tried again."""
    stop_seconds: float = 5.0
    """How long passes under way may take to finish when the process stops."""


def parse_feature_gates(text: str) -> dict[str, bool]:
    """Return the feature gates in `text`, such as "gatewayAPIInferenceExtension=true", with the defaults of those not named.

    Raises:
        SettingsError: a gate is not known, or its value is neither true nor false.
    """
    gates = dict(FEATURE_GATES)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name not in gates:
            raise SettingsError(f"feature gate {name!r} is not known; known: {', '.join(gates)}")
        if value.lower() not in {"true", "false"}:
            raise SettingsError(f"feature gate {name} needs true or false, not {value!r}")
        gates[name] = value.lower() == "true"
    return gates
