"""A control plane with real Flux whose API server is reached through a proxy that misbehaves on request."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import workspaces
from e2e.cluster import Cluster
from e2e.controller import ACTOR
from tests.faults import proxy as faults
from tests.plane.conftest import gateway

__all__ = ["gateway"]

_ROOM = {"nvidia.com/gpu": "1000", "pods": "5000"}


@pytest.fixture(scope="package", autouse=True)
def _room(plane: Cluster) -> Iterator[None]:
    """Room for many Workspaces on the node."""
    node = json.loads(plane.kubectl("get", "node", plane.gpu_node_name, "--output=json"))
    before = {field: {name: node["status"][field][name] for name in _ROOM} for field in ("capacity", "allocatable")}
    _set_status(plane, {"capacity": _ROOM, "allocatable": _ROOM})
    yield
    _set_status(plane, before)


def _set_status(plane: Cluster, status: dict[str, dict[str, str]]) -> None:
    patch = json.dumps({"status": status})
    plane.kubectl("patch", "node", plane.gpu_node_name, "--subresource=status", "--type=merge", "--patch", patch)


@pytest.fixture
def behind(gateway: str, plane_namespace: str) -> dict:
    return workspaces.behind(gateway, plane_namespace)


@pytest.fixture
def proxy(plane: Cluster) -> Iterator[faults.FaultProxy]:
    with faults.in_thread(plane.kubeconfig) as serving:
        yield serving


@pytest.fixture
def through_proxy(proxy: faults.FaultProxy, plane: Cluster, tmp_path: Path) -> Path:
    """The controller's kubeconfig, through the proxy."""
    return faults.kubeconfig_through(proxy, plane.kubeconfig_for(ACTOR), tmp_path)
