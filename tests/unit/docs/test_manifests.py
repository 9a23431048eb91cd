"""Every block of YAML in the documents is what it is said to be: a Workspace that is planned, settings, a part of either."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner

from tests.unit.docs.documents import DOCUMENTS, REPOSITORY, yaml_blocks
from workspace_ctrl.api.conditions import ConditionType
from workspace_ctrl.api.crd import KINDS
from workspace_ctrl.api.labels import API_VERSION
from workspace_ctrl.cli.main import main
from workspace_ctrl.readiness.failure_reasons import SCALED_TO_ZERO
from workspace_ctrl.settings.settings_file import SettingsFile

OF_THE_CHART = {"charts/workspace-ctrl/README.md", "docs/reference/settings.md"}
"""Generated from the examples of values; tests/chart renders the chart with them."""
BLOCKS = [
    pytest.param(document, yaml.safe_load(block), id=f"{document}-{number}")
    for document, text in DOCUMENTS.items()
    if document not in OF_THE_CHART
    for number, block in enumerate(yaml_blocks(text))
]
WORKSPACE = {
    "apiVersion": "kaito.sh/v1beta1",
    "kind": "Workspace",
    "metadata": {"name": "shown"},
    "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "shown"}}},
    "inference": {"preset": {"name": "phi-4-mini-instruct"}},
}
GATE = ("--feature-gates", "gatewayAPIInferenceExtension=true")
SETTINGS = {field.alias or name for name, field in SettingsFile.model_fields.items()}
DIGEST = "sha256:..."


def planned(document, *options):
    result = CliRunner().invoke(main, ["plan", "-f", "-", *options], input=yaml.safe_dump(document))
    return result.exit_code, result.output


def check_manifest(shown, _folder):
    code, output = planned(shown, *GATE)
    assert not code, output


def check_part_of_a_workspace(shown, _folder):
    check_manifest({**WORKSPACE, **shown}, _folder)


def check_part_of_an_inference_set(shown, _folder):
    template = {"resource": {"instanceType": WORKSPACE["resource"]["instanceType"]}, "inference": WORKSPACE["inference"]}
    spec = {"labelSelector": WORKSPACE["resource"]["labelSelector"], "template": template, **shown["spec"]}
    about = {name: WORKSPACE[name] for name in ("apiVersion", "metadata")}
    check_manifest({**about, "kind": "InferenceSet", "spec": spec}, _folder)


def check_vllm_flags(shown, _folder):
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "flags"},
        "data": {"inference_config.yaml": yaml.safe_dump(shown)},
    }
    workspace = {**WORKSPACE, "inference": {**WORKSPACE["inference"], "config": "flags"}}
    result = CliRunner().invoke(main, ["plan", "-o", "yaml", "-f", "-"], input=yaml.safe_dump_all([workspace, config]))
    assert not result.exit_code, result.output
    for flag in shown["vllm"]:
        assert flag in result.output


def check_pod(shown, _folder):
    (container,) = shown["containers"]
    template = {**shown, "containers": [{"image": "registry.example/server:1", "ports": [{"containerPort": 8000}], **container}]}
    check_part_of_a_workspace({"inference": {"template": {"spec": template}}}, _folder)


def check_settings(shown, folder):
    text = yaml.safe_dump(shown).replace(DIGEST, f"sha256:{'0' * 64}")
    shown = yaml.safe_load(text)
    for source in shown.get("chartSources", ()):
        source.pop("allowedDigests", None)  # the page shows all fields at once; this one excludes digest, as it says
    (folder / "settings.yaml").write_text(yaml.safe_dump(shown))
    code, output = planned(WORKSPACE, "--config", str(folder / "settings.yaml"))
    assert not code, output


def check_alerts(shown, _folder):
    known = (REPOSITORY / "charts/workspace-ctrl/files/alerts.yaml").read_text()
    metrics = DOCUMENTS["docs/metrics.md"]
    for rule in shown:
        assert rule.keys() == {"alert", "expr", "for"} or rule.keys() == {"alert", "expr"}
        for metric in re.findall(r"workspace_ctrl_\w+", rule["expr"]):
            assert metric in metrics
            assert metric in known


def check_token(shown, _folder):
    """A Secret that Kubernetes fills with a token: of a ServiceAccount that the page makes, and as the page names it in the values."""
    name, namespace = shown["metadata"]["name"], shown["metadata"]["namespace"]
    account = shown["metadata"]["annotations"]["kubernetes.io/service-account.name"]
    assert shown["type"] == "kubernetes.io/service-account-token"
    assert f"$ kubectl create serviceaccount {account} --namespace {namespace}\n" in DOCUMENTS["docs/metrics.md"]
    assert f"--serviceaccount={namespace}:{account}\n" in DOCUMENTS["docs/metrics.md"]
    assert f"`{{name: {name}, key: token}}`" in DOCUMENTS["docs/metrics.md"]


def check_probes(shown, _folder):
    container = {"name": "controller", "image": "registry.example/x:1", "ports": [{"containerPort": 8080}], **shown}
    check_part_of_a_workspace({"inference": {"template": {"spec": {"containers": [container]}}}}, _folder)


def check_values(shown, folder):
    schema = json.loads((REPOSITORY / "charts/workspace-ctrl/values.schema.json").read_text())
    for name, values in shown.items():
        described = schema["properties"][name]
        assert described.get("additionalProperties", True) or values.keys() <= described["properties"].keys()
    settings = {name: values for name, values in shown.items() if name in SETTINGS}
    if settings:
        check_settings(settings, folder)


def check_health_checks(shown, _folder):
    """Flux's own evaluation of them needs its controllers; what they name is what is written."""
    for entry in shown["healthCheckExprs"]:
        assert (entry["apiVersion"], entry["kind"] in KINDS) == (API_VERSION, True)
        words = {word for name in ("current", "failed") for word in re.findall(r"c\.type == '(\w+)'", entry.get(name, ""))}
        assert words <= set(ConditionType)
        assert set(re.findall(r"c\.reason == '(\w+)'", entry["current"])) <= {SCALED_TO_ZERO}


def check_of(shown):
    """The check for a block, by its fields."""
    if isinstance(shown, list):
        return check_alerts
    fields = set(shown)
    by_fields = (
        ({"apiVersion", "kind", "type"}, check_token),
        ({"apiVersion", "kind"}, check_manifest),
        ({"vllm"}, check_vllm_flags),
        ({"containers"}, check_pod),
        ({"spec"}, check_part_of_an_inference_set),
        ({"livenessProbe"}, check_probes),
        ({"ui"}, check_values),
        ({"healthCheckExprs"}, check_health_checks),
        ({"proxy"}, check_values),
        ({"env", "volumes", "volumeMounts"}, check_values),
        ({"image"}, check_values),
    )
    found = next((check for needed, check in by_fields if needed <= fields), None)
    if found is None and fields <= {"resource", "inference", "gateway"}:
        return check_part_of_a_workspace
    return found or (check_settings if fields <= SETTINGS else None)


@pytest.mark.parametrize(("document", "shown"), BLOCKS)
def test_a_block_of_yaml_is_accepted(document, shown, tmp_path):
    check = check_of(shown)
    assert check is not None, f"nothing checks a block with {', '.join(shown)}: add a check"
    check(shown, tmp_path)


def test_there_are_blocks():
    assert len(BLOCKS) >= 9
