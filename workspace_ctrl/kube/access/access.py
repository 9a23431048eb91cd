"""What is known of the API server before the first request: its address, how it is verified, and the client's credentials."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum


class ConnectionConfigError(Exception):
    """Neither a kubeconfig nor a pod's ServiceAccount could be read."""


class TlsFile(StrEnum):
    """A file of `Tls`, as its field in a kubeconfig is named; several can be one file."""

    AUTHORITY = "certificate-authority"
    CERTIFICATE = "client-certificate"
    KEY = "client-key"


@dataclass(frozen=True, slots=True)
class Tls:
    """How the API server's certificate is verified, and the client's own."""

    authority: str | None = None
    """Path of the certificate authorities; None for those of the system."""
    verify: bool = True
    certificate: str | None = None
    """Path of the client certificate; None for none."""
    key: str | None = None
    server_name: str = ""
    """Name for which the server's certificate is verified; empty for the host in its address."""

    def path(self, file: TlsFile) -> str:
        """Return the path of a file; empty if there is none."""
        paths = {TlsFile.AUTHORITY: self.authority, TlsFile.CERTIFICATE: self.certificate, TlsFile.KEY: self.key}
        return paths[file] or ""


class Access(ABC):
    """Address and credentials of the API server."""

    server: str
    """URL, without a slash at its end."""
    tls: Tls
    proxy: str
    """URL of the proxy for requests; empty for none."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers of each request besides Authorization, such as those that say whom to impersonate; a name may be there several times."""

    def origin(self, file: TlsFile) -> str:
        """Return where the content of a file of `tls` comes from, for messages."""
        return self.tls.path(file)

    @abstractmethod
    def namespace(self) -> str:
        """Return the namespace of the context or of the pod; `default` if there is none.

        Raises:
            ConnectionConfigError: the kubeconfig cannot be read any more.
        """

    @abstractmethod
    def authorization(self) -> str:
        """Return the Authorization header, or an empty string; it may read files."""

    @abstractmethod
    def authorization_anew(self) -> str:
        """Return the Authorization header after the API server rejected the last one; it may run an exec plugin.

        If reading fails, the last header remains, because files may be replaced at any time.
        """
