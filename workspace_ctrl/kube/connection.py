"""Connection to the API server: one shared aiohttp session with TLS and authentication.

It costs a fraction of the `kubernetes` package's client (docs/performance.md).
"""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

from workspace_ctrl.kube.access.access import Access, ConnectionConfigError, TlsFile

_TOKEN_AGE_SECONDS = 30.0
"""Seconds after which a token is read again; a projected token is replaced long before it expires."""
_WITHOUT_DETAIL: Final = frozenset({"PEM_LIB", "NO_CERTIFICATE_OR_CRL_FOUND"})
"""Reasons of OpenSSL that say no more than the message does."""
_READING: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="credentials")
"""Threads of their own: whatever else runs in threads, the request that renews the Lease does not wait for it."""
_REFUSED_SECONDS = 5.0
"""Shortest interval, in seconds, of reading the credentials again after they were rejected: it may run an exec plugin."""


@dataclass(frozen=True)
class Connection:
    """The API server's address and an authenticated session."""

    server: str
    session: aiohttp.ClientSession

    async def close(self) -> None:
        """Close the session."""
        await self.session.close()


def open_connection(access: Access) -> Connection:
    """Return a connection; call it inside the event loop that will use it.

    Raises:
        ConnectionConfigError: the certificates in the configuration cannot be read.
    """
    # The client limits its requests. A limit here would include watches, each of which keeps a connection, and requests would starve.
    connector = aiohttp.TCPConnector(limit=0, ssl=_tls_of(access))
    session = aiohttp.ClientSession(
        connector=connector,
        middlewares=[_ServerName(access.tls.server_name), _Authorization(access)],
        headers=(("User-Agent", "workspace-ctrl"), *access.headers),
        proxy=access.proxy or None,
        auto_decompress=True,
    )
    return Connection(server=access.server, session=session)


def _tls_of(access: Access) -> ssl.SSLContext | bool:
    if not access.server.startswith("https"):
        return False
    tls = access.tls
    try:
        context = ssl.create_default_context(cafile=tls.authority)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _unreadable(access, "no certificate of an authority", error, TlsFile.AUTHORITY) from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        try:
            context.load_cert_chain(tls.certificate, tls.key)
        except (OSError, ValueError) as error:
            raise _unreadable(access, "no certificate with its key", error, TlsFile.CERTIFICATE, TlsFile.KEY) from error
    return context


def _unreadable(access: Access, lacking: str, error: Exception, *files: TlsFile) -> ConnectionConfigError:
    """Return the error for files of certificates, with the reason of OpenSSL or the system if that is one for users."""
    origins = " and ".join(access.origin(file) for file in files if access.tls.path(file))
    reason = getattr(error, "reason" if isinstance(error, ssl.SSLError) else "strerror", None) or ""
    why = f" ({reason.replace('_', ' ').lower()})" if reason and reason not in _WITHOUT_DETAIL else ""
    return ConnectionConfigError(f"cannot connect to the API server: {lacking} can be read in PEM from {origins}{why}")


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
        self._header = await asyncio.get_running_loop().run_in_executor(_READING, read)
        self._expires = asyncio.get_running_loop().time() + _TOKEN_AGE_SECONDS

    def _is_old(self) -> bool:
        return asyncio.get_running_loop().time() >= self._expires
