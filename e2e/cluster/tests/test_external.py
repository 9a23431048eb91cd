"""The adapter for other clusters, tried on our own one through nothing but its kubeconfig."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import os

import pytest

from e2e.cluster import MissingCapabilityError
from e2e.cluster.builder import build
from e2e.cluster.catalog import KUBERNETES
from e2e.cluster.errors import ClusterError
from e2e.cluster.external import ExternalCluster
from e2e.cluster.images import VLLM_IMAGE


@pytest.fixture
def external(cluster, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("PATH", f"{build(KUBERNETES).binary('kubectl').parent}:{os.environ['PATH']}")
    monkeypatch.setenv("WORKSPACE_CTRL_E2E_IMAGE", VLLM_IMAGE)
    return ExternalCluster()


def test_commands_run_in_a_helper_pod(external):
    result = external.run(["sh", "-c", "read word; echo $word $X $(hostname)"], input="hello\n", env={"X": "there"})
    assert (result.returncode, result.stdout) == (0, "hello there helper\n")


def test_addons_and_gpus_are_found(external, cluster):
    assert external.addons >= {"flux", "gateway-api", "istio"}
    assert external.gpu_node_name == cluster.gpu_node_name


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda external: external.audit_events("admin"), id="audit log"),
        pytest.param(lambda external: external.audit_events_with("status"), id="audit log of everybody"),
        pytest.param(lambda external: external.audit_place(), id="place in the audit log"),
        pytest.param(lambda external: external.logs("etcd"), id="log"),
        pytest.param(lambda external: external.stop_program("etcd"), id="stop"),
        pytest.param(lambda external: external.inside_kubeconfig, id="inside kubeconfig"),
        pytest.param(lambda external: external.chart_source_url(), id="charts"),
    ],
)
def test_what_is_out_of_reach_is_refused_by_name(external, ask):
    with pytest.raises(MissingCapabilityError, match="an external cluster does not offer"):
        ask(external)


def test_without_a_kubeconfig_it_says_so(monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(ClusterError, match="needs KUBECONFIG"):
        ExternalCluster()
