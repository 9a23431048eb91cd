"""What is pushed is in the registry as Helm, containerd and cosign look for it, signed by the key and by nobody else."""

import base64
import http.server
import json
import os
import subprocess
import threading
import urllib.request

import pytest

from e2e.cluster.chart import FLUX_STANDIN
from e2e.cluster.oci import FileEntry, Image, write_layout
from e2e.waiting import WAIT_SECONDS
from release import oci
from release.build import Choices, write
from release.bundle import CHART_REPOSITORY, IMAGE_REPOSITORY
from release.chart import about, helm, write_chart
from release.errors import ReleaseError
from release.oci import digest_of
from release.provenance import PREDICATE_TYPE, statement
from release.registry import Registry, docker_login, host_of
from release.signing import Key, blob_signature, envelope, simple_signing


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key.create(tmp_path_factory.mktemp("key") / "release.key")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    write_layout(Image("x", (FileEntry("/hello", "hello"),), ("/hello",)), folder / "layout")
    return oci.from_layout(folder / "layout", IMAGE_REPOSITORY, "1.2.3")


def get(registry, path, kind="manifests", repository=f"team/{IMAGE_REPOSITORY}"):
    headers = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    request = urllib.request.Request(f"http://{registry}/v2/{repository}/{kind}/{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as response:  # noqa: S310 - of http
        return response.read()


def verified(key, content, signature, folder):
    """Whether openssl finds the signature to be the public key's; what cosign does with it is the same check."""
    for name, value in (("public", key.public()), ("signature", signature), ("content", content)):
        (folder / name).write_bytes(value)
    command = ["openssl", "dgst", "-sha256", "-verify", "public", "-signature", "signature", "content"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_an_image_that_is_pushed_is_served_whole(image, registry):
    target = Registry(f"{registry}/team", plain_http=True)
    target.push(image)
    assert target.name(image) == f"{registry}/team/workspace-ctrl"
    assert digest_of(get(registry, "1.2.3")) == image.digest
    for digest in image.blobs:
        assert digest_of(get(registry, digest, "blobs")) == digest
    target.push(image)  # what is there already is no error


def test_the_signature_is_where_cosign_looks_for_it_and_says_which_digest_and_name_it_is_for(image, registry, key, tmp_path):
    target = Registry(f"{registry}/team", plain_http=True)
    target.push(image)
    payload = simple_signing(image, target.name(image))
    target.push(oci.signature(image, payload, key.sign(payload)))
    (layer,) = json.loads(get(registry, image.digest.replace(":", "-") + ".sig"))["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    said = get(registry, layer["digest"], "blobs")
    critical = json.loads(said)["critical"]
    assert critical["image"] == {"docker-manifest-digest": image.digest}
    assert critical["identity"] == {"docker-reference": f"{registry}/team/workspace-ctrl"}
    assert critical["type"] == "cosign container image signature"
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    assert verified(key, said, signature, tmp_path)
    assert not verified(key, said.replace(b"sha256:", b"sha256:0", 1), signature, tmp_path)
    assert not verified(Key.create(tmp_path / "other"), said, signature, tmp_path)


def test_the_provenance_is_signed_and_names_commit_pins_and_what_was_built(image, source, registry, key, tmp_path):
    said = statement(source, {f"{image.repository}:{image.tag}": image.digest}, builder="https://ci.example/1", images="local")
    target = Registry(f"{registry}/team", plain_http=True)
    target.push(image)
    target.push(oci.attestation(image, envelope(key, said), PREDICATE_TYPE))
    (layer,) = json.loads(get(registry, image.digest.replace(":", "-") + ".att"))["layers"]
    assert layer["annotations"]["predicateType"] == "https://slsa.dev/provenance/v1"
    enveloped = json.loads(get(registry, layer["digest"], "blobs"))
    payload = base64.b64decode(enveloped["payload"])
    encoded = f"DSSEv1 28 application/vnd.in-toto+json {len(payload)} ".encode() + payload
    assert verified(key, encoded, base64.b64decode(enveloped["signatures"][0]["sig"]), tmp_path)
    document = json.loads(payload)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["subject"] == [{"name": "workspace-ctrl:1.2.3", "digest": {"sha256": image.digest[7:]}}]
    definition = document["predicate"]["buildDefinition"]
    git, *pins = definition["resolvedDependencies"]
    assert git["digest"] == {"gitCommit": source.commit}
    assert "requirements/runtime.txt" in {pin["name"] for pin in pins}
    assert document["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/1"


def test_helm_pulls_the_chart_that_was_pushed(source, registry, tmp_path):
    archive = write_chart(source, tmp_path, FLUX_STANDIN)
    Registry(f"{registry}/team", plain_http=True).push(oci.chart(archive, about(archive), CHART_REPOSITORY))
    (tmp_path / "pulled").mkdir()
    command = [helm(), "pull", f"oci://{registry}/team/charts/workspace-ctrl", "--version", source.version, "--plain-http"]
    pulled = subprocess.run([*command, "--destination", tmp_path / "pulled"], capture_output=True, text=True, check=False)
    assert not pulled.returncode, pulled.stderr
    assert (tmp_path / "pulled" / archive.name).read_bytes() == archive.read_bytes()


def test_a_file_has_a_signature_that_can_be_checked_by_openssl_alone(key, tmp_path):
    signature = base64.b64decode(blob_signature(key, b"content"))
    assert verified(key, b"content", signature, tmp_path)
    assert not verified(key, b"contents", signature, tmp_path)
    assert key.has_signed(b"content", signature)
    assert not key.has_signed(b"contents", signature)
    with pytest.raises(ReleaseError, match="cannot be read as a private key"):
        Key(tmp_path / "none.key").has_signed(b"content", signature)


def test_keys_are_private_are_not_overwritten_and_are_of_one_curve(tmp_path):
    path = tmp_path / "release.key"
    Key.create(path)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ReleaseError, match="exists already"):
        Key.create(path)
    other = tmp_path / "other.key"
    command = ["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", other]
    subprocess.run(command, check=True)
    with pytest.raises(ReleaseError, match="no ECDSA key on the curve P-256"):
        Key(other).public()


def test_an_encrypted_key_is_used_with_its_password(tmp_path, monkeypatch):
    plain, encrypted = tmp_path / "plain", tmp_path / "encrypted"
    public = Key.create(plain).public()
    command = ["openssl", "pkcs8", "-topk8", "-in", plain, "-out", encrypted, "-passout", "pass:secret"]
    subprocess.run(command, check=True)
    monkeypatch.setenv("RELEASE_KEY_PASSWORD", "secret")
    assert Key(encrypted).public() == public
    assert verified(Key(plain), b"content", Key(encrypted).sign(b"content"), tmp_path)
    monkeypatch.setenv("RELEASE_KEY_PASSWORD", "wrong")
    with pytest.raises(ReleaseError):
        Key(encrypted).sign(b"content")


@pytest.fixture
def guarded():
    """A registry that wants a token, and the service that gives one for a login; what was asked of them."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, code, headers=(), body=b""):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(code)
            for name, value in (*headers, ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            asked.append(self.path)
            good = self.headers.get("Authorization") == f"Basic {base64.b64encode(b'user:password').decode()}"
            self.answer(200 if good else 401, body=b'{"token": "T"}' if good else b"")

        def guard(self):
            if self.headers.get("Authorization") == "Bearer T":
                self.answer(201, [("Location", "/v2/upload")])
            else:
                realm = f'Bearer realm="http://127.0.0.1:{self.server.server_port}/token",service="s",scope="repository:x:pull"'
                self.answer(401, [("WWW-Authenticate", realm)])

        do_HEAD = do_POST = do_PUT = guard  # noqa: N815 - named by the base class

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_registry_that_wants_a_token_gets_one_for_the_login(guarded, image):
    address, asked = guarded
    Registry(address, plain_http=True, login="user:password").push(image)
    assert asked == ["/token?service=s&scope=repository%3Ax%3Apull%2Cpush"]


def test_a_blob_that_is_stored_elsewhere_is_there_and_credentials_do_not_go_where_it_is(image):
    """Registries in clouds answer with the address of a store that has nothing to do with the login."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(f"{self.command} {self.path}")
            self.send_response(307)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def do_PUT(self):
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        Registry(f"127.0.0.1:{server.server_port}", plain_http=True).push(image)
        server.shutdown()
        thread.join()
    assert asked == [
        *(f"HEAD /v2/workspace-ctrl/blobs/{digest}" for digest in image.blobs),
        "PUT /v2/workspace-ctrl/manifests/1.2.3",
    ]


def test_a_folder_with_other_files_is_not_emptied(source, tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(ReleaseError, match="has files that are no release: mine; "):
        write(source, tmp_path, None, Choices())
    assert (tmp_path / "mine").exists()


def test_without_a_login_the_error_says_how_to_log_in(guarded, image):
    with pytest.raises(ReleaseError, match="docker login"):
        Registry(guarded[0], plain_http=True).push(image)


def test_the_login_is_read_from_docker_s_configuration(tmp_path):
    config = tmp_path / "config.json"
    assert docker_login(config, "ghcr.io") == ""
    config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": base64.b64encode(b"a:b").decode()}}}))
    assert docker_login(config, "ghcr.io") == "a:b"
    assert docker_login(config, "quay.io") == ""


def test_an_identity_token_in_docker_s_configuration_is_refused(tmp_path):
    entry = {"auth": base64.b64encode(b"a:").decode(), "identitytoken": "t"}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"ghcr.io": entry}}))
    with pytest.raises(ReleaseError, match=r"has an identity token for ghcr\.io.*docker login --username USER ghcr\.io"):
        docker_login(tmp_path / "config.json", "ghcr.io")


STORE = """#!/bin/sh
test "$1" = get || exit 2
case "$(cat)" in
ghcr.io) echo '{"ServerURL": "ghcr.io", "Username": "a", "Secret": "b:c"}' ;;
token.example) echo '{"ServerURL": "token.example", "Username": "<token>", "Secret": "t"}' ;;
odd.example) echo 'no JSON' ;;
broken.example) echo 'the keychain is locked' >&2; exit 1 ;;
*) echo 'a warning' >&2; echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A function that writes docker's configuration, and the program docker-credential-keychain."""
    program = tmp_path / "bin" / "docker-credential-keychain"
    program.parent.mkdir()
    program.write_text(STORE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def write_config(**settings):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(settings))
        return path

    return write_config


def test_the_login_is_that_of_the_program_where_docker_keeps_it(config):
    for settings in ({"credsStore": "keychain"}, {"credsStore": "none", "credHelpers": {"ghcr.io": "keychain"}}):
        assert docker_login(config(auths={"ghcr.io": {}}, **settings), "ghcr.io") == "a:b:c"
    assert docker_login(config(credsStore="keychain"), "quay.io") == ""
    entry = {"auth": base64.b64encode(b"d:e").decode()}
    assert docker_login(config(credsStore="none", credHelpers={"ghcr.io": ""}, auths={"ghcr.io": entry}), "ghcr.io") == "d:e"


@pytest.mark.parametrize(
    ("host", "store", "words"),
    [
        ("token.example", "keychain", r"docker-credential-keychain has an identity token for token\.example.*docker logout"),
        ("odd.example", "keychain", r"docker-credential-keychain gives no user and password for odd\.example; log in anew with"),
        ("broken.example", "keychain", "docker-credential-keychain get: the keychain is locked"),
        ("ghcr.io", "of-nobody", "docker-credential-of-nobody is not installed"),
    ],
)
def test_a_program_that_has_no_password_is_named(config, host, store, words):
    with pytest.raises(ReleaseError, match=words):
        docker_login(config(credsStore=store), host)


@pytest.mark.parametrize("address", ["docker.io/team", "oci://index.docker.io/team", "Registry-1.Docker.io:443/team", "docker.io"])
def test_docker_hub_is_refused(address):
    with pytest.raises(ReleaseError, match="not pushed to Docker Hub: .* choose another registry, such as ghcr.io/OWNER"):
        Registry(address)
    assert host_of("oci://registry.example:5000/docker.io/") == "registry.example:5000"


def test_a_registry_that_does_not_answer_is_an_error_with_its_address(image):
    with pytest.raises(ReleaseError, match=r"http://127\.0\.0\.1:1/v2/"):
        Registry("127.0.0.1:1", plain_http=True).push(image)
