"""The option -f: files, folders, https URLs."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import click
import pytest

from tests.certificates import make_certificate
from workspace_ctrl.cli.arguments import manifest_files
from workspace_ctrl.cli.arguments.manifest_files import read_objects, repeated_names


def names(*sources, recursive=False):
    return [found["metadata"]["name"] for found in read_objects([*map(str, sources)], recursive=recursive)]


def write(path, *of):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\n".join(f"metadata: {{name: {name}}}\n" for name in of))


def test_folders_are_read_by_name_and_deeper_ones_on_request(tmp_path):
    write(tmp_path / "b.yaml", "b1", "b2")
    write(tmp_path / "a.json", "a")
    write(tmp_path / "c.txt", "c")
    write(tmp_path / "below/d.yml", "d")
    assert names(tmp_path) == ["a", "b1", "b2"]
    assert names(tmp_path, recursive=True) == ["a", "b1", "b2", "d"]
    assert names(tmp_path / "c.txt") == ["c"]


def test_objects_that_are_given_twice_are_named():
    def of(kind, name, **metadata):
        group = "kaito.sh" if kind in {"Workspace", "InferenceSet"} else "other"
        return {"apiVersion": f"{group}/v1beta1", "kind": kind, "metadata": {"name": name, **metadata}}

    twice = [of("Workspace", "phi"), of("Workspace", "phi", namespace="here"), of("Workspace", "phi", namespace="there")]
    shared = [of("InferenceSet", "phi"), of("InferenceSet", "set"), of("Gateway", "phi"), of("Gateway", "set")]
    nameless = [{"kind": "Workspace"}, {"kind": "Workspace"}, {"metadata": 1, "kind": "Gateway"}]
    repeated, with_one_name = repeated_names([*twice, *shared, *nameless], "here")
    assert repeated == "Workspace here/phi is given 2 times; an apply leaves what the last one says"
    assert with_one_name.startswith("Workspace and InferenceSet here/phi have the same name, so only the one that is created first")
    assert [*repeated_names([*twice, *shared][1:], "elsewhere")] == []


def test_items_of_lists_are_objects(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("kind: List\nitems: [{metadata: {name: a}}, 7, {metadata: {name: b}}]\n")
    assert names(path) == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]}', id="of the API server"),
        pytest.param('[{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "a"}}]', id="no kind"),
        pytest.param(
            "kind: List\nitems: [{kind: List, items: [{kind: Node, apiVersion: v1, metadata: {name: a}}]}]", id="in a List"
        ),
        pytest.param("kind: NodeList\nitems: [{kind: Node, apiVersion: v1, metadata: {name: a}}]", id="kinds repeated"),
    ],
)
def test_lists_of_other_forms_are_unpacked(text, tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text(text)
    (found,) = read_objects([str(path)], recursive=False)
    assert (found["kind"], found["apiVersion"], found["metadata"]) == ("Node", "v1", {"name": "a"})


def test_an_object_whose_kind_ends_with_list_is_not_unpacked_without_items(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("kind: AllowList\nmetadata: {name: a}\n")
    assert names(path) == ["a"]


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
