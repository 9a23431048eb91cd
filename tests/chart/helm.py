"""Helm on the chart, with the stand-in for its dependency."""

import copy
import functools
import json
import subprocess
from typing import Any

from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from e2e.cluster.chart import chart
from e2e.policies import read_documents

NAMESPACE = "workspace-ctrl"
GATE = {"featureGates": {"gatewayAPIInferenceExtension": True}}


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm; `values` are given to it as a file."""
    command = [str(build(FLUX).binary("helm")), *arguments, *(["--values=-"] if values is not None else [])]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def render(values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the manifests of a release called workspace-ctrl."""
    return render_on((), values)


def render_on(apis: tuple[str, ...], values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the manifests for a cluster that has these API versions in addition to those of Kubernetes."""
    return copy.deepcopy(_rendered(apis, json.dumps(values or {})))


@functools.cache
def _rendered(apis: tuple[str, ...], values: str) -> list[dict[str, Any]]:
    """Return the manifests for values as JSON; rendering them takes half a second, and many tests ask for the same."""
    options = ("--namespace", NAMESPACE, *(f"--api-versions={api}" for api in apis))
    result = helm("template", "workspace-ctrl", str(chart()), *options, values=json.loads(values))
    assert not result.returncode, result.stderr
    return read_documents(result.stdout)


def find(manifests: list[dict[str, Any]], kind: str, ending: str = "") -> dict[str, Any]:
    """Return the only manifest of a kind whose name ends so."""
    (found,) = (each for each in manifests if each["kind"] == kind and each["metadata"]["name"].endswith(ending))
    return found


def refusal(values: dict[str, Any]) -> str:
    """Return the words with which values are refused."""
    result = helm("template", "workspace-ctrl", str(chart()), values=values)
    assert result.returncode, "the values were accepted"
    return result.stderr
