"""Admission as the API server meets it: over TLS, through kopf; nothing that is asked ends in an error, and nothing else depends on it."""

import asyncio
import json
import logging
import shutil
import signal
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from e2e.cluster.settings import free_port
from tests.certificates import make_certificate
from tests.integration.process.test_kopf_process import KUBECONFIG, NOTHING_HUNG
from tests.unit.factories import NAME, quickstart
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.planning.plan_settings import Mode, PlanSettings
from workspace_ctrl.process import admission
from workspace_ctrl.process.kopf_process import KopfProcess
from workspace_ctrl.process.stop_signals import STOP_SIGNALS
from workspace_ctrl.settings.process import AdmissionSettings, Settings
from workspace_ctrl.telemetry.metrics import Metrics

UNKNOWN = "inference.preset.name 'phi4' is not known; did you mean phi-4?"
INVALID = quickstart(inference={"preset": {"name": "phi4"}})
ALLOWED = {"uid": "u-1", "allowed": True}
UNREAD = "it is larger than 256 KiB or nested deeper than 64 levels; make it smaller"


DEFAULTS = PlanSettings()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with a certificate, for all tests."""
    return make_certificate(tmp_path_factory.mktemp("first"), "first").parent


@pytest.fixture
def folder(tmp_path, first):
    """A folder with a certificate, for one test."""
    return Path(shutil.copytree(first, tmp_path / "certificates"))


@pytest.fixture
def serve(tmp_path, folder):
    """Returns a function that runs a coroutine function beside the process; it gets the port."""
    kubeconfig = tmp_path / "kubeconfig.yaml"
    kubeconfig.write_text(KUBECONFIG)
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    async def beside(work, port, plan):
        settings = Settings(plan=plan, admission=AdmissionSettings(port, folder))
        shell = KopfProcess(load_access(kubeconfig, None), settings, 0, Metrics(CollectorRegistry()))
        serving = asyncio.create_task(shell.serve())
        try:
            return await work(port)
        finally:
            shell.stop(signal.SIGTERM)
            await serving
            assert not shell.failed

    yield lambda work, port=None, plan=DEFAULTS: asyncio.run(beside(work, port or free_port(), plan))
    for number, handler in handlers.items():
        signal.signal(number, handler)


def review(operation, new=None, old=None, **more):
    request = {"uid": "u-1", "operation": operation, "userInfo": {"username": "a"}, "object": new, "oldObject": old, **more}
    return json.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})


def deep(operation, **given):
    """A review with a field nested far deeper than any parser goes."""
    return review(operation, **given).replace('"DEEP"', "[" * 30_000 + "]" * 30_000)


async def post(session, port, body):
    """Return the answer, as soon as the port is listened on."""
    while True:
        try:
            async with session.post(f"https://127.0.0.1:{port}/", data=body, ssl=_unverified()) as response:
                return response.status, await response.read()
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.01)


def _unverified():
    context = ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT
    )  # without the authorities of the system, whose reading takes longer than the test
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def query_results(serve, *bodies, plan=DEFAULTS):
    """Return the `response` of each answer."""

    async def ask(port):
        async with aiohttp.ClientSession() as session:
            return [await post(session, port, body) for body in bodies]

    found = serve(ask, plan=plan)
    assert {status for status, _ in found} == {200}
    return [json.loads(text)["response"] for _, text in found]


def test_a_workspace_is_taken_refused_or_taken_with_warnings(serve):
    doubtful = quickstart(resource={"labelSelector": {}, "count": 3, "instanceType": "Standard_NC24ads_A100_v4"})
    assert query_results(serve, review("CREATE", quickstart()), review("CREATE", INVALID), review("CREATE", doubtful)) == [
        ALLOWED,
        {"uid": "u-1", "allowed": False, "status": {"message": UNKNOWN, "code": 422}},
        {**ALLOWED, "warnings": ["resource.count: 3 has no effect; the model is sized for 1"]},
    ]


def test_beside_kaito_nothing_is_refused_and_an_error_in_the_options_is_a_warning(serve):
    options = quickstart(metadata={"name": NAME, "annotations": {"workspace-ctrl/gateway": "hostname: a"}})
    plan = PlanSettings(mode=Mode.COMPANION, gateway_extension=True)
    taken, warned = query_results(serve, review("CREATE", INVALID), review("CREATE", options), plan=plan)
    assert taken == ALLOWED
    (said,) = warned.pop("warnings")
    assert warned == ALLOWED
    assert said.startswith("metadata.annotations[workspace-ctrl/gateway].hostname is not known")


def test_what_is_there_can_be_edited_freed_and_deleted(serve):
    labelled = INVALID | {"metadata": {"name": NAME, "labels": {"a": "b"}}}
    going = quickstart(inference=None, metadata={"name": NAME, "deletionTimestamp": "2026-11-21T12:00:00Z"})
    assert (
        query_results(
            serve,
            review("DELETE", None, INVALID),
            review("UPDATE", labelled, INVALID),
            review("UPDATE", going, quickstart()),
            review("CONNECT", INVALID),
        )
        == [ALLOWED] * 4
    )


def test_a_change_that_breaks_it_is_refused(serve):
    (response,) = query_results(serve, review("UPDATE", INVALID, quickstart()))
    assert response["status"]["message"] == UNKNOWN


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(deep, id="too deep for a parser"),
        pytest.param(lambda *given, **named: review(*given, **named).replace("DEEP", "y" * 3 * 2**20), id="too large"),
    ],
)
def test_what_cannot_be_read_is_refused_unless_it_may_have_been_there(serve, make):
    raw = quickstart(inference={"template": "DEEP"})
    created, changed, deleted = query_results(
        serve, make("CREATE", new=raw), make("UPDATE", new=raw, old=raw), make("DELETE", old=raw)
    )
    assert created["status"]["message"] == f"the Workspace cannot be read: {UNREAD}"
    assert changed == {**ALLOWED, "warnings": [f"the update was not validated: {UNREAD}"]}
    assert deleted == ALLOWED


def test_what_is_deeper_than_we_read_is_refused_as_long_as_it_can_be_parsed(serve):
    inner = "x"
    for _ in range(900):
        inner = {"x": inner}
    raw = quickstart(inference={"template": inner})
    created, unchanged, changed = query_results(
        serve,
        review("CREATE", raw),
        review("UPDATE", raw | {"metadata": {"name": NAME, "labels": {}}}, raw),
        review("UPDATE", raw, quickstart()),
    )
    text = "the Workspace cannot be read: inference.template.x is nested deeper than 64 levels; make it smaller"
    assert (created["status"]["message"], unchanged, changed["status"]["message"]) == (text, ALLOWED, text)


def test_a_large_object_is_named_with_its_kind(serve):
    large = {**quickstart(), "kind": "InferenceSet", "spec": {"x": ["y" * 70_000] * 30}}
    kind = {"group": "kaito.sh", "version": "v1alpha1", "kind": "InferenceSet"}
    asked = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    request = {"uid": "u-1", "kind": kind, "operation": "CREATE", "object": large}
    (answer,) = query_results(serve, json.dumps({**asked, "request": request}))
    assert answer["status"]["message"] == f"the InferenceSet cannot be read: {UNREAD}"


def test_a_defect_lets_it_pass_with_a_warning_and_a_trace_in_the_log(serve, monkeypatch, caplog):
    def broken(*_):
        raise RecursionError("a defect")

    monkeypatch.setattr(admission, "judge", broken)
    warning = "workspace-ctrl could not validate this Workspace because of an internal error; see its status"
    assert query_results(serve, review("CREATE", quickstart())) == [{**ALLOWED, "warnings": [warning]}]
    (record,) = (record for record in caplog.records if record.exc_info)
    assert f"Workspace default/{NAME} could not be validated at admission" in record.getMessage()


@pytest.mark.parametrize("body", [b"", b"{}", b"hello", b'{"request": {"uid": "\xff"}}'])
def test_what_is_no_review_is_a_bad_request(serve, body):
    async def ask(port):
        async with aiohttp.ClientSession() as session:
            return (await post(session, port, body))[0]

    assert serve(ask) == 400


@pytest.mark.parametrize("new", ["text", 1, [1], {"metadata": [1]}, {"metadata": {"annotations": [1]}}, {"metadata": None}, {}])
def test_an_object_of_a_strange_shape_ends_in_an_answer(serve, new):
    created, changed = query_results(serve, review("CREATE", new), review("UPDATE", quickstart(), new))
    assert (created["uid"], changed["uid"]) == ("u-1", "u-1")
    assert all(response.get("status", {"code": 422})["code"] == 422 for response in (created, changed))


def test_kopf_remembers_nothing_and_reports_no_refusal_as_its_error(serve, caplog):
    caplog.set_level(logging.DEBUG)
    query_results(serve, *(review("UPDATE", INVALID | {"metadata": {"name": NAME, "uid": str(n)}}, quickstart()) for n in range(3)))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert NOTHING_HUNG in caplog.messages


async def issued_to(port):
    """Return the name in the certificate that is served now."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_unverified())
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return "second" if b"second" in certificate else "first" if b"first" in certificate else ""


async def until_logged(text, caplog):
    while True:
        if text in caplog.text:
            return
        await asyncio.sleep(0.02)


async def until_issued_to(name, port):
    while True:
        try:
            if await issued_to(port) == name:
                return True
        except OSError:
            pass
        await asyncio.sleep(0.02)


def test_a_renewed_certificate_is_taken_up_by_the_running_process(serve, folder, monkeypatch):
    monkeypatch.setattr("workspace_ctrl.process.admission_server._LOOK_SECONDS", 0.02)

    async def renew(port):
        await until_issued_to("first", port)
        await asyncio.to_thread(make_certificate, folder, "second")
        return await until_issued_to("second", port)

    assert serve(renew)


def test_a_broken_renewal_leaves_the_certificate_from_before(serve, folder, monkeypatch, caplog):
    monkeypatch.setattr("workspace_ctrl.process.admission_server._LOOK_SECONDS", 0.02)

    async def renew(port):
        await until_issued_to("first", port)
        (folder / "tls.key").write_text("no key")
        await until_logged("still serving with the previous certificate", caplog)
        return await issued_to(port)

    assert serve(renew) == "first"


def test_without_a_certificate_the_rest_goes_on_until_there_is_one(serve, folder, monkeypatch, caplog):
    monkeypatch.setattr("workspace_ctrl.process.admission_server._RETRY_SECONDS", 0.02)
    (folder / "tls.crt").unlink()

    async def work(port):
        await until_logged("Workspaces are not validated at admission until there is a certificate", caplog)
        await asyncio.to_thread(make_certificate, folder, "second")
        return await until_issued_to("second", port)

    assert serve(work)


def test_a_taken_port_is_said_and_stops_nothing(serve, monkeypatch, caplog):
    monkeypatch.setattr("workspace_ctrl.process.admission_server._RETRY_SECONDS", 0.02)
    with socket.socket() as listening:
        listening.bind(("", 0))
        listening.listen()

        async def work(port):
            await until_logged(f"--admission-port {port}: ", caplog)
            listening.close()
            return await until_issued_to("first", port)

        assert serve(work, listening.getsockname()[1])


def test_connections_that_pile_up_are_closed_and_the_next_one_is_answered(serve, monkeypatch, caplog):
    monkeypatch.setattr("workspace_ctrl.process.admission_server._LOOK_SECONDS", 0.02)
    monkeypatch.setattr("workspace_ctrl.process.admission_server._MOST_CONNECTIONS", 3)

    async def pile_up(port):
        await until_issued_to("first", port)
        idle = []
        while "connections to the admission port" not in caplog.text:
            idle.append(await asyncio.open_connection("127.0.0.1", port, ssl=_unverified()))
        ended = await idle[0][0].read()
        async with aiohttp.ClientSession() as session:
            status, _ = await post(session, port, review("CREATE", quickstart()))
        return ended, status

    assert serve(pile_up) == (b"", 200)
