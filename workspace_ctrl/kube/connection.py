"""Where the API server is, and how to prove who we are.

The `kubernetes` package reads kubeconfig or the pod's ServiceAccount, exec plugins and token rotation included; requests go over one
shared aiohttp session, which costs a fraction of its client (docs/performance.md).
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes.client
import kubernetes.config

_TOKEN_AGE_SECONDS = 30.0
"""How long a token is used before it is read again; a projected token is replaced long before it expires."""


class ConnectionConfigError(Exception):
    """Neither a kubeconfig nor a pod's ServiceAccount could be read."""


@dataclass(frozen=True)
class Connection:
    """The API server's address and an authenticated session."""

    server: str
    session: aiohttp.ClientSession

    async def close(self) -> None:
        """Close the session."""
        await self.session.close()


def load_configuration(kubeconfig: Path | None, context: str | None) -> Any:  # noqa: ANN401
    """Return the `kubernetes` package's Configuration: the given kubeconfig, else the environment's, else the pod's.

    Raises:
        ConnectionConfigError: there is none, or it cannot be read.
    """
    configuration = kubernetes.client.Configuration()
    try:
        if kubeconfig is None and Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists():
            kubernetes.config.load_incluster_config(client_configuration=configuration)
        else:
            kubernetes.config.load_kube_config(
                config_file=str(kubeconfig) if kubeconfig else None, context=context, client_configuration=configuration
            )
    except (kubernetes.config.ConfigException, OSError) as error:
        remedy = "set KUBECONFIG or --kubeconfig to a readable file, or run in a pod with a ServiceAccount"
        where = f"{kubeconfig}: " if kubeconfig else ""
        raise ConnectionConfigError(f"no way to the API server is configured: {where}{error}; {remedy}") from error
    return configuration


def open_connection(configuration: Any) -> Connection:  # noqa: ANN401
    """Return a connection by a `kubernetes` Configuration; call it inside the event loop that will use it."""
    # The client bounds its requests itself: a limit here would let watches, which hold a connection each, starve them.
    connector = aiohttp.TCPConnector(limit=0, ssl=_ssl_context(configuration))
    session = aiohttp.ClientSession(
        connector=connector,
        middlewares=[_ServerName(configuration.tls_server_name or ""), _Authorization(lambda: _authorization_of(configuration))],
        headers={"User-Agent": "workspace-ctrl"},
        proxy=configuration.proxy or None,
        auto_decompress=True,
    )
    return Connection(server=configuration.host.rstrip("/"), session=session)


def _ssl_context(configuration: Any) -> ssl.SSLContext | bool:  # noqa: ANN401
    if not configuration.host.startswith("https"):
        return False
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _authorization_of(configuration: Any) -> str:  # noqa: ANN401
    header = configuration.get_api_key_with_prefix("BearerToken") or configuration.get_api_key_with_prefix("authorization")
    if header:
        scheme, _, token = str(header).rpartition(" ")
        return f"{(scheme or 'Bearer').capitalize()} {token}"
    if configuration.username:
        return str(configuration.get_basic_auth_token())
    return ""


class _ServerName:
    """Client middleware that has the server's certificate checked for the name that the kubeconfig gives (`tls-server-name`)."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if self._name:
            request.server_hostname = self._name
        return await handler(request)


class _Authorization:
    """Client middleware that adds the Authorization header, reading the token anew when it is old.

    Reading may run an exec plugin, so it happens in a thread.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._header = ""
        self._expires = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._expires:
            async with self._lock:
                if loop.time() >= self._expires:
                    self._header = await asyncio.to_thread(self._read)
                    self._expires = loop.time() + _TOKEN_AGE_SECONDS
        if self._header:
            request.headers["Authorization"] = self._header
        return await handler(request)
