"""A cluster whose pods run, with the Workspace's CRD."""

import pytest

from e2e import workspaces
from e2e.cluster import Cluster


@pytest.fixture(scope="session")
def serving_cluster(cluster: Cluster) -> Cluster:
    """The cluster, ready for Workspaces."""
    workspaces.install_crd(cluster)
    return cluster
