"""Address and credentials of the API server, from a kubeconfig or from the pod's ServiceAccount.

Inside a pod they are three files and two variables, which are read here: the `kubernetes` package has the classes of the whole Kubernetes
API, 14 MiB of memory. It reads kubeconfigs, whose exec plugins and renewed tokens are worth it.
"""

import ipaddress
import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

logger = logging.getLogger(__name__)

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has the token of its ServiceAccount and the cluster's certificate authority."""


class ConnectionConfigError(Exception):
    """Neither a kubeconfig nor a pod's ServiceAccount could be read."""


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


class Access(ABC):
    """Address and credentials of the API server."""

    server: str
    """URL, without a slash at its end."""
    tls: Tls
    proxy: str
    """URL of the proxy for requests; empty for none."""

    @abstractmethod
    def authorization(self) -> str:
        """Return the Authorization header, or an empty string; it may read files."""

    @abstractmethod
    def authorization_anew(self) -> str:
        """Return the Authorization header after the API server rejected the last one; it may run an exec plugin.

        If reading fails, the last header remains, because files may be replaced at any time.
        """


class PodAccess(Access):
    """Access of a pod with a ServiceAccount."""

    def __init__(self, folder: Path = SERVICE_ACCOUNT) -> None:
        """Read the token and the certificate authority in `folder`.

        Raises:
            ConnectionConfigError: a file or a variable is missing.
        """
        host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
        if not host or not port:
            raise ConnectionConfigError(
                f"cannot connect to the API server with the ServiceAccount in {folder}: "
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; set --kubeconfig outside a pod"
            )
        self.server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self.tls = Tls(authority=str(folder / "ca.crt"))
        self.proxy = environment_proxy(host)
        self._token = folder / "token"
        self._header = ""
        if not (folder / "ca.crt").is_file() or not self.authorization():
            raise ConnectionConfigError(f"cannot connect to the API server: ca.crt or token in {folder} is missing or empty")

    def authorization(self) -> str:
        """Return the header with the token, which the kubelet replaces before it expires."""
        try:
            token = self._token.read_text().strip()
        except OSError as error:
            logger.warning("cannot read the token of the ServiceAccount: %s", error)
            return self._header
        if token:
            self._header = f"Bearer {token}"
        return self._header

    def authorization_anew(self) -> str:
        """Return the header with the token, read again."""
        return self.authorization()


class KubeconfigAccess(Access):
    """Access by a context of a kubeconfig."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        """Read `context` of `kubeconfig`; None for the defaults of kubectl.

        Raises:
            ConnectionConfigError: no configuration exists, or it cannot be read.
        """
        self._kubeconfig = kubeconfig
        self._context = context
        self._configuration = found = self._load()
        self.server = found.host.rstrip("/")
        self.tls = Tls(found.ssl_ca_cert, found.verify_ssl, found.cert_file, found.key_file, found.tls_server_name or "")
        self.proxy = found.proxy or ""

    def authorization(self) -> str:
        """Return the header; the `kubernetes` package renews tokens that it knows to have expired."""
        configuration = self._configuration
        header = configuration.get_api_key_with_prefix("BearerToken") or configuration.get_api_key_with_prefix("authorization")
        if header:
            scheme, _, token = str(header).strip().rpartition(" ")
            return f"{(scheme or 'Bearer').capitalize()} {token}"
        if configuration.username:
            return str(configuration.get_basic_auth_token())
        return ""

    def authorization_anew(self) -> str:
        """Return the header of the kubeconfig, read again with its token files and exec plugins."""
        try:
            self._configuration = self._load()
        except ConnectionConfigError as error:
            logger.warning("%s", error)
        return self.authorization()

    def _load(self) -> Any:  # noqa: ANN401 - the package has no types
        import kubernetes.client  # noqa: PLC0415 - a pod does without it, see the module
        import kubernetes.config  # noqa: PLC0415

        configuration = kubernetes.client.Configuration()
        try:
            kubernetes.config.load_kube_config(
                config_file=str(self._kubeconfig) if self._kubeconfig else None,
                context=self._context,
                client_configuration=configuration,
            )
        except (kubernetes.config.ConfigException, OSError) as error:
            remedy = "set KUBECONFIG or --kubeconfig to a readable file, or run in a pod with a ServiceAccount"
            where = f"{self._kubeconfig}: " if self._kubeconfig else ""
            raise ConnectionConfigError(f"cannot load the connection to the API server: {where}{error}; {remedy}") from error
        return configuration


def load_access(kubeconfig: Path | None, context: str | None) -> Access:
    """Return the access to the API server: from the given kubeconfig, else the pod's ServiceAccount, else the user's kubeconfig.

    Raises:
        ConnectionConfigError: no configuration exists, or it cannot be read.
    """
    if kubeconfig is None and (SERVICE_ACCOUNT / "token").exists():
        return PodAccess()
    return KubeconfigAccess(kubeconfig, context)


def environment_proxy(host: str) -> str:
    """Return the proxy for HTTPS requests to `host` as HTTPS_PROXY and NO_PROXY say; empty for none.

    NO_PROXY may have networks, as for client-go: the range of the cluster's Services is how most clusters exclude the API server.
    """
    proxies = getproxies()
    if proxy_bypass(host) or _is_in_networks(host, proxies.get("no", "")):
        return ""
    return proxies.get("https", "")


def _is_in_networks(host: str, excluded: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in map(_network, excluded.split(",")) if network is not None)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network that an entry of NO_PROXY names; None for a host name."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
