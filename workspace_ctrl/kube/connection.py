"""Connection to the API server: address, TLS, and authentication.

The `kubernetes` package reads kubeconfig or the pod's ServiceAccount, including exec plugins and token rotation. Requests use one shared
aiohttp session, which costs a fraction of that package's client (docs/performance.md).
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes.client
import kubernetes.config
import yaml
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigLoader, KubeConfigMerger

logger = logging.getLogger(__name__)

_TOKEN_AGE_SECONDS = 30.0
"""Seconds after which a token is read again; a projected token is replaced long before it expires."""
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNREADABLE = (kubernetes.config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError)
"""What the `kubernetes` package raises for files that are missing, broken, or of another shape; UnicodeDecodeError is a ValueError."""
_LONGEST_ERROR = 300
_REFUSED_SECONDS = 5.0
"""Shortest interval, in seconds, of reading the credentials again after they were rejected: it may run an exec plugin."""


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


class Access:
    """Address and credentials of the API server, from a kubeconfig or the pod's ServiceAccount."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        """Read `context` of `kubeconfig`; None for the defaults of kubectl.

        Raises:
            ConnectionConfigError: no configuration exists, or it cannot be read.
        """
        self._kubeconfig = kubeconfig
        self._context = context
        self.configuration = self._load()

    def namespace(self) -> str:
        """Return the namespace of the context, or that of the pod; `default` if there is none.

        Raises:
            ConnectionConfigError: the kubeconfig cannot be read any more.
        """
        try:
            if self._is_in_pod:
                return (_SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or "default"
            files = KubeConfigMerger(str(self._kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION)).config
            context = KubeConfigLoader(config_dict=files, active_context=self._context).current_context
            return str(context["context"].get("namespace") or "default")
        except _UNREADABLE as error:
            raise self._unreadable(error) from error

    @property
    def _is_in_pod(self) -> bool:
        return self._kubeconfig is None and (_SERVICE_ACCOUNT / "token").exists()

    def authorization(self) -> str:
        """Return the Authorization header, or an empty string; the `kubernetes` package renews tokens that it knows to have expired."""
        configuration = self.configuration
        header = configuration.get_api_key_with_prefix("BearerToken") or configuration.get_api_key_with_prefix("authorization")
        if header:
            scheme, _, token = str(header).strip().rpartition(" ")
            return f"{(scheme or 'Bearer').capitalize()} {token}"
        if configuration.username:
            return str(configuration.get_basic_auth_token())
        return ""

    def authorization_anew(self) -> str:
        """Read the configuration again, including token files and exec plugins, and return the Authorization header.

        If that fails, the last header remains, because files may be replaced at any time.
        """
        try:
            self.configuration = self._load()
        except ConnectionConfigError as error:
            logger.warning("%s", error)
        return self.authorization()

    def _load(self) -> Any:  # noqa: ANN401 - the package has no types
        configuration = kubernetes.client.Configuration()
        kubeconfig = self._kubeconfig
        try:
            if self._is_in_pod:
                kubernetes.config.load_incluster_config(client_configuration=configuration)
            else:
                kubernetes.config.load_kube_config(
                    config_file=str(kubeconfig) if kubeconfig else None, context=self._context, client_configuration=configuration
                )
        except _UNREADABLE as error:
            raise self._unreadable(error) from error
        if not configuration.host:
            raise self._unreadable(ValueError("the cluster of the context has no server"))
        return configuration

    def _unreadable(self, error: Exception) -> ConnectionConfigError:
        remedy = "set KUBECONFIG or --kubeconfig to a readable file, or run in a pod with a ServiceAccount"
        where = f"{self._kubeconfig}: " if self._kubeconfig else ""
        words = " ".join(str(error).split())[:_LONGEST_ERROR] or type(error).__name__
        return ConnectionConfigError(f"cannot load the connection to the API server: {where}{words}; {remedy}")


def load_configuration(kubeconfig: Path | None, context: str | None) -> Access:
    """Return the access to the API server: from the given kubeconfig, else the environment's, else the pod's ServiceAccount.

    Raises:
        ConnectionConfigError: no configuration exists, or it cannot be read.
    """
    return Access(kubeconfig, context)


def open_connection(access: Access) -> Connection:
    """Return a connection; call it inside the event loop that will use it.

    Raises:
        ConnectionConfigError: the certificates in the configuration cannot be read.
    """
    configuration = access.configuration
    # The client limits its requests. A limit here would include watches, each of which keeps a connection, and requests would starve.
    connector = aiohttp.TCPConnector(limit=0, ssl=_tls_of(configuration))
    session = aiohttp.ClientSession(
        connector=connector,
        middlewares=[_ServerName(configuration.tls_server_name or ""), _Authorization(access)],
        headers={"User-Agent": "workspace-ctrl"},
        proxy=configuration.proxy or None,
        auto_decompress=True,
    )
    return Connection(server=configuration.host.rstrip("/"), session=session)


def _tls_of(configuration: Any) -> ssl.SSLContext | bool:  # noqa: ANN401
    try:
        return _ssl_context(configuration)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(filter(None, (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)))
        raise ConnectionConfigError(f"cannot read the certificates of the kubeconfig ({files}): {error}") from error


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


class _ServerName:
    """Client middleware that verifies the server's certificate for the name in the kubeconfig (`tls-server-name`)."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if self._name:
            request.server_hostname = self._name
        return await handler(request)


class _Authorization:
    """Client middleware that adds the Authorization header, and reads it again when it is old or was rejected.

    Reading may run an exec plugin, so it runs in a thread. Ages are measured with the event loop's clock, which cannot be set.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._header = ""
        self._expires = float("-inf")
        self._read_anew_at = float("-inf")
        self._lock = asyncio.Lock()

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if self._is_old():
            async with self._lock:
                if self._is_old():
                    await self._read(self._access.authorization)
        sent = self._header
        if sent:
            request.headers["Authorization"] = sent
        response = await handler(request)
        if response.status == HTTPStatus.UNAUTHORIZED:
            await self._refused(sent)
        return response

    async def _refused(self, sent: str) -> None:
        """Read the credentials again, unless that has been done since `sent` was sent, or just now; the caller repeats the request."""
        now = asyncio.get_running_loop().time()
        async with self._lock:
            if self._header == sent and now >= self._read_anew_at + _REFUSED_SECONDS:
                self._read_anew_at = now
                await self._read(self._access.authorization_anew)

    async def _read(self, read: Callable[[], str]) -> None:
        self._header = await asyncio.to_thread(read)
        self._expires = asyncio.get_running_loop().time() + _TOKEN_AGE_SECONDS

    def _is_old(self) -> bool:
        return asyncio.get_running_loop().time() >= self._expires
