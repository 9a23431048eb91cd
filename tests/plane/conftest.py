"""The controller against a real control plane with real Flux; pods are played."""

from collections.abc import Iterator

import pytest

from e2e import workspaces
from e2e.cluster import Cluster


@pytest.fixture
def gateway(installed: Cluster, plane_namespace: str) -> Iterator[str]:
    """A Gateway in the test's namespace, by name; gone afterwards, so that no other test finds it."""
    workspaces.apply(installed, plane_namespace, *workspaces.played_gateway())
    yield "inference-gateway"
    installed.kubectl("delete", "gateway", "inference-gateway", "-n", plane_namespace, "--ignore-not-found")
