"""A cluster whose pods run, with the Workspace's CRD; and one without anything, for the chart."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from e2e import policies, workspaces
from e2e.agreement.scene import ADDONS, ENVOY_GATEWAY
from e2e.cluster import Cluster, Form, LocalCluster, MissingCapabilityError, down, up
from e2e.controller import ACTOR
from e2e.prepared import prepared
from e2e.release import Release
from e2e.waiting import KUBECTL_TIMEOUT
from tests.chart.rights import missing, not_granted
from tests.refused_statuses import refused_statuses


@pytest.fixture(scope="session")
def serving_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, ready for Workspaces; RBAC allows controllers everything there, which they must not use."""
    workspaces.install_crd(cluster)
    with ExitStack() as interpreters:
        if isinstance(cluster, LocalCluster):
            policies.install(cluster)
            interpreters.enter_context(prepared(inside=cluster))
        interpreters.enter_context(prepared())
        yield cluster
    with suppress(MissingCapabilityError):
        assert not_granted(cluster, ACTOR) == set()
        assert refused_statuses(cluster) == []


@pytest.fixture(scope="session")
def bare_cluster(bare_cluster: LocalCluster) -> Iterator[LocalCluster]:
    """The cluster without anything; no status that a controller writes there may be refused."""
    since = bare_cluster.audit_place()
    yield bare_cluster
    assert refused_statuses(bare_cluster, since) == []


@pytest.fixture
def envoy_gateway_cluster() -> Iterator[LocalCluster]:
    """A cluster with Envoy Gateway and without Istio: where there are both, they write each other's statuses."""
    name = f"test-envoy-gateway-{os.getpid()}"
    try:
        cluster = up(name, Form.FULL, [*ADDONS, ENVOY_GATEWAY.addon])
        workspaces.install_crd(cluster)
        yield cluster
        assert refused_statuses(cluster) == []
    finally:
        down(name)


@pytest.fixture
def release(bare_cluster: LocalCluster) -> Iterator[Release]:
    """A release of our chart that is not there yet, on a cluster that may have had one; afterwards nothing is left of it but CRDs.

    Whatever a test does, no call of the controller is forbidden for a rule that the chart has not.
    """
    yield from _release(bare_cluster, crds=False)


@pytest.fixture
def first_release(bare_cluster: LocalCluster) -> Iterator[Release]:
    """The same on a cluster that has no CRDs of an earlier one, and has none afterwards."""
    yield from _release(bare_cluster, crds=True)


def _release(cluster: LocalCluster, *, crds: bool) -> Iterator[Release]:
    made = Release(cluster)
    made.remove(crds=crds)
    yield made
    lacked = missing(made.events())
    made.remove(crds=crds)
    assert lacked == set()


@pytest.fixture
def team(bare_cluster: LocalCluster) -> Iterator[str]:
    """A namespace of the test's own on the cluster where the chart is installed."""
    name = f"team-{secrets.token_hex(4)}"
    bare_cluster.kubectl("create", "namespace", name)
    bare_cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, KUBECTL_TIMEOUT)
    yield name
    bare_cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def behind(bare_cluster: LocalCluster) -> Iterator[dict[str, Any]]:
    """A Gateway for all tests that only have models behind it: the field by which a Workspace names it."""
    namespace = "shared-gateway"
    bare_cluster.kubectl("create", "namespace", namespace)
    bare_cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", namespace, KUBECTL_TIMEOUT)
    with workspaces.programmed_gateway(bare_cluster, namespace) as field:
        yield field
    bare_cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def behind_its_own(bare_cluster: LocalCluster, team: str) -> Iterator[dict[str, Any]]:
    """The same of a Gateway in the team's namespace, which no other test uses."""
    with workspaces.programmed_gateway(bare_cluster, team) as field:
        yield field
