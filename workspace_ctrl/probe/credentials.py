"""Credentials of requests through Gateways, from the Secret in the settings."""

import base64
import binascii
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.cache.watches import SECRET
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.probe.client_certificate import ClientSide, load_certificate

_TOKEN_KEY: Final = "token"  # noqa: S105 - the name of a key
_CA_KEY: Final = "ca.crt"
_CERTIFICATE_KEY: Final = "tls.crt"
_PRIVATE_KEY: Final = "tls.key"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials of the requests."""

    token: str = ""
    """Bearer token; empty for none."""
    ca: str = ""
    """CA certificates for the Gateways' certificates, in PEM."""
    certificate: str = ""
    """The client's certificate, in PEM, with those that lead to its CA; empty for none."""
    private_key: str = ""
    """The key of `certificate`, in PEM."""

    def __repr__(self) -> str:
        """Return a text without secrets, for logs."""
        return "Credentials(...)"

    @property
    def identifies(self) -> bool:
        """Whether a request with them says who the client is."""
        return bool(self.token or self.certificate)

    def anonymous(self) -> "Credentials":
        """Return those that any Gateway may have."""
        return Credentials(ca=self.ca)

    def context(self) -> ssl.SSLContext:
        """Return a TLS context with them: it verifies the server's certificate with the given CA; without one, only if a token is sent.

        Raises:
            ssl.SSLError: they are not valid.
        """
        context = ssl.create_default_context(cadata=self.ca or None)
        context.sslobject_class = ClientSide
        if not self.ca and not self.token:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self.certificate:
            load_certificate(context, self.certificate, self.private_key)
        return context


ReadCredentials = Callable[[], Awaitable[Credentials]]


async def no_credentials() -> Credentials:
    """Return empty credentials."""
    return Credentials()


def credentials_reader(client: Client, secret: tuple[str, str] | None) -> ReadCredentials:
    """Return a function that reads the Secret, given as namespace and name; without one, the credentials are empty."""
    if secret is None:
        return no_credentials
    namespace, name = secret

    async def read() -> Credentials:
        return parsed_credentials((await client.get(SECRET, namespace, name)).get("data") or {}, f"Secret {namespace}/{name}")

    return read


def parsed_credentials(data: dict[str, object], secret: str) -> Credentials:
    """Return the credentials in the data of `secret`.

    Raises:
        RejectedError: they cannot be used; the message has nothing of them.
    """
    token, ca, certificate, private_key = (_text(data, key) for key in (_TOKEN_KEY, _CA_KEY, _CERTIFICATE_KEY, _PRIVATE_KEY))
    if not {_TOKEN_KEY, _CA_KEY, _CERTIFICATE_KEY, _PRIVATE_KEY} & data.keys():
        raise RejectedError(f"{secret} has neither {_TOKEN_KEY} nor {_CA_KEY}, nor {_CERTIFICATE_KEY} with {_PRIVATE_KEY}")
    if bool(certificate) != bool(private_key):
        given, missing = (_CERTIFICATE_KEY, _PRIVATE_KEY) if certificate else (_PRIVATE_KEY, _CERTIFICATE_KEY)
        raise RejectedError(f"{secret} has {given}, but no {missing}")
    _check(Credentials(ca=ca), f"{_CA_KEY} of {secret} contains no PEM certificates")
    pair = f"{_CERTIFICATE_KEY} and {_PRIVATE_KEY} of {secret} are no certificate and its key, in PEM and without a passphrase"
    _check(Credentials(certificate=certificate, private_key=private_key), pair)
    return Credentials(token.strip(), ca, certificate, private_key)


def _check(credentials: Credentials, problem: str) -> None:
    try:
        credentials.context()
    except (ssl.SSLError, ValueError):
        raise RejectedError(problem) from None


def _text(data: dict[str, object], key: str) -> str:
    try:
        return base64.b64decode(str(data.get(key) or "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise RejectedError(f"the value of {key} must be UTF-8 text") from None
