"""Settings of all tests, and the control plane that they share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from e2e import policies, workspaces
from e2e.cluster import Cluster
from e2e.controller import ACTOR
from e2e.prepared import prepared
from e2e.release import NAMESPACE
from tests.chart.rights import not_granted
from tests.refused_statuses import refused_statuses

# A deadline would be a timed assertion, and machines that run tests are noisy.
settings.register_profile("project", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("project")


@pytest.fixture(scope="session")
def installed(plane: Cluster) -> Iterator[Cluster]:
    """The control plane with the Workspace's CRD, the chart's policies, and the namespace of a release.

    RBAC allows controllers everything, which they must not use. And no status that they write may be refused.
    """
    since = plane.audit_place()
    workspaces.install_crd(plane)
    policies.install(plane)
    workspaces.apply(plane, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    with prepared():
        yield plane
    assert not_granted(plane, ACTOR) == set()
    assert refused_statuses(plane, since) == []
