"""An endpoint picker as a Workspace wishes it, for real: its own plugins, variables and replicas."""

import json
from http import HTTPStatus

import pytest

from e2e import workspaces
from e2e.chat import chat, chats
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until_equal

MODEL = "phi-4-mini-instruct"
PICKER = "phi-inferencepool-epp"
PLUGINS = """\
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
    weight: {weight}
  - pluginRef: kv-cache-utilization-scorer
"""


@pytest.fixture
def behind(serving_cluster, namespace):
    workspaces.apply(serving_cluster, namespace, workspaces.gateway())
    yield workspaces.behind("inference-gateway", namespace)
    serving_cluster.kubectl("delete", "gateway", "inference-gateway", "-n", namespace)


def apply(cluster, namespace, behind, *, weight, **picker):
    """Apply the Workspace and wait until Flux was told."""
    values = {"pluginsConfigFile": "mine.yaml", "pluginsCustomConfig": {"mine.yaml": PLUGINS.format(weight=weight)}}
    gateway = {
        "endpointPicker": {"values": {"inferenceExtension": values}, **picker},
        "pool": {"failureMode": "FailClose"},
        **behind,
    }
    workspaces.apply(cluster, namespace, workspaces.workspace(gateway=gateway))


def ask(cluster, namespace):
    """Return the statuses of ten requests, once the first was answered.

    With FailClose, the Gateway's proxy refuses requests for the moment until it knows the endpoint picker's address; no status tells of it.
    """
    url = workspaces.get(cluster, namespace, "workspace", "phi")["status"]["gateway"]["url"]
    until_equal(
        lambda: chat(cluster, url, MODEL, "are you there?").status, HTTPStatus.OK, "the Gateway to know the endpoint picker"
    )
    return [answer.status for answer in chats(cluster, url, MODEL, "who chose you?", 10)]


def config_hash(cluster, namespace):
    """Return the hash that a change of the plugins' configuration changes, as the Deployment has it."""
    (container,) = workspaces.get(cluster, namespace, "deployment", PICKER)["spec"]["template"]["spec"]["containers"]
    return next(entry["value"] for entry in container["env"] if entry["name"] == "PLUGINS_CONFIG_HASH")


def test_an_endpoint_picker_runs_with_the_workspaces_plugins_and_starts_again_when_they_change(serving_cluster, namespace, behind):
    cluster = serving_cluster
    with ControllerProcess(cluster):
        apply(cluster, namespace, behind, weight=1)
        workspaces.wait_ready(cluster, namespace, "phi")
        assert ask(cluster, namespace) == [200] * 10
        pool = workspaces.get(cluster, namespace, "inferencepool", "phi-inferencepool")
        assert pool["spec"]["endpointPickerRef"]["failureMode"] == "FailClose"
        assert pool["spec"]["appProtocol"] == "http"  # the CRD's own
        before = config_hash(cluster, namespace)
        (pod,) = workspaces.items(cluster, namespace, "pod", f"inferencepool={PICKER}")
        apply(cluster, namespace, behind, weight=3)
        cluster.kubectl("wait", f"pod/{pod['metadata']['name']}", "-n", namespace, "--for=delete", KUBECTL_TIMEOUT)
        workspaces.wait_ready(cluster, namespace, "phi")
        assert config_hash(cluster, namespace) != before
        mounted = workspaces.get(cluster, namespace, "configmap", PICKER)["data"]["mine.yaml"]
        assert "weight: 3" in mounted, json.dumps(mounted)


def test_of_two_replicas_one_leads_and_the_model_answers(serving_cluster, namespace, behind):
    cluster = serving_cluster
    with ControllerProcess(cluster):
        apply(cluster, namespace, behind, weight=1, replicas=2, resources={"requests": {"cpu": "50m", "memory": "64Mi"}})
        workspaces.wait_ready(cluster, namespace, "phi")
        assert workspaces.get(cluster, namespace, "deployment", PICKER)["spec"]["replicas"] == 2
        pods = {pod["metadata"]["name"] for pod in workspaces.items(cluster, namespace, "pod", f"inferencepool={PICKER}")}
        assert len(pods) == 2
        (lease,) = workspaces.items(cluster, namespace, "lease")
        assert lease["spec"]["holderIdentity"].partition("_")[0] in pods
        assert ask(cluster, namespace) == [200] * 10
