"""Access by a kubeconfig, as the `kubernetes` package reads it, with its exec plugins and renewed tokens.

The package is imported only where a kubeconfig has more than addresses, certificates and a token.
"""

import logging
from pathlib import Path
from typing import Any, Final

import yaml

from workspace_ctrl.kube.access.access import Access, ConnectionConfigError, Tls, TlsFile
from workspace_ctrl.kube.access.kubeconfig_faults import PLUGIN_REMEDY, READABLE_FILE, fault_of, fields_of, logged_errors
from workspace_ctrl.kube.access.plain_kubeconfig import paths_of, read_plain_kubeconfig
from workspace_ctrl.kube.access.pod import SERVICE_ACCOUNT, PodAccess

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
        self._plain = plain = read_plain_kubeconfig(kubeconfig, context)
        if plain is not None:
            self.server, self.tls, self.proxy = plain.server, plain.tls, ""
            self._folder = plain.folder
            self._check_server()
            return
        self._configuration = found = self._load()
        self.server = (found.host or "").rstrip("/")
        self.tls = Tls(found.ssl_ca_cert, found.verify_ssl, found.cert_file, found.key_file, found.tls_server_name or "")
        self.proxy = found.proxy or ""
        self._check_server()

    def authorization(self) -> str:
        """Return the header; the `kubernetes` package renews tokens that it knows to have expired."""
        if self._plain is not None:
            return f"Bearer {self._plain.token}" if self._plain.token else ""
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
                self._configuration = self._load()
            self._plain = plain
        except ConnectionConfigError as error:
            logger.warning("%s", error)
        return self.authorization()

    def namespace(self) -> str:
        """Return the namespace of the context."""
        if (plain := read_plain_kubeconfig(self._kubeconfig, self._context)) is not None:
            return plain.namespace
        import kubernetes.config  # noqa: PLC0415
        from kubernetes.config.kube_config import (  # noqa: PLC0415
            KUBE_CONFIG_DEFAULT_LOCATION,
            KubeConfigLoader,
            KubeConfigMerger,
        )

        try:
            files = KubeConfigMerger(str(self._kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION)).config
            context = KubeConfigLoader(config_dict=files, active_context=self._context).current_context
            return str(context["context"].get("namespace") or "default")
        except (kubernetes.config.ConfigException, *_UNREADABLE) as error:
            raise self._error(*(fault_of(self._kubeconfig, self._context) or _unreadable(error))) from error

    def origin(self, file: TlsFile) -> str:
        """Return which field of which kubeconfig has the content of a file of `tls`, which may be a temporary one."""
        return fields_of(self._kubeconfig, self._context).get(file, self.tls.path(file))

    def _load(self) -> Any:  # noqa: ANN401 - the package has no types
        fault = fault_of(self._kubeconfig, self._context)
        if fault is not None:
            raise self._error(*fault)
        import kubernetes.client  # noqa: PLC0415
        import kubernetes.config  # noqa: PLC0415

        configuration = kubernetes.client.Configuration()
        try:
            with logged_errors() as errors:
                kubernetes.config.load_kube_config(
                    config_file=str(self._kubeconfig) if self._kubeconfig else None,
                    context=self._context,
                    client_configuration=configuration,
                )
        except (kubernetes.config.ConfigException, *_UNREADABLE) as error:
            raise self._error(*_unreadable(error)) from error
        if errors and not (configuration.api_key or configuration.cert_file):
            raise self._error(f"the exec plugin of its user gives no credentials: {errors[-1][:_LONGEST_ERROR]}", PLUGIN_REMEDY)
        return configuration

    def _check_server(self) -> None:
        if not self.server.lower().startswith(("https://", "http://")):
            what = f"server {self.server[:_LONGEST_ERROR]}, which is no URL" if self.server else "no server"
            raise self._error(f"the cluster of its context has {what}", "set one such as https://api.example:6443")

    def _error(self, words: str, remedy: str) -> ConnectionConfigError:
        return ConnectionConfigError(
            f"cannot load the connection to the API server: {paths_of(self._kubeconfig)}: {words}; {remedy}"
        )


def _unreadable(error: Exception) -> tuple[str, str]:
    """Return why a kubeconfig without a known fault cannot be read, and the way out."""
    words = " ".join(str(error).split())[:_LONGEST_ERROR] or type(error).__name__
    if isinstance(error, _OTHER_SHAPE):  # in words of Python
        words = f"it has not the shape of a kubeconfig ({type(error).__name__})"
    return words, READABLE_FILE


def load_access(kubeconfig: Path | None, context: str | None) -> Access:
    """Return the access to the API server: from the given kubeconfig, else the pod's ServiceAccount, else the user's kubeconfig.

    Raises:
        ConnectionConfigError: no configuration exists, or it cannot be read.
    """
    if kubeconfig is None and (SERVICE_ACCOUNT / "token").exists():
        return PodAccess()
    return KubeconfigAccess(kubeconfig, context)
