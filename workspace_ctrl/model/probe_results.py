"""Probe requests through a Gateway, and their results."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_NAMES: Final = 128
"""Names from a model server that are used; as many as an HTTPRoute can have matches."""
LONGEST_NAME: Final = 253
"""Name of a model, in characters."""

CHAT_COMPLETIONS: Final = "/v1/chat/completions"
COMPLETIONS: Final = "/v1/completions"
EMBEDDINGS: Final = "/v1/embeddings"
MODELS: Final = "/v1/models"
HEALTH: Final = "/health"
"""Answered by most model servers, also those without a list of models."""


def is_model_name(name: str) -> bool:
    """Whether a name that a server reports is a valid model name, like gateway.modelName: it is used as a header value.

    Names that begin with a dash are none: whoever passes one to a program would pass a flag.
    """
    is_header_value = 0 < len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() and " " not in name
    return is_header_value and not name.startswith("-")


class ProbeOutcome(StrEnum):
    """The outcome of a probe."""

    ANSWERED = "Answered"
    FAILED = "Failed"
    NOT_POSSIBLE = "NotPossible"
    """The controller cannot reach the Gateway or is not authorized, so the result is not known."""


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """The target of a probe: one listener of a Gateway."""

    gateway: str
    """Gateway, as namespace/name."""
    scheme: str
    addresses: tuple[str, ...]
    """IP addresses and host names to connect to, in the order of preference."""
    port: int
    path: str
    """Path prefix of the model."""
    hostname: str = ""
    """Host name that the listener or the route requires; empty for any."""
    model: str = ""
    """Name of the model; empty if it is not known."""
    completion: str = ""
    """Path of the API if only a completion, or an embedding, reaches the model server; empty if the list of models does."""
    get: str = ""
    """Path of a GET request instead, as the Workspace sets it; empty for none."""
    codes: tuple[int, ...] = ()
    """HTTP status codes that count as an answer then."""
    is_own_path: bool = False
    """Whether `path` belongs to the namespace of the Workspace, so that no other namespace may have routes below it."""
    any_server: bool = False
    """Whether the model server may be one without a list of models."""
    try_body: bool = False
    """Whether to probe also if the model name in the body alone is enough."""

    @property
    def url(self) -> str:
        """The URL, for messages."""
        host = self.hostname or next(iter(self.addresses), self.gateway)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a probe."""

    outcome: ProbeOutcome
    url: str = ""
    code: int | None = None
    """HTTP status code; None if there was no response."""
    message: str = ""
    models: tuple[str, ...] = ()
    """Model names that the model server reported; empty if it was not asked."""
    by_body: bool | None = None
    """Whether requests are routed by the model name in their body; None if not known."""
    is_cut_off: bool = False
    """Whether the connection was closed without a response, as by a Gateway that requires the PROXY protocol."""
    is_slow: bool = False
    """Whether the server is busy: it answers, but not within the usual timeout."""
    lacks_certificate: bool = False
    """Whether the listener requires a client certificate that it accepts, and there is none."""

    @property
    def is_response(self) -> bool:
        """Whether the Gateway responded, if only by rejecting the client in TLS."""
        return self.code is not None or self.lacks_certificate

    def agrees_with(self, other: "ProbeResult") -> bool:
        """Whether both have the same meaning; their messages may differ."""
        return self.meaning == other.meaning

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it says, apart from words and durations."""
        return self.outcome, self.code, self.models, self.by_body, self.lacks_certificate
