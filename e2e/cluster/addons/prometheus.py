"""Prometheus: it reads the metrics of all endpoint pickers, with the namespace as a label."""

import json
from typing import Any

from e2e.cluster.addons.base import Addon
from e2e.cluster.catalog import PROMETHEUS
from e2e.cluster.forms import Form
from e2e.cluster.images import prometheus
from e2e.cluster.installation import Installation

NAMESPACE = "monitoring"
NAME = "prometheus"
PORT = 9090
URL = f"http://{NAME}.{NAMESPACE}.svc:{PORT}"
_DISCOVERED = "__meta_kubernetes_"
_PICKER = f"{_DISCOVERED}pod_label_workspace_ctrl_endpoint_picker"
_SCRAPE: dict[str, Any] = {
    "job_name": "endpoint-pickers",
    "scrape_interval": "2s",
    "scrape_timeout": "2s",
    "kubernetes_sd_configs": [{"role": "pod"}],
    "relabel_configs": [
        {"source_labels": [_PICKER], "regex": ".+", "action": "keep"},
        {"source_labels": [f"{_DISCOVERED}pod_phase"], "regex": "Running", "action": "keep"},
        # One target for each pod, whatever ports it declares.
        {"source_labels": [f"{_DISCOVERED}pod_ip"], "regex": "(.+)", "target_label": "__address__", "replacement": f"$1:{PORT}"},
        {"source_labels": [f"{_DISCOVERED}namespace"], "target_label": "namespace"},
    ],
}
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}}


def install(work: Installation) -> None:
    """Install Prometheus and wait until it answers."""
    with work.steps.step("Prometheus"):
        documents = "\n---\n".join(map(json.dumps, _documents()))
        work.cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", input=documents)
        work.wait_deployment(NAMESPACE, NAME)


def _documents() -> list[dict[str, Any]]:
    here = {"name": NAME, "namespace": NAMESPACE}
    labels = {"app": NAME}
    read_pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    config = {"scrape_configs": [_SCRAPE]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": NAME}, "rules": [read_pods]},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", **here}],
        },
        # JSON is YAML, too.
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": here, "data": {"prometheus.yml": json.dumps(config)}},
        {"apiVersion": "v1", "kind": "Service", "metadata": here, "spec": {"selector": labels, "ports": [{"port": PORT}]}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": here,
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": _pod()}},
        },
    ]


def _pod() -> dict[str, Any]:
    container = {
        "name": NAME,
        "image": prometheus().name,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"],
        "ports": [{"containerPort": PORT}],
        "resources": SMALL,
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/prometheus"}, {"name": "data", "mountPath": "/data"}],
    }
    volumes = [{"name": "config", "configMap": {"name": NAME}}, {"name": "data", "emptyDir": {}}]
    return {
        "serviceAccountName": NAME,
        "containers": [container],
        "volumes": volumes,
        "securityContext": {"fsGroup": 65532},
        "terminationGracePeriodSeconds": 1,
    }


ADDON = Addon(
    "prometheus",
    "Prometheus, which reads the metrics of endpoint pickers",
    install,
    needs=("coredns",),
    folders=(PROMETHEUS,),
    images=(prometheus,),
    forms=frozenset({Form.FULL}),
    optional=True,
)
