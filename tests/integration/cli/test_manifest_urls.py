"""The option -f with https URLs, and with what cannot be read."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import click
import pytest

from tests.certificates import make_certificate
from tests.unit.cli.test_manifest_files import names
from workspace_ctrl.cli.arguments import manifest_files


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.yaml", "No such file"),
        ("empty", "has no files that end with .yaml, .yml or .json; -R reads also the folders in it"),
        ("bytes", "is not UTF-8 text"),
        ("http://example.com/x.yaml", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("https://[x/", "cannot be read"),
        ("https://127.0.0.1:1/x", "https://127.0.0.1:1/x cannot be read: Connection refused"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(source, words, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match=words):
        names(source)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        if self.path == "/large":
            self.wfile.write(b"#" * 2000)
        self.wfile.write(b"metadata: {name: remote}\n")

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def address(tmp_path, monkeypatch):
    certificate = make_certificate(tmp_path / "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("tls.key"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_is_read(address):
    assert names(f"{address}/workspace.yaml") == ["remote"]


def test_a_url_is_read_through_the_proxy_of_the_environment_where_kubectl_uses_it(address, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert names(f"{address}/workspace.yaml") == ["remote"]
    with pytest.raises(click.UsageError, match=r"https://manifests.invalid cannot be read: Connection refused"):
        names("https://manifests.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(
        click.UsageError, match=r"cannot connect to https://manifests.invalid: HTTPS_PROXY is no URL of an HTTP proxy"
    ):
        names("https://manifests.invalid")


@pytest.mark.parametrize(
    ("path", "words"),
    [("/missing", "Not Found"), ("/elsewhere", "redirects to an address that is not https"), ("/large", "has more than 0 MiB")],
)
def test_a_url_that_is_not_what_it_should_be(address, path, words, monkeypatch):
    monkeypatch.setattr(manifest_files, "_LARGEST", 1000)
    with pytest.raises(click.UsageError, match=words):
        names(address + path)


def test_a_server_that_is_not_trusted(address, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(click.UsageError, match="certificate"):
        names(address)
