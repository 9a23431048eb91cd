"""A request through the Gateway, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_NAMES: Final = 128
"""Of those that a model server tells; as many as an HTTPRoute has matches."""
LONGEST_NAME: Final = 253
"""Of a model, in characters."""


def is_model_name(name: str) -> bool:
    """Whether a name that a server reports can be that of a model, as gateway.modelName: it becomes a header's value."""
    return 0 < len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() and " " not in name


class ProbeOutcome(StrEnum):
    """What a probe found out."""

    ANSWERED = "Answered"
    FAILED = "Failed"
    NOT_POSSIBLE = "NotPossible"
    """The Gateway cannot be reached from where the controller runs, or wants to know who asks: nothing was found out."""


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """Where one listener of a Gateway is asked for the model."""

    gateway: str
    """Gateway, as namespace/name."""
    scheme: str
    addresses: tuple[str, ...]
    """IP addresses and names to connect to, the nearest first."""
    port: int
    path: str
    """Path prefix of the model."""
    hostname: str = ""
    """Host name that the listener or the route wants; empty for any."""
    model: str = ""
    """Name of the model; empty where it is not known."""
    completion: bool = False
    """Whether only a completion reaches the model server."""
    try_body: bool = False
    """Whether to find out if a request is led by the model's name in its body alone."""

    @property
    def url(self) -> str:
        """The URL that is asked, for people."""
        host = self.hostname or next(iter(self.addresses), self.gateway)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of a probe."""

    outcome: ProbeOutcome
    url: str = ""
    code: int | None = None
    """HTTP status; None where there was no answer."""
    message: str = ""
    models: tuple[str, ...] = ()
    """Names that the model server gave itself; empty where it was not asked."""
    by_body: bool | None = None
    """Whether requests are led by the model's name in their body; None where that was not found out."""

    def agrees_with(self, other: "ProbeResult") -> bool:
        """Whether both say the same, in words that may differ."""
        return (self.outcome, self.code, self.models, self.by_body) == (other.outcome, other.code, other.models, other.by_body)
