"""Settings of all tests, and the control plane that they share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from e2e import workspaces
from e2e.cluster import Cluster
from e2e.controller import ACTOR
from e2e.prepared import prepared
from tests.chart.rights import not_granted

# A deadline would be a timed assertion, and machines that run tests are noisy.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="session")
def installed(plane: Cluster) -> Iterator[Cluster]:
    """The control plane with the Workspace's CRD; controllers may do everything there, and must not use it."""
    workspaces.install_crd(plane)
    with prepared():
        yield plane
    assert not_granted(plane, ACTOR) == set()
