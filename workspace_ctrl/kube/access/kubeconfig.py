"""Access by a kubeconfig, as the `kubernetes` package reads it, with its exec plugins and renewed tokens.

The package is imported only where a kubeconfig has more than addresses, certificates and a token.
"""

import logging
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from workspace_ctrl.kube.access.access import Access, ConnectionConfigError, Tls, TlsFile
from workspace_ctrl.kube.access.kubeconfig_entries import ChosenContext, chosen_context, chosen_name, documents_of
from workspace_ctrl.kube.access.kubeconfig_faults import READABLE_FILE, fault_of, fields_of, logged_errors, plugin_remedy
from workspace_ctrl.kube.access.plain_kubeconfig import DEFAULT_KUBECONFIG, NOT_READ, paths_of, read_plain_kubeconfig
from workspace_ctrl.kube.access.pod import SERVICE_ACCOUNT, PodAccess
from workspace_ctrl.kube.access.proxy import environment_proxy
from workspace_ctrl.kube.access.request_headers import headers_of

logger = logging.getLogger(__name__)

_UNREADABLE: Final = (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError)
"""What the `kubernetes` package raises beside its own error for files that are missing, broken, or of another shape."""
_OTHER_SHAPE: Final = (AttributeError, KeyError, TypeError)
_LONGEST_ERROR = 300


class KubeconfigAccess(Access):
    """Access by a context of a kubeconfig."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        """Read `context` of `kubeconfig`; None for the defaults of kubectl.

        Raises:
            ConnectionConfigError: no configuration exists, or it cannot be read.
        """
        self._kubeconfig = kubeconfig
        self._context = context
        self._configuration: Any = None
        self._file_token = ""
        self._plain = plain = read_plain_kubeconfig(kubeconfig, context)
        if plain is not None:
            self._context, self.server, self.tls, self.headers = plain.name, plain.server, plain.tls, plain.headers
            self._folder = plain.folder
            self._check_server()
            self.proxy = environment_proxy(self.server)
            return
        chosen = self._chosen()
        self._context = chosen.name  # another current context, later, has credentials for another server
        self._configuration = found = self._load(chosen)
        self.server = (found.host or "").rstrip("/")
        self.tls = Tls(found.ssl_ca_cert, found.verify_ssl, found.cert_file, found.key_file, found.tls_server_name or "")
        self.headers = headers_of(chosen.cluster, chosen.user)
        self._check_server()
        self.proxy = chosen.cluster.get("proxy-url") or environment_proxy(self.server)

    def authorization(self) -> str:
        """Return the header; the `kubernetes` package renews tokens that it knows to have expired."""
        if self._plain is not None:
            return f"Bearer {self._plain.token}" if self._plain.token else ""
        if self._file_token:
            return f"Bearer {self._file_token}"
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
            plain = read_plain_kubeconfig(self._kubeconfig, self._context)
            if plain is None:
                self._configuration = self._load(self._chosen())
            self._plain = plain
        except ConnectionConfigError as error:
            logger.warning("%s", error)
        return self.authorization()

    def namespace(self) -> str:
        """Return the namespace of the context."""
        if (plain := read_plain_kubeconfig(self._kubeconfig, self._context)) is not None:
            return plain.namespace
        return str(self._chosen().context.get("namespace") or "default")

    def origin(self, file: TlsFile) -> str:
        """Return which field of which kubeconfig has the content of a file of `tls`, which may be a temporary one."""
        return fields_of(self._kubeconfig, self._context).get(file, self.tls.path(file))

    def _chosen(self) -> ChosenContext:
        try:
            documents = documents_of(self._kubeconfig)
            fault = fault_of(documents, self._context)
            if fault is None:
                return chosen_context(documents, self._context)
        except _UNREADABLE as error:
            raise self._error(*_unreadable(error)) from error
        raise self._error(*fault)

    def _load(self, chosen: ChosenContext) -> Any:  # noqa: ANN401 - the package has no types
        import kubernetes.client  # noqa: PLC0415
        import kubernetes.config  # noqa: PLC0415

        configuration = kubernetes.client.Configuration()
        try:
            with logged_errors() as errors:
                kubernetes.config.load_kube_config(
                    config_file=paths_of(self._kubeconfig),
                    context=self._context,
                    client_configuration=configuration,
                )
        except (kubernetes.config.ConfigException, *_UNREADABLE) as error:
            raise self._error(*_unreadable(error)) from error
        if errors and not (configuration.api_key or configuration.cert_file):
            words = f"the exec plugin of its user gives no credentials: {errors[-1][:_LONGEST_ERROR]}"
            raise self._error(words, plugin_remedy(chosen.user))
        self._file_token = chosen.file_token()
        return configuration

    def _check_server(self) -> None:
        if not _is_url(self.server):
            what = f"server {self.server[:_LONGEST_ERROR]}, which is no URL" if self.server else "no server"
            raise self._error(f"the cluster of its context has {what}", "set one such as https://api.example:6443")

    def _error(self, words: str, remedy: str) -> ConnectionConfigError:
        return ConnectionConfigError(
            f"cannot load the connection to the API server: {paths_of(self._kubeconfig)}: {words}; {remedy}"
        )


def _is_url(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return server.startswith(("https://", "http://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the host, or of the port
        return False


def _unreadable(error: Exception) -> tuple[str, str]:
    """Return why a kubeconfig without a known fault cannot be read, and the way out."""
    # Up to the content, which the package quotes and which can have a token.
    words = " ".join(str(error).partition("/{")[0].split())[:_LONGEST_ERROR] or type(error).__name__
    if isinstance(error, _OTHER_SHAPE):  # in words of Python
        words = "it has not the shape of a kubeconfig"
    return words, READABLE_FILE


def _has_context(context: str | None) -> bool:
    """Return whether the default kubeconfigs choose a context; kubectl takes those that do not for empty, and a broken one for an error."""
    # A home that cannot be read has no kubeconfig for this process; so is that of a pod whose user is not that of the image.
    if not os.environ.get("KUBECONFIG") and not os.path.exists(os.path.expanduser(DEFAULT_KUBECONFIG)):  # noqa: PTH110, PTH111
        return False
    try:
        documents = documents_of(None)
        return bool(documents) and bool(chosen_name(documents, context))
    except NOT_READ:
        return True


def load_access(kubeconfig: Path | None, context: str | None) -> Access:
    """Return the access to the API server: by the given kubeconfig, else by the user's, else by the pod's ServiceAccount, as kubectl.

    Raises:
        ConnectionConfigError: no configuration exists, or it cannot be read.
    """
    if kubeconfig is not None or not (SERVICE_ACCOUNT / "token").exists() or _has_context(context):
        return KubeconfigAccess(kubeconfig, context)
    if context:
        raise ConnectionConfigError(
            f"there is no context {context[:_LONGEST_ERROR]}: without a kubeconfig ($KUBECONFIG, {DEFAULT_KUBECONFIG}) the only access is "
            "that of the pod's ServiceAccount; set --kubeconfig, or leave out --context"
        )
    return PodAccess(SERVICE_ACCOUNT)
