"""Credentials of requests through Gateways, from the Secret in the settings."""

import base64
import binascii
import ssl

from workspace_ctrl.cache.watches import SECRET
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.probe.probe_client import Credentials, ReadCredentials, no_credentials

_TOKEN_KEY = "token"  # noqa: S105 - the name of a key
_CA_KEY = "ca.crt"


def credentials_reader(client: Client, secret: tuple[str, str] | None) -> ReadCredentials:
    """Return a function that reads the Secret, given as namespace and name; without one, the credentials are empty."""
    if secret is None:
        return no_credentials
    namespace, name = secret

    async def read() -> Credentials:
        data = (await client.get(SECRET, namespace, name)).get("data") or {}
        if not {_TOKEN_KEY, _CA_KEY} & data.keys():
            raise RejectedError(f"Secret {namespace}/{name} has neither {_TOKEN_KEY} nor {_CA_KEY}")
        authorities = _text(data.get(_CA_KEY))
        try:
            ssl.create_default_context(cadata=authorities or None)
        except ssl.SSLError:
            raise RejectedError(f"{_CA_KEY} of Secret {namespace}/{name} contains no PEM certificates") from None
        return Credentials(token=_text(data.get(_TOKEN_KEY)).strip(), ca=authorities)

    return read


def _text(value: object) -> str:
    try:
        return base64.b64decode(str(value or "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise RejectedError(f"the values of {_TOKEN_KEY} and {_CA_KEY} must be UTF-8 text") from None
