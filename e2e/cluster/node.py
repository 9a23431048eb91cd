"""The node of the full form: containerd, kubelet and kube-proxy, and their configuration."""

import json
from pathlib import Path

from e2e.cluster import isolation
from e2e.cluster.builder import Build
from e2e.cluster.distribution import CNI_PLUGINS
from e2e.cluster.images import PAUSE_IMAGE
from e2e.cluster.places import INSIDE, ClusterPlaces
from e2e.cluster.program import Program
from e2e.cluster.settings import Settings

CONTAINERD_NAMESPACE = "k8s.io"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
"""Inside, /run is the cluster's own, so a containerd of the host is neither seen nor disturbed."""

CGROUP_PARENT = "k8s.io"
"""The control group in which containerd puts pods when the kubelet names none, after containerd's own namespace."""


def containerd_root(places: ClusterPlaces) -> Path:
    """Return the folder of containerd's images and containers."""
    return places.data / "containerd"


def containerd_serves(pid: int) -> bool:
    """Say whether containerd listens in the mount namespace of a process."""
    return Path(f"/proc/{pid}/root{CONTAINERD_SOCKET}").exists()


def container_ids(places: ClusterPlaces) -> list[str]:
    """Return the containers that run, or ran when the node died: each is a control group of that name."""
    folder = containerd_root(places) / "io.containerd.runtime.v2.task" / CONTAINERD_NAMESPACE
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def containerd(settings: Settings, places: ClusterPlaces) -> Program:
    """Return containerd, with its configuration written."""
    _write_cni_config(places)
    _write_registries(settings, places)
    config = places.config / "containerd.toml"
    config.write_text(_containerd_config(places))
    return Program.make("containerd", "containerd", f"--config={config}", "--log-level=warn")


def programs(settings: Settings, places: ClusterPlaces, kubernetes: Build) -> list[Program]:
    """Return kubelet and kube-proxy, with their configuration written."""
    kubelet_config, proxy_config = places.config / "kubelet.yaml", places.config / "kube-proxy.yaml"
    kubelet_config.write_text(json.dumps(_kubelet_config(places)))
    proxy_config.write_text(json.dumps(_proxy_config(places)))
    (places.config / "no-upstream-dns").touch()
    kubelet = Program.make(
        "kubelet",
        kubernetes.binary("kubelet"),
        f"--kubeconfig={places.kubeconfig('kubelet', INSIDE)}",
        f"--config={kubelet_config}",
        f"--root-dir={places.data / 'kubelet'}",
        f"--cert-dir={places.data / 'kubelet-pki'}",
        f"--hostname-override={settings.node_name}",
        f"--node-ip={isolation.NODE_IP}",
    )
    proxy = Program.make(
        "kube-proxy",
        kubernetes.binary("kube-proxy"),
        f"--config={proxy_config}",
        f"--hostname-override={settings.node_name}",
    )
    return [kubelet, proxy]


def _containerd_config(places: ClusterPlaces) -> str:
    return f"""\
version = 2
root = "{containerd_root(places)}"
state = "/run/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = "{places.config / "cni"}"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{places.config / "registries"}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = false
"""


def _write_registries(settings: Settings, places: ClusterPlaces) -> None:
    """Send every pull to the cluster's own registry, whatever registry the image's name says."""
    folder = places.config / "registries" / "_default"
    folder.mkdir(parents=True)
    server = f"http://{settings.registry}"
    (folder / "hosts.toml").write_text(f'server = "{server}"\n[host."{server}"]\n  capabilities = ["pull", "resolve"]\n')


def _write_cni_config(places: ClusterPlaces) -> None:
    folder = places.config / "cni"
    folder.mkdir(exist_ok=True)
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": isolation.POD_CIDR}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    config = {"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}]}
    (folder / "pods.conflist").write_text(json.dumps(config))


def _kubelet_config(places: ClusterPlaces) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",  # noqa: S104 - inside the cluster's own network namespace
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [isolation.DNS_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": str(places.config / "no-upstream-dns"),
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "oomScoreAdj": 0,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi"},
        "maxPods": 200,
        "registryPullQPS": 0,
        "serializeImagePulls": False,
        "syncFrequency": "5s",
        "nodeStatusUpdateFrequency": "5s",
        "podLogsDir": str(places.logs / "pods"),
        "volumePluginDir": str(places.data / "volume-plugins"),
    }


def _proxy_config(places: ClusterPlaces) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(places.kubeconfig("kube-proxy", INSIDE))},
        "mode": "nftables",
        "clusterCIDR": isolation.POD_CIDR,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nftables": {"syncPeriod": "30s", "minSyncPeriod": "100ms"},
    }
