"""Who is who in a cluster: the API server's certificate, a token per actor, and the kubeconfigs that carry them.

Every program and every actor has a token of its own, so the audit log tells their calls apart.
"""

import base64
import json
import secrets
import subprocess
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.cluster.isolation import NODE_IP
from e2e.cluster.places import ClusterPlaces

CONTROLLER = "controller"
ACTORS = ("admin", CONTROLLER, "user")
"""Whose calls the audit log keeps. All are cluster admins."""

INSTALLER = "local-cluster"
"""Who installs the add-ons."""

PROGRAMS = (
    INSTALLER,
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "source-controller",
    "helm-controller",
    "coredns",
    "kwok",
    "istiod",
)
"""Programs with a token of their own, whose calls the audit log leaves out."""

ALT_NAMES = (
    "DNS:localhost",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "DNS:kubernetes.default.svc.cluster.local",
    "IP:127.0.0.1",
    "IP:10.96.0.1",
    f"IP:{NODE_IP}",
)


def create(places: ClusterPlaces) -> None:
    """Make the certificate and the token file of a new cluster."""
    places.pki.mkdir(mode=0o700)
    _certificate(certificate(places), key(places))
    everybody = (*ACTORS, *PROGRAMS)
    rows = [f'{secrets.token_hex(16)},{user},{user},"system:masters"' for user in everybody]
    token_file(places).write_text("\n".join(rows) + "\n")


def certificate(places: ClusterPlaces) -> Path:
    """Return the API server's certificate, which is its own authority."""
    return places.pki / "api.crt"


def key(places: ClusterPlaces) -> Path:
    """Return the certificate's key, which also signs service account tokens."""
    return places.pki / "api.key"


def token_file(places: ClusterPlaces) -> Path:
    """Return the file for --token-auth-file."""
    return places.pki / "tokens.csv"


def token(places: ClusterPlaces, actor: str) -> str:
    """Return the token of an actor or program."""
    for row in token_file(places).read_text().splitlines():
        value, user, *_ = row.split(",")
        if user == actor:
            return value
    raise ClusterError(f"nobody is called {actor}; actors are {', '.join(ACTORS)}")


def write_kubeconfigs(places: ClusterPlaces, where: str, server: str) -> None:
    """Write the kubeconfig of everybody for a place from which the API server is at `server`."""
    for user in (*ACTORS, *PROGRAMS):
        path = places.kubeconfig(user, where)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(json.dumps(_kubeconfig(places, user, server), indent=1))
        path.chmod(0o600)


def _kubeconfig(places: ClusterPlaces, user: str, server: str) -> dict[str, object]:
    """Return a kubeconfig; JSON is YAML, too.

    On one machine, to compress answers only takes time. The controller's are compressed, as those of its pods are, which it is measured by.
    """
    authority = base64.b64encode(certificate(places).read_bytes()).decode()
    cluster = {"server": server, "certificate-authority-data": authority, "disable-compression": user != CONTROLLER}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": places.name, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token(places, user)}}],
        "contexts": [{"name": places.name, "context": {"cluster": places.name, "user": user}}],
        "current-context": places.name,
    }


def _certificate(target: Path, target_key: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "30", "-subj", "/CN=kube-apiserver", "-addext", f"subjectAltName={','.join(ALT_NAMES)}"]
    command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    command += ["-keyout", str(target_key), "-out", str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"openssl made no certificate:\n{result.stderr.strip()}")
