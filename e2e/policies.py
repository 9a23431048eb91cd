"""The chart's admission policies, for controllers that run beside a cluster instead of in it, under the name of an actor."""

import json
import subprocess
from collections.abc import Mapping
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
        until(lambda probe=probe: "denied request" in refusal(cluster, probe), "the policies to be enforced")  # type: ignore[misc]


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


def rendered(given: dict[str, Any], user: str = ACTOR) -> list[dict[str, Any]]:
    """Return policies and bindings of the chart, with `user` as the controller.

    Raises:
        ClusterError: Helm cannot render the chart.
    """
    command = [str(build(FLUX).binary("helm")), "template", NAME, str(chart()), f"--namespace={NAMESPACE}", "--values=-"]
    result = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"helm template: {result.stderr.strip()}")
    documents = [document for document in yaml.safe_load_all(result.stdout) if document]
    text = yaml.safe_dump_all(document for document in documents if document["kind"] in {POLICY, BINDING})
    # The Leases of these controllers are in the namespaces of the tests, so that none waits for that of another test.
    place, of_tests = f'request.namespace == "{NAMESPACE}"', 'request.namespace.startsWith("test-")'
    if user == ACTOR and place not in text:
        raise ClusterError(f"the policy of Leases does not say {place}")
    return list(yaml.safe_load_all(text.replace(f'"{ACCOUNT}"', f'"{user}"').replace(place, of_tests)))


def refusal(cluster: Cluster, document: dict[str, Any]) -> str:
    """Return what the API server tells a controller that would create an object."""
    command = [*cluster.kubectl_command(ACTOR), "create", "--dry-run=server", "-n", "default", "-f", "-"]
    return subprocess.run(command, input=json.dumps(document), capture_output=True, text=True, check=False).stderr


_SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "probe"}, "spec": {"ports": [{"port": 80}]}}
_PROBES = (_SERVICE, workspaces.workspace("probe"))
"""Objects that a controller may not create; one for each kind of policy that is compiled last."""
