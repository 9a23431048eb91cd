"""Settings of the process, read once from the command line and its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.settings.workspace_scope import Scope

FEATURE_GATES: Final[Mapping[str, bool]] = {"gatewayAPIInferenceExtension": False}
"""Known feature gates and their defaults."""


class SettingsError(Exception):
    """A setting is invalid; the message names it and says what is valid."""


@dataclass(frozen=True, slots=True)
class LeaderElection:
    """The Lease for leader election."""

    namespace: str
    name: str


class ProbeMode(StrEnum):
    """The request of a probe."""

    OFF = "off"
    MODELS = "models"
    """GET /v1/models: needs no inference."""
    COMPLETION = "completion"
    """A chat completion of one token: proves that inference works, and uses the model server for a moment."""


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Settings of the probes."""

    mode: ProbeMode = ProbeMode.MODELS
    interval: float = 60.0
    """A fault that only a probe can show is reported within this many seconds, plus 2; successful probes follow slightly faster."""
    secret: tuple[str, str] | None = None
    """Namespace and name of a Secret with `token`, `ca.crt` or both."""
    token_gateways: frozenset[str] | None = None
    """Gateways, as namespace/name, that get the token over HTTPS; None for the default Gateway of Workspaces only."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks with special addresses, such as loopback, that are probed nevertheless."""


OFF: Final = "off"
DEFAULT_HUB: Final = "https://huggingface.co"
HUB_URL: Final = r"off|https?://[^/\s@?#]+(/[^/\s@?#]+)*"
"""Pattern of the URL of a model hub; it has no credentials, because only public files are read."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """The model hub, which has the figures of models that are not in the catalog."""

    url: str = ""
    """Without a trailing slash; empty if no hub is asked."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks with special addresses, such as loopback, that the hub may have nevertheless."""


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """The validating admission webhook."""

    port: int
    certificates: Path
    """Folder with `tls.crt` and `tls.key`, such as a mounted Secret."""


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The server of the Prometheus metrics."""

    port: int = 0
    """0 if it is disabled."""
    certificates: Path | None = None
    """Folder with `tls.crt` and `tls.key`; then TLS is used, and the API server authorizes each client. None for plain HTTP for anyone."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the controller."""

    plan: PlanSettings = field(default_factory=PlanSettings)
    scope: Scope = field(default_factory=Scope)
    election: LeaderElection | None = None
    """None without leader election, if this is the only process of its scope."""
    workers: int = 32
    """Number of concurrent passes."""
    progress_interval: float = 5.0
    """Shortest interval, in seconds, of status writes that only report progress; longer while many Workspaces are in progress."""
    pass_interval: float = 0.3
    """Shortest interval, in seconds, of passes over one Workspace while many are in progress; events within it share a pass."""
    first_status_interval: float = 1.0
    """Delay, in seconds, of the first status of a Workspace for each ten others in progress."""
    settle_interval: float = 0.5
    """Time, in seconds, for which readiness, or a failure during the start, must hold before it is written."""
    helm: str = ""
    """Path of the helm executable that checks charts before their first use; empty if they are not checked."""
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    hub: HubSettings = field(default_factory=HubSettings)
    admission: AdmissionSettings | None = None
    """None if the webhook is disabled."""
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    load_port: int = 0
    """Port at which KEDA reads the loads of models; 0 if they are not served."""
    events: bool = True
    """Whether Events are emitted for transitions."""
    refusal_interval: float = 30.0
    """Delay, in seconds, after which a request that the API server rejected is retried."""
    stop_seconds: float = 5.0
    """Time, in seconds, that the passes in progress have to finish when the process stops."""


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
