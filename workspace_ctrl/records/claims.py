"""The route matches of a Workspace on a listener, to detect conflicts between Workspaces."""

from typing import Final, NamedTuple

MODEL_HEADER: Final = "X-Gateway-Model-Name"
"""Header with the model name, set by a body-based router."""
BASE_MODEL_HEADER: Final = "X-Gateway-Base-Model-Name"
"""Header with the name of the base model of an adapter, set by newer body-based routers."""


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
        """The listener, for messages."""
        return f"listener {self.listener} of Gateway {self.gateway}"


ClaimHolder = tuple[str, str]
"""Namespace and name of a Workspace."""
