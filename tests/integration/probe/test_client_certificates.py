"""Listeners that require a client certificate, as OpenSSL and nginx reject a client: it concerns the client, not the model."""

import base64
import logging
import ssl
import subprocess

import pytest

from tests.certificates import make_certificate
from tests.integration.probe.gateways import (
    ANSWERED,
    FAILED,
    KEY,
    LOCAL,
    LOOPBACK,
    NOT_POSSIBLE,
    TOKEN,
    Server,
    reading,
    target,
    tls_listener,
)
from workspace_ctrl.kube.errors import RejectedError
from workspace_ctrl.probe.credentials import Credentials, parsed_credentials
from workspace_ctrl.probe.probe_client import ProbeClient
from workspace_ctrl.probe.prober import Prober
from workspace_ctrl.probe.trusted_targets import ProbeTrust
from workspace_ctrl.settings.process import ProbeMode

OLDER, NEWER = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
REQUIRED = "the listener requires a client certificate"
NOT_ACCEPTED = "the listener does not accept the client certificate"


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """Name -> a client's certificate and its key, in PEM, which signs itself."""
    made = {name: make_certificate(tmp_path_factory.mktemp(name), name, f"DNS:{name}") for name in ("accepted", "unknown")}
    return {name: (path.read_text(), path.with_name("tls.key").read_text()) for name, path in made.items()}


@pytest.fixture
def requiring(pairs, tmp_path):
    """Return what makes a server's context that accepts the client "accepted" only."""
    own = make_certificate(tmp_path, "test", "DNS:m.example.com")

    def made(version):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=pairs["accepted"][0])
        context.load_cert_chain(own, own.with_name("tls.key"))
        context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, version
        return context

    return made


def presented(pairs, name, **others):
    return {"certificate": pairs[name][0], "private_key": pairs[name][1], **others} if name else others


async def asked(port, trust=LOCAL, credentials=None, **fields):
    asking = ProbeClient(ProbeMode.MODELS, reading(**(credentials or {})), trust)
    try:
        return await asking.ask(target(port, **{"scheme": "https", "hostname": "m.example.com", **fields}))
    finally:
        await asking.close()


@pytest.mark.parametrize(
    ("version", "name", "words"),
    [
        pytest.param(OLDER, "", f"{REQUIRED} (TLS alert: handshake failure)", id="none, TLS 1.2"),
        pytest.param(NEWER, "", f"{REQUIRED} (TLS alert: certificate required)", id="none, TLS 1.3"),
        pytest.param(OLDER, "unknown", f"{NOT_ACCEPTED} (TLS alert: unknown ca)", id="one of another CA, TLS 1.2"),
        pytest.param(NEWER, "unknown", f"{NOT_ACCEPTED} (TLS alert: unknown ca)", id="one of another CA, TLS 1.3"),
        pytest.param(OLDER, "accepted", "", id="an accepted one, TLS 1.2"),
        pytest.param(NEWER, "accepted", "", id="an accepted one, TLS 1.3"),
    ],
)
async def test_a_listener_that_requires_a_client_certificate(requiring, pairs, version, name, words, caplog):
    with caplog.at_level(logging.DEBUG), tls_listener(requiring(version)) as port:
        results = [await asked(port, credentials=presented(pairs, name)) for _ in range(5)]
    assert {(result.outcome, result.lacks_certificate) for result in results} == {
        (NOT_POSSIBLE if words else ANSWERED, bool(words))
    }
    assert all(words in result.message for result in results)
    assert all(("tls.crt and tls.key" in result.message) == bool(words) for result in results)
    assert not any(key in caplog.text + str(results) for _, key in pairs.values())


@pytest.mark.parametrize(
    ("gateway", "outcome"),
    [pytest.param("ns/g", ANSWERED, id="listed"), pytest.param("team-a/g", NOT_POSSIBLE, id="another Gateway")],
)
async def test_the_certificate_is_shown_to_listed_gateways_only(requiring, pairs, gateway, outcome):
    with tls_listener(requiring(NEWER)) as port:
        trust = ProbeTrust(token_gateways=frozenset({"ns/g"}), networks=LOOPBACK)
        result = await asked(port, trust, presented(pairs, "accepted"), gateway=gateway)
    assert result.outcome is outcome
    assert ("token and client certificate were not sent" in result.message) == (outcome is NOT_POSSIBLE)


@pytest.mark.parametrize("words", ["No required SSL certificate was sent", "The SSL certificate error"])
async def test_nginx_says_it_in_a_page(certificate, words):
    context, _ = certificate
    with tls_listener(context, "400 Bad Request", f"<html><center>{words}</center></html>") as port:
        result = await asked(port)
    assert (result.outcome, result.code, result.lacks_certificate) == (NOT_POSSIBLE, 400, True)


async def test_a_handshake_that_fails_for_another_reason_is_a_failure(tmp_path):
    own = make_certificate(tmp_path, "test", "DNS:m.example.com")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own, own.with_name("tls.key"))
    context.maximum_version = OLDER
    context.set_ciphers("PSK")
    with tls_listener(context) as port:
        result = await asked(port)
    assert (result.outcome, result.lacks_certificate) == (FAILED, False)


async def test_a_listener_that_closes_the_connection_without_an_alert_may_want_a_certificate(requiring):
    async with Server().served(requiring(NEWER)) as server:
        result = await asked(server.port)
    assert (result.outcome, result.lacks_certificate) == (FAILED, False)
    assert "the listener may require a client certificate" in result.message
    assert "PROXY protocol" not in result.message
    async with Server().served(requiring(OLDER)) as server:
        result = await asked(server.port)
    assert result.outcome is NOT_POSSIBLE
    assert (
        "(connection reset, in the TLS handshake; the listener may have no certificate for the host name, or require"
        in result.message
    )


async def test_another_listener_that_answers_does_not_make_it_a_failure(server, requiring, told):
    prober = Prober(ProbeClient(ProbeMode.MODELS, trust=LOCAL), 0.05, told)
    with tls_listener(requiring(NEWER)) as port:
        secure = target(port, scheme="https", hostname="m.example.com", addresses=("127.0.0.1", "no-such-host.invalid"))
        prober.follow(KEY, (server.target(), secure), None)
        await told.wait()
        assert (prober.result(KEY).outcome, prober.result(KEY).lacks_certificate) == (NOT_POSSIBLE, True)
        await prober.close()


PAIR = {"tls.crt": "accepted", "tls.key": "accepted"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param(PAIR, "", id="certificate and key"),
        pytest.param({**PAIR, "token": TOKEN}, "", id="with a token"),
        pytest.param({"password": TOKEN}, "has neither token nor ca.crt, nor tls.crt with tls.key", id="none of the keys"),
        pytest.param({"tls.crt": "accepted"}, "has tls.crt, but no tls.key", id="no key"),
        pytest.param({"tls.key": "accepted"}, "has tls.key, but no tls.crt", id="no certificate"),
        pytest.param({**PAIR, "tls.key": "unknown"}, "are no certificate and its key", id="the key of another certificate"),
        pytest.param({**PAIR, "tls.key": TOKEN}, "are no certificate and its key", id="no PEM"),
        pytest.param({"ca.crt": TOKEN}, "contains no PEM certificates", id="no PEM of a CA"),
    ],
)
def test_what_a_secret_for_probes_has_to_contain(pairs, values, words):
    texts = {key: pairs[value][key == "tls.key"] if value in pairs else value for key, value in values.items()}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    if not words:
        certificate, key = pairs["accepted"]
        assert parsed_credentials(data, "Secret a/b") == Credentials(texts.get("token", ""), "", certificate, key)
        return
    with pytest.raises(RejectedError, match=words) as caught:
        parsed_credentials(data, "Secret a/b")
    assert not any(text in str(caught.value) for text in texts.values())


def test_a_key_with_a_passphrase_is_rejected_and_not_asked_for(pairs, tmp_path):
    path = tmp_path / "tls.key"
    path.write_text(pairs["accepted"][1])
    command = ["openssl", "pkey", "-in", path, "-aes128", "-passout", "pass:x"]
    locked = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    data = {"tls.crt": pairs["accepted"][0], "tls.key": locked}
    with pytest.raises(RejectedError, match="without a passphrase"):
        parsed_credentials({key: base64.b64encode(text.encode()).decode() for key, text in data.items()}, "Secret a/b")
