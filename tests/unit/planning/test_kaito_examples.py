"""KAITO's examples, planned without a cluster."""

import base64
from collections import Counter

import pytest
import yaml

from tests.kaito import EXPECTED, FOLDER, SETS, documents, workspace_of
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.admission.fields_without_effect import metadata_without_effect
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preview import preview

SETTINGS = PlanSettings(gateway_extension=True)
ACCEPTED = [name for name, outcome in EXPECTED.items() if "kind" in outcome]
REFUSED = [name for name in EXPECTED if name not in ACCEPTED]


def planned(name):
    return preview(workspace_of(name), documents(name), SETTINGS)


def test_of_every_file_something_is_expected():
    files = {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.yaml") if path.parent != SETS}
    assert files == EXPECTED.keys()
    assert Counter(name.partition("/")[0] for name in files) == {"inference": 29, "arc": 12, "custom": 2, "v0.12": 21}


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_becomes_the_expected_workload_and_pool(name):
    expected, found = EXPECTED[name], planned(name)
    (release,) = (manifest for manifest in found.manifests if manifest["kind"] == "HelmRelease")
    labels = release["spec"]["values"]["inferencePool"]["modelServers"]["matchLabels"]
    assert (found.decisions.workload_kind, found.decisions.node_count) == (expected["kind"], expected["nodes"])
    assert found.manifests[0]["kind"] == expected["kind"]
    assert sorted(labels) == sorted(expected["pool"])
    assert labels["kaito.sh/workspace"] == workspace_of(name)["metadata"]["name"]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_ignored_or_assumed_is_a_warning(name):
    verdict = judge(workspace_of(name), Known(documents(name), is_all=True), SETTINGS)
    said = verdict.warnings if verdict.preview is not None else ()
    expected = EXPECTED[name].get("warnings", ())
    assert [text for text, beginning in zip(said, expected, strict=True) if not text.startswith(beginning)] == []


def test_some_gpus_of_a_node_are_used_once_a_node_tells_its_gpus():
    labels = {"nvidia.com/gpu.product": "NVIDIA-L40S", "nvidia.com/gpu.memory": "46068", "nvidia.com/gpu.count": "4"}
    node = {"kind": "Node", "metadata": {"name": "node-1", "labels": {"apps": "accelerator", **labels}}}
    found = preview(workspace_of("v0.12/accelerator"), [node], SETTINGS)
    (container,) = found.manifests[0]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "2"}


@pytest.mark.parametrize("path", sorted(SETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_an_inferenceset_puts_on_its_workspaces_is_known(path):
    (found,) = (document for document in yaml.load_all(path.read_text(), yaml.CSafeLoader) if document["kind"] != "Secret")
    metadata = found["spec"].get("template", {}).get("metadata", {})
    said = [*metadata_without_effect(metadata.get("annotations", {}), metadata.get("labels", {}))]
    expected = {"phi_4_mini_surge": ["label kaito.sh/inference-role is ignored"]}.get(path.stem, [])
    assert [text for text, beginning in zip(said, expected, strict=True) if not text.startswith(beginning)] == []


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_for_the_stated_reason_with_a_way_out(name):
    with pytest.raises(SpecError) as caught:
        planned(name)
    text = str(caught.value)
    assert text.startswith(EXPECTED[name]["path"] + " ")
    assert EXPECTED[name]["words"] in text
    assert "; " in text


@pytest.mark.parametrize("name", EXPECTED)
def test_secrets_are_such_as_an_api_server_takes(name):
    for document in documents(name):
        for value in document["data"].values() if document["kind"] == "Secret" else ():
            assert base64.b64decode(value, validate=True)
