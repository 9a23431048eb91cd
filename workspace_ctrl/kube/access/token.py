"""Access with a token that somebody sent."""

from pathlib import Path
from typing import Final

from workspace_ctrl.kube.access.access import Access, Tls
from workspace_ctrl.kube.access.proxy import environment_proxy


class TokenAccess(Access):
    """Access to one API server with one bearer token, and with nothing else."""

    def __init__(self, server: str, authority: Path | None, token: str) -> None:
        """Use `token` at the URL `server`, whose certificate is verified by the certificate authorities in the file `authority`."""
        self.server = server.rstrip("/")
        self.tls = Tls(authority=str(authority) if authority is not None else None)
        self.proxy = environment_proxy(self.server)
        self._header: Final = f"Bearer {token}"

    def namespace(self) -> str:
        """Return `default`: a token has no namespace."""
        return "default"

    def authorization(self) -> str:
        """Return the header with the token."""
        return self._header

    def authorization_anew(self) -> str:
        """Return the same header: there is no other token."""
        return self._header
