"""The chart's admission policies, for controllers that run beside a cluster instead of in it, under the name of an actor."""

import json
import subprocess
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import yaml

from e2e import workspaces
from e2e.cluster import Cluster, ClusterError
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from e2e.cluster.chart import NAME, chart
from e2e.controller import ACTOR
from e2e.release import ACCOUNT, NAMESPACE
from e2e.waiting import until

POLICY = "ValidatingAdmissionPolicy"
BINDING = f"{POLICY}Binding"
CHARTS = ("inferencepool", "another-inferencepool", "llm-d-router-gateway")
"""Charts of the clusters' registries, and of tests that push their own there."""


def install(cluster: Cluster, more: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Install the policies for controllers of a cluster, with its charts and `more` values; wait until the API server enforces some.

    Raises:
        ClusterError: Helm cannot render the chart.
    """
    documents = rendered({**values(cluster), **more})
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(documents))
    for probe in _PROBES:
        until(partial(_is_denied, cluster, probe), "the policies to be enforced")


def values(cluster: Cluster) -> dict[str, Any]:
    """Return the values of the chart for the charts in the cluster's registry."""
    sources = [{"name": name, "url": cluster.chart_source_url(name), "insecure": True} for name in CHARTS]
    router = {"url": cluster.chart_source_url("body-based-routing"), "insecure": True}
    return {
        "featureGates": {"gatewayAPIInferenceExtension": True},
        "chartSources": [*sources, {**sources[0], "name": "login", "secretRef": {"name": "no-such-login"}}],
        "bodyBasedRouting": {"mode": "managed", "chart": router},
        "flux2": {"enabled": False},
    }


def rendered(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return policies and bindings of the chart, with the user of controllers outside of pods in place of the chart's.

    Raises:
        ClusterError: Helm cannot render the chart, or its policies do not have what is to be replaced.
    """
    command = [str(build(FLUX).binary("helm")), "template", NAME, str(chart()), f"--namespace={NAMESPACE}", "--values=-"]
    result = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"helm template: {result.stderr.strip()}")
    documents = [document for document in yaml.safe_load_all(result.stdout) if document and document["kind"] in {POLICY, BINDING}]
    # The Leases of these controllers are in the namespaces of the tests, so that none waits for that of another test.
    leases = f'request.namespace == "{NAMESPACE}"', 'request.namespace.startsWith("test-")'
    for old, new in ((f'"{ACCOUNT}"', f'"{ACTOR}"'), leases):
        replaced = _replaced(documents, old, new)
        if replaced == documents:
            raise ClusterError(f"no policy of the chart has {old}")
        documents = replaced
    return documents


def _replaced(value: Any, old: str, new: str) -> Any:
    """Return a document, or part of one, with `old` replaced in all of its texts."""
    match value:
        case dict():
            return {key: _replaced(child, old, new) for key, child in value.items()}
        case list():
            return [_replaced(child, old, new) for child in value]
        case str():
            return value.replace(old, new)
    return value


def refusal(cluster: Cluster, document: dict[str, Any]) -> str:
    """Return the error of the API server for a controller that creates an object; empty if it accepts it. Nothing is stored."""
    command = [*cluster.kubectl_command(ACTOR), "create", "--dry-run=server", "-n", "default", "-f", "-"]
    return subprocess.run(command, input=json.dumps(document), capture_output=True, text=True, check=False).stderr


def _is_denied(cluster: Cluster, document: dict[str, Any]) -> bool:
    return "denied request" in refusal(cluster, document)


_SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "probe"}, "spec": {"ports": [{"port": 80}]}}
_PROBES = (_SERVICE, workspaces.workspace("probe"))
"""Objects that a controller may not create; one for each kind of policy that is compiled last."""
