"""Models that are not in the catalog: sized by a hub of the test's own, whatever that hub does, and at nobody else's expense."""

import json
import time

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.model_hub import CONFIG, ModelHub
from workspace_ctrl.api.labels import MODEL_FIGURES_ANNOTATION

MODEL = "some-lab/Model-7B"
SIZE_REMEDY = "set inference.preset.size (at least weights)"


@pytest.fixture
def hub():
    with ModelHub() as serving:
        yield serving


def unknown(name, model=MODEL, **preset):
    return workspaces.workspace(name, inference={"preset": {"name": model, **preset}})


def accepted(cluster, namespace, name):
    """Return the message of WorkloadAccepted once it is True."""
    return workspaces.wait_reason(cluster, namespace, name, "WorkloadAccepted", "Accepted")["message"]


def dripping(handler):
    """Send a body that never ends, a byte at a time."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


def endless(handler):
    """Send a body that never ends, as fast as possible."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b'{"a":' * 10_000)
    except OSError:
        handler.close_connection = True


def elsewhere(handler):
    """Redirect to another host."""
    handler.send_response(302)
    handler.send_header("Location", "http://169.254.169.254/latest/meta-data/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def test_a_model_that_is_not_in_the_catalog_is_planned_by_the_figures_of_the_hub(installed, plane_namespace, hub):
    hub.add(MODEL)
    with ControllerProcess(installed, *hub.options, gate=False) as controller:
        workspaces.apply(installed, plane_namespace, unknown("any"))
        installed.kubectl("wait", "deployment/any", "-n", plane_namespace, "--for=create", KUBECTL_TIMEOUT)
        message = accepted(installed, plane_namespace, "any")
        command = workspaces.command_of(installed, plane_namespace, "deployment", "any")
        assert f"--served-model-name={MODEL}" in command
        assert "--max-model-len=32768" in command
        assert message.endswith(
            "figures of the model hub: weights 15.0 GiB from the index, KV cache 128 KiB a token, context up to 32768 tokens "
            "(LlamaForCausalLM)"
        )
        assert controller.writes(plane_namespace)["patch", "deployments"] == 1


def test_a_running_model_keeps_its_size_though_the_hub_is_gone(installed, plane_namespace):
    with ModelHub() as hub:
        hub.add(MODEL)
        with ControllerProcess(installed, *hub.options, gate=False):
            workspaces.apply(installed, plane_namespace, unknown("any"))
            message = accepted(installed, plane_namespace, "any")
    made = workspaces.get(installed, plane_namespace, "deployment", "any")
    assert json.loads(made["metadata"]["annotations"][MODEL_FIGURES_ANNOTATION])["model"]["name"] == MODEL
    with ControllerProcess(installed, *hub.options, gate=False) as restarted:
        workspaces.apply(installed, plane_namespace, unknown("other", "some-lab/Other-7B"))
        workspaces.wait_reason(installed, plane_namespace, "other", "WorkloadAccepted", "ModelHubUnavailable")
        assert accepted(installed, plane_namespace, "any") == message
        assert not restarted.writes(plane_namespace)["patch", "deployments"]
    assert workspaces.get(installed, plane_namespace, "deployment", "any")["metadata"]["uid"] == made["metadata"]["uid"]


def test_a_hub_that_comes_back_is_asked_again(installed, plane_namespace, hub):
    hub.put(MODEL, "config.json", (503, b""))
    with ControllerProcess(installed, *hub.options, gate=False):
        workspaces.apply(installed, plane_namespace, unknown("any"))
        found = workspaces.wait_reason(installed, plane_namespace, "any", "WorkloadAccepted", "ModelHubUnavailable")
        assert found["message"] == f"{hub.url} answers with status 503 for {MODEL}; retrying; or {SIZE_REMEDY}"
        hub.add(MODEL)
        accepted(installed, plane_namespace, "any")  # after the first delay, 15 s


def test_a_gated_model_is_served_once_it_has_a_size(installed, plane_namespace, hub):
    hub.put(MODEL, "config.json", (401, b""))
    with ControllerProcess(installed, *hub.options, gate=False):
        workspaces.apply(installed, plane_namespace, unknown("any"))
        found = workspaces.wait_reason(installed, plane_namespace, "any", "WorkloadAccepted", "ModelNotPublic")
        assert found["message"] == (
            f"{MODEL} is gated or private at {hub.url}, or does not exist (status 401); {SIZE_REMEDY}, and "
            "presetOptions.modelAccessSecret for its download"
        )
        workspaces.apply(installed, plane_namespace, unknown("any", size={"weights": "15Gi"}))
        assert "figures of the model hub" not in accepted(installed, plane_namespace, "any")


HOSTILE = {
    "endless": (endless, "ModelNotReadable"),
    **{f"dripping-{number}": (dripping, "ModelHubUnavailable") for number in range(12)},
    "elsewhere": (elsewhere, "ModelNotReadable"),
    "html": ((200, b"<html>"), "ModelNotReadable"),
    "deep": ((200, b"[" * 200_000), "ModelNotReadable"),
    "nan": ((200, json.dumps({**CONFIG, "hidden_size": float("nan"), "num_attention_heads": -1}).encode()), "ModelNotReadable"),
    "strings": ((200, json.dumps({**CONFIG, "num_hidden_layers": "\x1b[2J"}).encode()), "ModelNotReadable"),
    "broken": ((500, b"\x00" * 100_000), "ModelHubUnavailable"),
    "missing": ((404, b""), "ModelNotFound"),
    "gated": ((403, b""), "ModelNotPublic"),
}
"""Name of a model → what the hub answers, and the reason of the condition."""
OTHERS_SECONDS = 50.0
"""For twenty Workspaces of the catalog, created while the hub is asked for the hostile models. Behind the twelve that drip they would need
60 s: two of a namespace are asked for at a time, and the controller gives up after 10 s. A busy machine needs more than ten by itself."""


def test_a_hostile_hub_is_reported_and_twenty_others_are_as_fast_as_ever(installed, plane_namespace, hub, capsys):
    for name, (answer, _) in HOSTILE.items():
        hub.put(f"hostile/{name}", "config.json", answer)
    others = [f"other-{number}" for number in range(20)]
    with ControllerProcess(installed, *hub.options, gate=False) as controller:
        began = time.monotonic()
        workspaces.apply(installed, plane_namespace, *(unknown(name, f"hostile/{name}") for name in HOSTILE))
        workspaces.apply(installed, plane_namespace, *(workspaces.workspace(name) for name in others))
        until(
            lambda: len(workspaces.items(installed, plane_namespace, "deployments")) == len(others),
            "the Deployments of the others",
            seconds=OTHERS_SECONDS,
        )
        with capsys.disabled():
            print(f"\n  {len(others)} others have a Deployment after {time.monotonic() - began:.1f} s")
        messages = [
            workspaces.wait_reason(installed, plane_namespace, name, "WorkloadAccepted", reason)["message"]
            for name, (_, reason) in HOSTILE.items()
        ]
        assert not [text for text in messages if not text.isprintable() or SIZE_REMEDY not in text]
        assert not [line for line in controller.log if "Traceback" in line]
    assert not [path for path in hub.requests if "meta-data" in path]
