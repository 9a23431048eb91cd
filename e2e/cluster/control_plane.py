"""etcd, API server, controller manager and scheduler: their flags and files in both forms."""

import json
from pathlib import Path

from e2e.cluster import identity
from e2e.cluster.audit_log import audit_policy
from e2e.cluster.builder import Build
from e2e.cluster.forms import Form
from e2e.cluster.isolation import NODE_IP, SERVICE_CIDR
from e2e.cluster.places import INSIDE, ClusterPlaces
from e2e.cluster.program import Program
from e2e.cluster.settings import Settings

AUDIT_MEGABYTES = 10_000
"""Large enough that the log is never rotated away under a test that reads it."""


def programs(settings: Settings, places: ClusterPlaces, kubernetes: Build) -> list[Program]:
    """Return the programs of the control plane above etcd, in the order in which they are started."""
    return [
        _api_server(settings, places, kubernetes),
        _controller_manager(places, kubernetes),
        _scheduler(places, kubernetes),
    ]


def etcd(settings: Settings, places: ClusterPlaces, kubernetes: Build) -> Program:
    """Return the storage of the API server."""
    client = f"http://127.0.0.1:{settings.ports['etcd']}"
    peer = f"http://127.0.0.1:{settings.ports['etcd-peer']}"
    return Program.make(
        "etcd",
        kubernetes.binary("server"),
        f"--data-dir={places.data / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--quota-backend-bytes={8 * 1024**3}",  # the largest that etcd recommends; 500 hostile Workspaces need more than its default
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def _api_server(settings: Settings, places: ClusterPlaces, kubernetes: Build) -> Program:
    policy = places.config / "audit-policy.yaml"
    policy.write_text(json.dumps(audit_policy()))
    return Program.make(
        "kube-apiserver",
        kubernetes.binary("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{settings.ports['etcd']}",
        f"--secure-port={settings.ports['api']}",
        *_addresses(settings.form),
        f"--tls-cert-file={identity.certificate(places)}",
        f"--tls-private-key-file={identity.key(places)}",
        f"--token-auth-file={identity.token_file(places)}",
        "--authorization-mode=RBAC",
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",  # as OpenShift does: it asks for one right more
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={identity.certificate(places)}",
        f"--service-account-signing-key-file={identity.key(places)}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={places.audit_log}",
        f"--audit-log-maxsize={AUDIT_MEGABYTES}",
        "--profiling=false",
        *_front_proxy(places),
    )


def _front_proxy(places: ClusterPlaces) -> list[str]:
    """Return how the API server shows API servers behind it, such as that of KEDA's metrics, whose requests it forwards."""
    return [
        f"--proxy-client-cert-file={identity.certificate(places)}",
        f"--proxy-client-key-file={identity.key(places)}",
        f"--requestheader-client-ca-file={identity.certificate(places)}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]


def _addresses(form: Form) -> list[str]:
    if form is Form.FULL:
        return ["--bind-address=0.0.0.0", f"--advertise-address={NODE_IP}"]
    return ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"]


def _controller_manager(places: ClusterPlaces, kubernetes: Build) -> Program:
    return Program.make(
        "kube-controller-manager",
        kubernetes.binary("kube-controller-manager"),
        *_client(places, "kube-controller-manager"),
        f"--service-account-private-key-file={identity.key(places)}",
        f"--root-ca-file={identity.certificate(places)}",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--profiling=false",
        restarts=True,  # it ends when it waits for more than 10 s for an API server that is slow to start
    )


def _scheduler(places: ClusterPlaces, kubernetes: Build) -> Program:
    return Program.make(
        "kube-scheduler",
        kubernetes.binary("kube-scheduler"),
        *_client(places, "kube-scheduler"),
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--profiling=false",
    )


def _client(places: ClusterPlaces, name: str) -> list[str]:
    config: Path = places.kubeconfig(name, INSIDE)
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
