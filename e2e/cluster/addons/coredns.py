"""Cluster DNS: CoreDNS as a process on the node's address, behind a Service without selector."""

import json
from pathlib import Path

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import COREDNS
from e2e.cluster.forms import Form
from e2e.cluster.installation import Installation
from e2e.cluster.isolation import DNS_IP, NODE_IP
from e2e.cluster.places import INSIDE
from e2e.cluster.program import Program

NAMESPACE = "kube-system"
NAME = "kube-dns"
PROTOCOLS = ("UDP", "TCP")


def install(work: Installation) -> None:
    """Start CoreDNS and make it the Service that the kubelet gives to pods."""
    configuration = work.places.config / "Corefile"
    configuration.write_text(corefile(work.places.kubeconfig("coredns", INSIDE)))
    work.start(Program.make("coredns", work.build(COREDNS).binary("coredns"), f"-conf={configuration}"))
    work.apply(f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}", json.dumps(_service()).encode())
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/{NAME}"
    work.apply(slices, json.dumps(_endpoints()).encode())


def corefile(kubeconfig: Path) -> str:
    """Return CoreDNS's configuration; `programs/coredns/main.go` has the plugins that it names, and no others."""
    return f".:53 {{\n  bind {NODE_IP}\n  errors\n  kubernetes cluster.local {{\n    kubeconfig {kubeconfig}\n  }}\n}}\n"


def _service() -> dict[str, object]:
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in PROTOCOLS]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"clusterIP": DNS_IP, "ports": ports},
    }


def _endpoints() -> dict[str, object]:
    ports = [{"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol} for protocol in PROTOCOLS]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_IP], "conditions": {"ready": True}}],
        "ports": ports,
    }


ADDON = Addon("coredns", "names of Services", install, folders=(COREDNS,), forms=frozenset({Form.FULL}))
