"""What the browser gets of an object for its list."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.examples import examples
from tests.fuzz.inputs import mutated
from tests.fuzz.samples import INFERENCE_SETS, WORKSPACES
from tests.unit.cli.page.objects import BROKEN, STARTING, gateway, said, workspace
from workspace_ctrl.cli.page.page_object import parse_page_object


def row(*changed, **fields):
    return parse_page_object(workspace(*changed, **fields), "Workspace").row()


def test_a_ready_workspace():
    assert row() == {
        "id": "Workspace/ns/phi",
        "kind": "Workspace",
        "namespace": "ns",
        "name": "phi",
        "state": "ready",
        "reason": "Because",
        "message": "so it is",
        "links": "TTTTTTTT",
        "created": "2026-11-28T01:00:00Z",
        "model": "phi-4",
        "url": "http://gw/ns/phi",
        "replicas": "1/2",
        "gateways": ["ns/gw"],
        "group": "",
    }


DELETING = {"deletionTimestamp": "2026-11-28T01:30:00Z", "finalizers": ["workspace-ctrl/gateway"]}


@pytest.mark.parametrize(
    ("found", "state", "links", "words"),
    [
        pytest.param(row(*BROKEN), "failed", "TTTTFTTF", "0 replicas", id="a link is broken"),
        pytest.param(row(*STARTING), "progressing", "TTTTUTTT", "0 of 1", id="a link is in progress"),
        pytest.param(row(*STARTING, state="NotReady"), "failed", "TTTTUTTT", "0 of 1", id="it was ready before"),
        pytest.param(row(*STARTING, said("Stalled")), "failed", "TTTTUTTT", "0 of 1", id="stalled"),
        pytest.param(row(conditions=[]), "unknown", "--------", "no controller has written a status", id="no status"),
        pytest.param(row(metadata={"generation": 2}), "unknown", "TTTTTTTT", "older generation", id="older generation"),
        pytest.param(row(metadata=DELETING), "deleting", "TTTTTTTT", "waiting for workspace-ctrl/gateway", id="deleting"),
    ],
)
def test_the_state_of_a_workspace(found, state, links, words):
    assert (found["state"], found["links"]) == (state, links)
    assert words in found["message"]


def test_the_replicas_of_an_inference_set():
    assert parse_page_object(workspace(ready="2/3"), "InferenceSet").row()["replicas"] == "2/3"


def test_a_long_message_is_cut():
    assert len(row(said("Ready", "False", "DryRunFailed", "x" * 5000))["message"]) == 500


@settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))
@given(document=mutated([*WORKSPACES, *INFERENCE_SETS]))
def test_no_object_prevents_the_others_from_being_shown(document):
    given = document if isinstance(document, dict) else {}
    metadata = given.get("metadata") if isinstance(given.get("metadata"), dict) else {}
    named = {**given, "metadata": {**metadata, "name": "phi", "namespace": "ns"}}
    for kind in ("Workspace", "InferenceSet", "Gateway"):
        assert parse_page_object(named, kind).row()["id"] == f"{kind}/ns/phi"


def test_an_object_that_cannot_be_read_says_why():
    found = parse_page_object(workspace(metadata={"annotations": ["x"]}, conditions=[]), "Workspace").row()
    assert (found["state"], found["message"].startswith("it cannot be read: ")) == ("unknown", True)


REFUSED = said("Programmed", "False", "InvalidCertificateRef", "no such Secret")


@pytest.mark.parametrize(
    ("raw", "state", "links", "reason"),
    [
        pytest.param(gateway(), "ready", "TTTT", "", id="all hold"),
        pytest.param(gateway(said("Accepted", "False", "Invalid", "no")), "failed", "FTTT", "Invalid", id="not accepted"),
        pytest.param(gateway(listener=[REFUSED]), "failed", "TTFT", "InvalidCertificateRef", id="a listener fails"),
        pytest.param(gateway(addresses=()), "unknown", "TTTU", "AddressNotAssigned", id="no address"),
        pytest.param({"metadata": {"namespace": "ns", "name": "gw"}}, "unknown", "UUTU", "GatewayNotAccepted", id="no status"),
    ],
)
def test_the_state_of_a_gateway(raw, state, links, reason):
    found = parse_page_object(raw, "Gateway").row()
    assert (found["state"], found["links"], found["reason"]) == (state, links, reason)
