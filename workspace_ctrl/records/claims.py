"""What a Workspace claims on a listener, so that two of them never claim the same."""

from typing import Final, NamedTuple

MODEL_HEADER: Final = "X-Gateway-Model-Name"
"""Header with the model's name, which a body-based router sets."""
BASE_MODEL_HEADER: Final = "X-Gateway-Base-Model-Name"
"""Header with the name of the model under an adapter, set by newer ones."""


class Claim(NamedTuple):
    """Requests of one listener with one host name, path prefix and header."""

    gateway: str
    """Gateway, as namespace/name."""
    listener: str
    hostname: str
    """Empty for any."""
    path: str
    header: str = ""
    """`<name>=<value>`; empty for requests with any headers."""

    @property
    def place(self) -> str:
        """Where it is claimed, for messages."""
        return f"listener {self.listener} of Gateway {self.gateway}"


ClaimHolder = tuple[str, str]
"""Namespace and name of a Workspace."""
