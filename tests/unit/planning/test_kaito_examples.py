"""KAITO's examples, planned without a cluster."""

import base64

import pytest

from tests.kaito import EXPECTED, FOLDER, documents, workspace_of
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preview import preview

ACCEPTED = [name for name, outcome in EXPECTED.items() if "kind" in outcome]
REFUSED = [name for name in EXPECTED if name not in ACCEPTED]


def planned(name):
    return preview(workspace_of(name), documents(name), PlanSettings(gateway_extension=True))


def test_of_every_file_something_is_expected():
    files = {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.yaml")}
    assert files == EXPECTED.keys()
    assert {folder: sum(name.startswith(folder) for name in files) for folder in ("inference/", "arc/", "custom/")} == {
        "inference/": 29,
        "arc/": 12,
        "custom/": 2,
    }


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_becomes_the_expected_workload_and_pool(name):
    expected, found = EXPECTED[name], planned(name)
    (release,) = (manifest for manifest in found.manifests if manifest["kind"] == "HelmRelease")
    labels = release["spec"]["values"]["inferencePool"]["modelServers"]["matchLabels"]
    assert (found.decisions.workload_kind, found.decisions.node_count) == (expected["kind"], expected["nodes"])
    assert found.manifests[0]["kind"] == expected["kind"]
    assert sorted(labels) == sorted(expected["pool"])
    assert labels["kaito.sh/workspace"] == workspace_of(name)["metadata"]["name"]


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
