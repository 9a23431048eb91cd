"""KEDA: its operator and its server of external metrics, from the manifests of its module.

Its admission webhook is left out: it only refuses what its operator would report anyway. The manifests are those of the module's folder
`config`, with the images that are built here and small requests.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import FLUX, KEDA
from e2e.cluster.forms import Form
from e2e.cluster.images import keda_adapter, keda_operator
from e2e.cluster.installation import Installation

NAMESPACE = "keda"
OPERATOR = "keda-operator"
ADAPTER = "keda-metrics-apiserver"
METRICS = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}
FILES = (
    "general/namespace.yaml",
    "service_account/service_account.yaml",
    "rbac/role.yaml",
    "rbac/role_binding.yaml",
    "manager/manager.yaml",
    "manager/service.yaml",
    "metrics-server/role.yaml",
    "metrics-server/role_binding.yaml",
    "metrics-server/deployment.yaml",
    "metrics-server/service.yaml",
    "metrics-server/api_service.yaml",
)
"""Under the module's folder `config`."""


def install(work: Installation) -> None:
    """Install KEDA and wait until the API server gets external metrics from it."""
    folder = work.build(KEDA).asset("config")
    with work.steps.step("KEDA"):
        work.apply_crds(folder / "crd" / "bases")
        documents = "\n---\n".join(json.dumps(document) for document in _documents(folder))
        work.cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", input=documents)
        work.wait_deployment(NAMESPACE, OPERATOR)
        work.wait_deployment(NAMESPACE, ADAPTER)
        work.wait_condition(METRICS, "Available")


def _documents(folder: Path) -> Iterator[dict[str, Any]]:
    for name in FILES:
        for document in yaml.safe_load_all((folder / name).read_text()):
            if document is not None:
                yield _adapted(document)


def _adapted(document: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest for this cluster: a Deployment gets the built image, small requests and short delays."""
    if document["kind"] != "Deployment":
        return document
    image = (keda_operator if document["metadata"]["name"] == OPERATOR else keda_adapter)().name
    container = document["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": image, "imagePullPolicy": "IfNotPresent", "resources": SMALL}
    container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
    if document["metadata"]["name"] == OPERATOR:
        container["args"] = [*container["args"], "--enable-webhook-patching=false"]
    return document


ADDON = Addon(
    "keda",
    "KEDA, which scales by load",
    install,
    needs=("coredns",),
    folders=(KEDA, FLUX),
    images=(keda_operator, keda_adapter),
    forms=frozenset({Form.FULL}),
    optional=True,
)
