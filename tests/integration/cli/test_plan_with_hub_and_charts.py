"""`workspace-ctrl plan` with a model hub that is asked, and with charts that helm renders."""

import re

import pytest
import yaml

from tests.model_hub import ModelHub
from tests.unit.cli.test_cli import REPOSITORY, run
from tests.unit.cli.test_plan import QUICKSTART, UNKNOWN, document, plan_unknown


def test_a_hub_that_is_named_is_asked_for_the_figures():
    with ModelHub() as hub:
        hub.add("some-lab/Model-7B")
        result = plan_unknown(*hub.options)
    assert result.exit_code == 0
    assert "figures of the model hub: weights 15.0 GiB from the index, KV cache 128 KiB a token" in result.output
    assert hub.requests == [
        "/some-lab/Model-7B/resolve/main/config.json",
        "/some-lab/Model-7B/resolve/main/model.safetensors.index.json",
    ]


def test_a_hub_in_the_settings_file_is_asked_too(tmp_path):
    with ModelHub() as hub:
        hub.add("some-lab/Model-7B")
        path = tmp_path / "settings.yaml"
        path.write_text(f"modelHub: {{url: '{hub.url}', networks: [127.0.0.0/8]}}")
        assert plan_unknown("--config", str(path)).exit_code == 0
        assert plan_unknown("--config", str(path), "--model-hub", "off").exit_code == 2
    assert len(hub.requests) == 2


def test_several_workspaces_with_one_model_ask_once():
    with ModelHub() as hub:
        hub.add("some-lab/Model-7B")
        result = plan_unknown(*hub.options, text=UNKNOWN + document("other", "preset: {name: some-lab/Model-7B}"))
    assert (result.exit_code, len(hub.requests)) == (0, 2)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "is rejected: http://127.0.0.1:PORT has no config.json of some-lab/Model-7B; set inference.preset.size"),
        (401, "is rejected: some-lab/Model-7B is gated or private at http://127.0.0.1:PORT, or does not exist (status 401)"),
        (503, "cannot be planned yet: http://127.0.0.1:PORT answers with status 503 for some-lab/Model-7B; retrying; or set"),
    ],
)
def test_a_hub_without_figures_is_told(status, words):
    with ModelHub() as hub:
        hub.put("some-lab/Model-7B", "config.json", (status, b""))
        result = plan_unknown(*hub.options)
    assert result.exit_code == 2
    assert words in re.sub(r"127.0.0.1:\d+", "127.0.0.1:PORT", result.output)


HELM = """#!/bin/sh
case "$1" in
pull)
    echo "$*" >> "$(dirname "$0")/asked"
    eval folder=\\"\\$$#\\"
    mkdir -p "$folder/inferencepool"
    touch "$folder/inferencepool/Chart.yaml" ;;
template) cat > /dev/null; cat "$(dirname "$0")/rendered" ;;
esac
"""


MADE = """\
kind: InferencePool
metadata: {name: phi-inferencepool}
spec: {selector: {matchLabels: {app: phi}}}
---
kind: Deployment
metadata: {name: phi-epp, labels: {own: label}}
spec: {template: {spec: {containers: [{image: epp:1}]}}}
---
kind: Strange
metadata: x
spec: [1]
"""


@pytest.fixture
def helm(tmp_path):
    """A script in place of Helm, which pulls any chart and renders these objects; and what was asked of it."""
    program, made = tmp_path / "helm", tmp_path / "rendered"
    program.write_text(HELM)
    program.chmod(0o755)
    made.write_text(MADE)
    return program


def test_render_shows_the_objects_of_the_chart_below_its_release(helm):
    result = run("plan", "-f", QUICKSTART, "--render", "--helm", str(helm))
    assert result.exit_code == 0, result.output
    lines = [line.strip("│├└─ ") for line in result.output.splitlines()]
    release = next(number for number, line in enumerate(lines) if line.startswith("HelmRelease "))
    route = next(number for number, line in enumerate(lines) if line.startswith("HTTPRoute "))
    of_chart = lines[release + 3 : route]
    assert of_chart == ["InferencePool phi-inferencepool", "selects pods: app=phi", "Deployment phi-epp", "image: epp:1", "Strange"]
    assert "its postRenderers are not applied" in result.output
    assert (helm.parent / "asked").read_text().split()[1:4] == [
        "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool",
        "--version",
        "v1.5.0",
    ]


def test_render_as_yaml_has_flux_s_labels_and_says_whose_objects_they_are(helm):
    result = run("plan", "-f", QUICKSTART, "--render", "--helm", str(helm), "-o", "yaml")
    documents = [document for document in yaml.safe_load_all(result.stdout) if document]
    assert [document["kind"] for document in documents[-3:]] == ["InferencePool", "Deployment", "Strange"]
    assert documents[-2]["metadata"]["labels"] == {"own": "label", "workspace-ctrl/workspace": "workspace-phi-4-mini"}
    assert "# Flux installs the objects of HelmRelease default/" in result.stdout


def test_a_chart_of_several_workspaces_is_fetched_once(helm, tmp_path):
    file = tmp_path / "two.yaml"
    text = (REPOSITORY / "examples/quickstart/workspace.yaml").read_text()
    file.write_text(f"{text}\n---\n{text.replace('workspace-phi-4-mini', 'another')}")
    result = run("plan", "-f", str(file), "--render", "--helm", str(helm))
    assert result.output.count("InferencePool phi-inferencepool") == 2
    assert len((helm.parent / "asked").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\necho no such host >&2\nexit 1\n", "cannot be rendered: no such host"),
        ("#!/bin/sh\nexit 0\n", "cannot be rendered: it does not contain exactly one chart"),
    ],
)
def test_a_chart_that_cannot_be_rendered_is_an_error_in_words(helm, script, words):
    helm.write_text(script)
    result = run("plan", "-f", QUICKSTART, "--render", "--helm", str(helm))
    assert (result.exit_code, words in result.output) == (1, True), result.output
    assert "chart inferencepool v1.5.0 of HelmRelease default/workspace-phi-4-mini" in result.output
