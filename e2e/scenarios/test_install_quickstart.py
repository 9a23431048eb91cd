"""The quickstart, followed to the letter on a cluster that has nothing, until nothing is left to do."""

import os

import pytest

from e2e import guide, quickstart
from e2e.cluster import Form, down, up
from e2e.cluster.errors import NotPossibleError
from e2e.cluster.own_image import version
from e2e.cluster.places import REPOSITORY
from e2e.release import import_image

ADDONS = ("registry", "coredns", "istio-images", "endpoint-picker", "flux-images", "llama-cpp-standin")
"""What a cluster of kind has as well, or fetches: DNS, charts and images."""


@pytest.fixture
def empty_cluster():
    """A cluster of the test's own, because the others have had Istio and CRDs for long."""
    name = f"test-quickstart-{os.getpid()}"
    try:
        cluster = up(name, Form.FULL, ADDONS)
        import_image(cluster, tag=version())
        yield cluster
    except NotPossibleError as error:
        pytest.skip(str(error))
    finally:
        down(name)


def test_the_quickstart_works_as_it_is_written(empty_cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    replaced = quickstart.replacements(empty_cluster, tmp_path)
    assert [text for text in replaced if text not in quickstart.PAGE.read_text()] == []
    path = f"{empty_cluster.environment()['PATH']}:{quickstart.PROGRAMS}"
    # The commands are those of this folder, also where the environment has another one installed.
    with guide.Shell(empty_cluster, {"PATH": path, "PYTHONPATH": str(REPOSITORY)}) as shell:
        guide.follow(shell, guide.adapted(quickstart.steps(), replaced))
