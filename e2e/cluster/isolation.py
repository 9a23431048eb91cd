"""The inside of the cluster's namespaces: what the supervisor sets up before the first program starts.

Runs as pid 1 of new network, mount and pid namespaces, so nothing here needs undoing: it all ends with the process.
The node's address lies on the loopback interface, which takes no kernel module; pods hang on point-to-point links,
so that even traffic between two pods of the node is routed and Services work without the bridge's netfilter module.
"""

import os
import subprocess
from pathlib import Path

from e2e.cluster.places import ClusterPlaces, cache_dir

NODE_IP = "10.244.255.1"
POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
DNS_IP = "10.96.0.10"

WRITTEN_BY_NODE_PROGRAMS = ("/var/lib", "/var/log")
"""Folders of the host in which kubelet and CNI plugins insist on writing; inside they get a throw-away layer."""


def enter(places: ClusterPlaces) -> None:
    """Turn fresh namespaces into a machine for one node."""
    _mounts(places)
    _network()


def _mounts(places: ClusterPlaces) -> None:
    kept = [path for path in (cache_dir(), places.root) if path.is_dir()]
    handles = {path: os.open(path, os.O_PATH) for path in kept}
    resolv_conf = Path("/etc/resolv.conf").resolve()
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "cluster", "/run")
    layers = Path("/run/layers")
    for folder in WRITTEN_BY_NODE_PROGRAMS:
        upper, work = layers / folder[1:] / "upper", layers / folder[1:] / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        options = f"lowerdir={folder},upperdir={upper},workdir={work}"
        _run("mount", "-t", "overlay", "-o", options, "cluster", folder)
    for path, handle in handles.items():
        if path.is_relative_to("/run"):
            path.mkdir(parents=True, exist_ok=True)
        _run("mount", "--rbind", f"/proc/{os.getpid()}/fd/{handle}", str(path))
        os.close(handle)
    Path("/run/netns").mkdir()
    _run("mount", "--make-rshared", "/run")
    _run("mount", "--make-rshared", str(places.root))
    _resolver(places, resolv_conf)


def _resolver(places: ClusterPlaces, resolv_conf: Path) -> None:
    ours = places.config / "resolv.conf"
    ours.write_text(f"nameserver {DNS_IP}\nsearch svc.cluster.local cluster.local\noptions ndots:3 timeout:2\n")
    if not resolv_conf.exists():
        resolv_conf.parent.mkdir(parents=True, exist_ok=True)
        resolv_conf.touch()
    _run("mount", "--bind", str(ours), str(resolv_conf))


def _network() -> None:
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{NODE_IP}/32", "dev", "lo")
    _run("ip", "route", "add", SERVICE_CIDR, "dev", "lo", "src", NODE_IP)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise OSError(f"{' '.join(command)}: {result.stderr.strip()}")
