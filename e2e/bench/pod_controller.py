"""The controller as it runs in a pod: it finds the API server by the files of a ServiceAccount and two variables, not by a kubeconfig.

So its memory is that of the container, without the package that reads kubeconfigs.
"""

import base64
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from e2e.cluster import Cluster
from e2e.controller import ACTOR, ControllerProcess
from e2e.prepared import Running
from workspace_ctrl.kube.access.pod import SERVICE_ACCOUNT

_MOUNT: Final = f'mount -t tmpfs pod /run && mkdir -p {SERVICE_ACCOUNT} && cp "$0"/* {SERVICE_ACCOUNT} && exec "$@"'


class PodController(ControllerProcess):
    """A controller in a mount namespace of its own, which has the files of a ServiceAccount."""

    def __init__(self, cluster: Cluster, *arguments: str) -> None:
        """Prepare a controller of `cluster` with further `arguments`."""
        super().__init__(cluster, *arguments, may_fork=False)
        self._folder = tempfile.TemporaryDirectory()
        self._environment = _mounted(cluster, Path(self._folder.name))

    def _start(self) -> Running:
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, self._folder.name, *self._command]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=self._environment)


def _mounted(cluster: Cluster, folder: Path) -> dict[str, str]:
    """Write the files of a ServiceAccount into `folder`; return the environment of its pod."""
    kubeconfig = yaml.safe_load(cluster.kubeconfig_for(ACTOR).read_text())
    server, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    (folder / "token").write_text(user["token"])
    (folder / "ca.crt").write_bytes(base64.b64decode(server["certificate-authority-data"]))
    (folder / "namespace").write_text("workspace-ctrl")
    address = urlsplit(server["server"])
    kept = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return {**kept, "KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port)}
