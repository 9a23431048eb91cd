"""The client's certificate in TLS: how it is used, and whether a listener rejects a connection because of it."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_ALERTS: Final = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
"""Alerts of a server about the client's certificate, as OpenSSL calls them (RFC 8446, section 6.2)."""
_HANDSHAKE_FAILURE: Final = "SSLV3_ALERT_HANDSHAKE_FAILURE"
"""The alert of TLS 1.2 for a missing certificate (RFC 5246, section 7.4.6). Before a cipher is agreed on, it has other causes."""


class ClientCertificateError(ssl.SSLError):
    """The server rejects the connection: it requires a client certificate, or does not accept the one that it got."""

    @property
    def alert(self) -> str:
        """The name of its TLS alert, in words."""
        return str(self.args[1])


def load_certificate(context: ssl.SSLContext, certificate: str, private_key: str) -> None:
    """Have `context` use a certificate and its key, both in PEM.

    Raises:
        ssl.SSLError: they are not valid, do not belong together, or the key has a passphrase.
    """
    with _readable(f"{certificate}\n{private_key}\n") as path:
        context.load_cert_chain(path, password="")  # without a password, OpenSSL would ask for it on the terminal


@contextmanager
def _readable(text: str) -> Iterator[str]:
    """Yield the path of a file with `text`, for OpenSSL, which only reads files: in memory on Linux, else a private one on disk."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("client-certificate"), "w") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            yield file.name


class ClientSide(ssl.SSLObject):
    """The client's side of a TLS connection, which tells alerts about its certificate from others; for `SSLContext.sslobject_class`.

    In TLS 1.3 the client's handshake is over before the server has seen its certificate, so such an alert is the first that is read.
    """

    def do_handshake(self) -> None:
        """Continue the handshake.

        Raises:
            ClientCertificateError: the server has rejected it because of the client's certificate.
        """
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            is_agreed = self.cipher() is not None
            if error.reason in _ALERTS or (error.reason == _HANDSHAKE_FAILURE and is_agreed):
                raise _certificate_error(error) from error
            raise

    def read(self, *arguments: Any) -> Any:  # noqa: ANN401 - types of the base class
        """Read what the server has sent.

        Raises:
            ClientCertificateError: the server has rejected the client's certificate.
        """
        try:
            return super().read(*arguments)
        except ssl.SSLError as error:
            if error.reason in _ALERTS:
                raise _certificate_error(error) from error
            raise


def _certificate_error(error: ssl.SSLError) -> ClientCertificateError:
    return ClientCertificateError(error.errno, error.reason.partition("_ALERT_")[2].replace("_", " ").lower())


def certificate_error(error: BaseException) -> ClientCertificateError | None:
    """Return the error about the client's certificate because of which `error` was raised; None if there is none."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ClientCertificateError):
        cause = cause.__cause__
    return cause
