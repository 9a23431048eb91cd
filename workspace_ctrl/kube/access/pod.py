"""Access from inside a pod: three files and two variables.

They are read here, because the `kubernetes` package, which could do it, has the classes of the whole Kubernetes API: 9 MiB of memory.
"""

import logging
import os
from pathlib import Path
from typing import Final

from workspace_ctrl.kube.access.access import Access, ConnectionConfigError, Tls
from workspace_ctrl.kube.access.proxy import environment_proxy

logger = logging.getLogger(__name__)

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has the token of its ServiceAccount and the cluster's certificate authority."""


class PodAccess(Access):
    """Access of a pod with a ServiceAccount."""

    def __init__(self, folder: Path = SERVICE_ACCOUNT) -> None:
        """Read the token and the certificate authority in `folder`.

        Raises:
            ConnectionConfigError: a file or a variable is missing.
        """
        self.server = server_of_pods(f"with the ServiceAccount in {folder}", "--kubeconfig")
        self.tls = Tls(authority=str(folder / "ca.crt"))
        self.proxy = environment_proxy(self.server)
        self._token, self._namespace = folder / "token", folder / "namespace"
        self._header = ""
        if not (folder / "ca.crt").is_file() or not self.authorization():
            raise ConnectionConfigError(f"cannot connect to the API server: ca.crt or token in {folder} is missing or empty")

    def namespace(self) -> str:
        """Return the namespace of the pod."""
        try:
            return self._namespace.read_text(encoding="utf-8").strip() or "default"
        except OSError as error:
            raise ConnectionConfigError(f"cannot read the namespace of the pod: {error}") from error

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


def server_of_pods(how: str, option: str) -> str:
    """Return the URL of the API server as pods have it in their environment; `how` to connect and `option` are for the error.

    Raises:
        ConnectionConfigError: a variable is missing.
    """
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    if not host or not port:
        raise ConnectionConfigError(
            f"cannot connect to the API server {how}: "
            f"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; set {option} outside a pod"
        )
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
