"""The pytest plugin: clusters as session fixtures, a fresh namespace per test.

Programs are built before the first test, outside every test's time limit. A cluster is started by the first test that
asks for it and taken down at the end; with WORKSPACE_CTRL_CLUSTER=NAME that running cluster is used and stays.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator

import pytest

from e2e.cluster import addons as registry
from e2e.cluster import external, leftovers
from e2e.cluster.errors import ClusterError, NotPossibleError
from e2e.cluster.forms import Form
from e2e.cluster.local import LocalCluster
from e2e.cluster.protocol import Cluster
from e2e.cluster.start import down, prepare, up

REUSE = "WORKSPACE_CTRL_CLUSTER"
REUSE_BARE = "WORKSPACE_CTRL_BARE_CLUSTER"
BARE = (
    "registry",
    "gateway-api",
    "coredns",
    "istio",
    "gpus",
    "endpoint-picker",
    "vllm",
    "body-based-router",
    "flux-images",
    "workspace-ctrl-image",
)
FIXTURES = {
    "cluster": (Form.FULL, (registry.ALL,)),
    "bare_cluster": (Form.FULL, BARE),
    "plane": (Form.PLANE, (registry.ALL,)),
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the collected tests will need."""
    if session.config.option.collectonly:
        return
    names = {name for item in session.items for name in _of_this_plugin(item)}
    manager = session.config.pluginmanager.getplugin("capturemanager")
    with manager.global_and_fixture_disabled() if manager else contextlib.nullcontext():
        for fixture, (form, addons) in FIXTURES.items():
            if fixture in names and (fixture != "cluster" or not (external.wanted() or os.environ.get(REUSE))):
                # Whatever is wrong is said again by the fixture, where it counts against the tests that need it.
                with contextlib.suppress(ClusterError):
                    prepare(form, registry.choose(addons, form), install_packages=False)


def _of_this_plugin(item: pytest.Item) -> Iterator[str]:
    """Yield the clusters that a test uses; one of its own may bear the same name, as a fixture or a parameter."""
    if isinstance(item, pytest.Function):
        for name, definitions in item._fixtureinfo.name2fixturedefs.items():  # noqa: SLF001 - names alone are public
            if name in FIXTURES and definitions[-1].func.__module__ == __name__:
                yield name


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster whose pods really run, with every add-on."""
    if external.wanted():
        yield external.ExternalCluster()
        return
    if reused := os.environ.get(REUSE):
        yield LocalCluster.attach(reused)
        return
    yield from _started("cluster")


@pytest.fixture(scope="session")
def bare_cluster() -> Iterator[LocalCluster]:
    """A cluster whose pods really run, without Flux and without our CRD: the controller is installed there from its chart."""
    if reused := os.environ.get(REUSE_BARE):
        yield LocalCluster.attach(reused)
        return
    yield from _started("bare_cluster")


@pytest.fixture(scope="session")
def plane() -> Iterator[LocalCluster]:
    """A control plane with Flux and a simulated node; its pods are only played."""
    yield from _started("plane")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own on `cluster`."""
    yield from _fresh_namespace(cluster)


@pytest.fixture
def plane_namespace(plane: LocalCluster) -> Iterator[str]:
    """A namespace of the test's own on `plane`; it stays there, without what the test has left in it."""
    since = plane.audit_place()
    name = _create_namespace(plane)
    yield name
    leftovers.remove(plane, name, since)


def _started(fixture: str) -> Iterator[LocalCluster]:
    form, addons = FIXTURES[fixture]
    name = f"test-{fixture.replace('_', '-')}-{os.getpid()}"
    try:
        yield up(name, form, addons)
    except NotPossibleError as error:
        pytest.skip(str(error))
    except ClusterError as error:
        pytest.fail(str(error), pytrace=False)
    finally:
        down(name)


def _fresh_namespace(cluster: Cluster) -> Iterator[str]:
    name = _create_namespace(cluster)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def _create_namespace(cluster: Cluster) -> str:
    name = f"test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    # A pod is refused until its namespace has a service account.
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--namespace", name, "--timeout=240s")
    return name
