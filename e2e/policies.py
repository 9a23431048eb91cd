"""The chart's admission policies, for controllers that run beside a cluster instead of in it, under the name of an actor."""

import json
import secrets
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import yaml

from e2e.cluster import Cluster, ClusterError
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from e2e.cluster.chart import NAME, chart
from e2e.controller import ACTOR
from e2e.release import ACCOUNT, NAMESPACE
from e2e.waiting import until
from workspace_ctrl.api.yaml.documents import FAST_LOADER

POLICY = "ValidatingAdmissionPolicy"
BINDING = f"{POLICY}Binding"
_FORK: dict[str, Any] = {"layout": "inferencepool"}
CHARTS: dict[str, dict[str, Any]] = {
    "inferencepool": {},
    "another-inferencepool": _FORK,
    "llm-d-router-gateway": {"version": "v0.10.0"},
}
"""Charts of the clusters' registries, and of tests that push their own there, with what else their sources need."""
PINNED = "pinned-inferencepool"
"""A chart that no registry has; its source is pinned to `ALLOWED_DIGEST`."""
ALLOWED_DIGEST = f"sha256:{'a' * 64}"
"""A digest of no chart; Workspaces may choose it for the first source."""

VALUES: Mapping[str, Any] = MappingProxyType(
    {
        "inferenceExtension": {"flags": {"v": 4}, "image": {"tag": "v1.5.0"}, "monitoring": {"prometheus": {"enabled": True}}},
        "router": {"epp": {"image": {"tag": "v0.10.99"}}},
    }
)
"""Values of charts that some tests give their controllers as those of the installation."""


def install(cluster: Cluster, more: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Install the policies for controllers of a cluster, with its charts and `more` values; wait until the API server enforces all.

    Raises:
        ClusterError: Helm cannot render the chart.
    """
    documents = rendered({**values(cluster), **more})
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(documents))
    _wait_enforced(cluster)


def remove(cluster: Cluster) -> None:
    """Remove the policies, and wait until the API server enforces none of them."""
    _delete(cluster, rendered(values(cluster)))


def _delete(cluster: Cluster, documents: Iterable[dict[str, Any]]) -> None:
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=yaml.safe_dump_all(documents))
    _wait_enforced(cluster)


def _wait_enforced(cluster: Cluster) -> None:
    """Wait until the API server enforces the policies as they are now: it hears of changes in order, so that a last one comes after all."""
    name = f"last-{secrets.token_hex(4)}"
    last = yaml.safe_dump_all(_policy_against(name))
    try:
        cluster.kubectl("create", "-f", "-", input=last)
        # Nothing else refuses the administrator's; of several policies that refuse an object, the API server names any one.
        create = ("create", "configmap", name, "-n", "default", "--dry-run=server")
        until(lambda: f"{POLICY} '{name}'" in cluster.kubectl_result(*create).stderr, "the policies to be enforced")
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=last)


def _policy_against(name: str) -> list[dict[str, Any]]:
    """Return a policy, and its binding, that refuses ConfigMaps of this name alone."""
    created = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    specs = {
        POLICY: {
            "matchConstraints": {"resourceRules": [created]},
            "validations": [{"expression": f'object.metadata.?name.orValue("") != "{name}"'}],
        },
        BINDING: {"policyName": name, "validationActions": ["Deny"]},
    }
    api = "admissionregistration.k8s.io/v1"
    return [{"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec} for kind, spec in specs.items()]


@contextmanager
def changed(cluster: Cluster, more: Mapping[str, Any]) -> Iterator[None]:
    """Have the policies of an installation with `more` values until the end of the block."""
    install(cluster, more)
    try:
        yield
    finally:
        install(cluster)


@contextmanager
def extended(cluster: Cluster, more: Mapping[str, Any]) -> Iterator[None]:
    """Have the policies of an installation with `more` values until the end of the block, also those that only it has."""
    install(cluster, more)
    try:
        yield
    finally:
        install(cluster)
        kept = {_target(document) for document in rendered(values(cluster))}
        _delete(cluster, [document for document in rendered({**values(cluster), **more}) if _target(document) not in kept])


def _target(document: dict[str, Any]) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


@contextmanager
def digest_allowed(cluster: Cluster, version: str, digest: str) -> Iterator[None]:
    """Let the first source have this digest for a version, too, until the end of the block."""
    sources = values(cluster)["chartSources"]
    sources[0]["allowedDigests"] = {version: digest}
    with changed(cluster, {"chartSources": sources}):
        yield


def as_created(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Return an object with the label and the owner of those that the controller creates."""
    owner = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "x", "uid": "x"}
    metadata = {"name": "probe", "labels": {"workspace-ctrl/workspace": "x"}, "ownerReferences": [owner]}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def values(cluster: Cluster) -> dict[str, Any]:
    """Return the values of the chart for the charts in the cluster's registry."""
    sources: list[dict[str, Any]] = [
        {"name": name, "url": cluster.chart_source_url(name), "insecure": True, **more} for name, more in CHARTS.items()
    ]
    sources[0]["allowedDigests"] = {"v1.5.0": ALLOWED_DIGEST}
    pinned = {"name": "pinned", "url": cluster.chart_source_url(PINNED), "insecure": True, "digest": ALLOWED_DIGEST, **_FORK}
    router = {"url": cluster.chart_source_url("body-based-routing"), "insecure": True}
    return {
        "featureGates": {"gatewayAPIInferenceExtension": True},
        "chartSources": [*sources, {**sources[0], "name": "login", "secretRef": {"name": "no-such-login"}}, pinned],
        "bodyBasedRouting": {"mode": "managed", "chart": router},
        "modelIndex": {"enabled": True},
        "endpointPicker": {"values": dict(VALUES)},
        "flux2": {"enabled": False},
    }


def read_documents(text: str) -> list[dict[str, Any]]:
    """Return the objects in what Helm prints for the chart: half a megabyte, for which PyYAML takes ten times as long without libyaml."""
    return [document for document in yaml.load_all(text, FAST_LOADER) if document]


def rendered(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return policies and bindings of the chart, with the user of controllers outside of pods in place of the chart's.

    Raises:
        ClusterError: Helm cannot render the chart, or its policies do not have what is to be replaced.
    """
    command = [str(build(FLUX).binary("helm")), "template", NAME, str(chart()), f"--namespace={NAMESPACE}", "--values=-"]
    result = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"helm template: {result.stderr.strip()}")
    documents = [document for document in read_documents(result.stdout) if document["kind"] in {POLICY, BINDING}]
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
    create = ("create", "--dry-run=server", "-n", "default", "-f", "-")
    return cluster.kubectl_result(*create, input=json.dumps(document), actor=ACTOR).stderr
