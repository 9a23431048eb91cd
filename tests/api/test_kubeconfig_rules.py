"""What a kubeconfig and the environment say of the way to the API server, and of its user, means what it means for kubectl.

Both ask a server of the test, which keeps the headers, or a proxy of the test, which keeps the addresses.
"""

import asyncio
import json
import os
import ssl

import pytest
import pytest_asyncio
from aiohttp import web

from e2e.waiting import WAIT_SECONDS
from tests.certificates import make_certificate
from tests.integration.http_server import listening
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import ApiError

PATH = "/version"
IMPERSONATED = {
    "as": "jane",
    "as-uid": "uid-1",
    "as-groups": ["developers", "admins"],
    "as-user-extra": {"scopes": ["view", "edit"], "example.com/a b%": ["c"]},
}


@pytest.fixture
def kubectl(plane, monkeypatch, tmp_path):
    """Sends a request by kubectl with a kubeconfig; returns the exit code and what it prints to standard error."""
    program = plane.kubectl_command("admin")[0]  # before HOME is another: the cluster's files are found by it
    for name in ("http_proxy", "https_proxy", "no_proxy", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    async def run(*options):
        command = (program, *options, "get", f"--raw={PATH}")
        nothing, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=nothing, stdout=nothing, stderr=pipe, env=dict(os.environ))
        _, errors = await process.communicate()
        return process.returncode, errors.decode()

    return run


async def ours(kubeconfig, context=None):
    """Send the same request by our client."""
    connection = open_connection(load_access(kubeconfig, context))
    try:
        await Client(connection, "tester", attempts=1).get_path(PATH)
    finally:
        await connection.close()


@pytest.fixture
def written(tmp_path):
    """Writes a kubeconfig for a server, with fields of its cluster and its user, and returns the file."""

    def write(server, cluster=None, user=None):
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": server, **(cluster or {})}}],
            "users": [{"name": "it", "user": user or {}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        (tmp_path / "token").write_text("of-a-file")
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path):
    """A server with TLS: its URL, its certificate, and the headers of the requests to it."""
    certificate = make_certificate(tmp_path / "certificates", server="DNS:kubernetes,IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("tls.key"))
    asked = []

    async def answer(request):
        asked.append(request.headers)
        return web.json_response({"gitVersion": "v1.36.0"})

    async with listening(answer, context=context) as port:
        yield f"https://127.0.0.1:{port}", certificate, asked


def shown(headers):
    """What a kubeconfig decides of the headers."""
    given = sorted(
        (name.lower(), value) for name, value in headers.items() if name.lower().startswith(("impersonate-", "authorization"))
    )
    return given, "gzip" in headers.get("Accept-Encoding", "")


def plugin(**fields):
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "TOKEN"}}
    script = f"echo '{json.dumps(credential)}' | sed s/TOKEN/$WORD/"
    made = {"command": "sh", "args": ["-c", script], "env": [{"name": "WORD", "value": "of-a-plugin"}], "interactiveMode": "Never"}
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", **made, **fields}}


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        pytest.param({}, {"token": "secret"}, id="token"),
        pytest.param({}, {"tokenFile": "token"}, id="token file"),
        pytest.param({}, {"token": "secret", "tokenFile": "token"}, id="token and token file"),
        pytest.param({}, {"token": "secret", "tokenFile": "missing"}, id="token and a token file that is missing"),
        pytest.param({}, {"username": "me", "password": "secret"}, id="password"),
        pytest.param({}, plugin(), id="exec plugin"),
        pytest.param({}, plugin(interactiveMode="IfAvailable"), id="exec plugin that asks if it can"),
        pytest.param({}, {"token": "secret", "as": "jane"}, id="another user"),
        pytest.param({}, {"token": "secret", **IMPERSONATED}, id="impersonation"),
        pytest.param({}, {"tokenFile": "token", **IMPERSONATED}, id="impersonation, token file"),
        pytest.param({}, plugin() | IMPERSONATED, id="impersonation, exec plugin"),
        pytest.param({"disable-compression": True}, {"token": "secret"}, id="no compression"),
        pytest.param({"tls-server-name": "kubernetes"}, {"token": "secret"}, id="name of the server"),
        pytest.param({"certificate-authority": "", "insecure-skip-tls-verify": True}, {"token": "secret"}, id="not verified"),
    ],
)
async def test_the_same_headers_are_sent(cluster, user, server, kubectl, written):
    url, certificate, asked = server
    path = written(url, {"certificate-authority": str(certificate), **cluster}, user)
    assert await kubectl("--kubeconfig", str(path)) == (0, "")
    await ours(path)
    theirs, mine = map(shown, asked)
    assert mine == theirs


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        pytest.param({}, {"token": "secret", "as-groups": ["admins"]}, "as-groups .* without as", id="groups without a user"),
        pytest.param({}, {"token": "secret", "as": "a\nb"}, "control character", id="no value of a header"),
        pytest.param({}, {"auth-provider": {"name": "gcp"}}, "Kubernetes 1.26", id="gcp"),
        pytest.param({}, {"auth-provider": {"name": "azure"}}, "Kubernetes 1.26", id="azure"),
        pytest.param({}, plugin(interactiveMode="Always"), "interactiveMode", id="exec plugin that asks"),
        pytest.param({"insecure-skip-tls-verify": True}, {"token": "secret"}, "both together", id="an authority that is not used"),
        pytest.param({"insecure-skip-tls-verify": "false"}, {"token": "secret"}, "neither true nor false", id="no flag"),
        pytest.param({"tls-server-name": "another"}, {"token": "secret"}, "Hostname mismatch", id="another name"),
    ],
)
async def test_what_kubectl_rejects_is_rejected_before_a_request(cluster, user, words, server, kubectl, written):
    url, certificate, asked = server
    path = written(url, {"certificate-authority": str(certificate), **cluster}, user)
    code, _ = await kubectl("--kubeconfig", str(path))
    with pytest.raises((ConnectionConfigError, ApiError), match=words):
        await ours(path)
    assert (code, asked) == (1, [])


async def test_a_context_that_does_not_exist_is_never_ignored(server, kubectl, written, monkeypatch):
    path = written(server[0], {"insecure-skip-tls-verify": True})
    for kubeconfig in (str(path), ""):
        monkeypatch.setenv("KUBECONFIG", kubeconfig)
        code, errors = await kubectl("--context", "nowhere")
        with pytest.raises(ConnectionConfigError):
            await ours(None, "nowhere")
        assert (code, errors) == (1, 'error: context "nowhere" does not exist\n')


@pytest.mark.parametrize(
    ("address", "excluded"),
    [
        ("api.example", ""),
        ("api.example", "api.example"),
        ("api.example", ".example"),
        ("api.example", "example"),
        ("example", ".example"),
        ("api.example", "other.example, *"),
        ("api.example", "api.example:6443"),
        ("api.example", "api.example:443"),
        ("10.255.0.1", "10.0.0.0/8"),
        ("10.255.0.1", "11.0.0.0/8"),
        ("127.0.0.1", ""),
        ("localhost", ""),
        ("[::1]", ""),
    ],
)
@pytest.mark.parametrize("own", [False, True], ids=["of the environment", "of the cluster"])
async def test_the_same_requests_go_through_a_proxy(address, excluded, own, kubectl, written, monkeypatch):
    asked = []

    async def refuse(reader, writer):
        asked.append((await reader.readline()).decode().split()[1])
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = "http://127.0.0.1:{1}".format(*proxy.sockets[0].getsockname())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1" if own else url)
    monkeypatch.setenv("NO_PROXY", excluded)
    path = written(f"https://{address}:6443", {"proxy-url": url} if own else {}, {"token": "secret"})
    async with proxy:
        # No server is at most of the addresses. On a busy machine, a shorter time may be over before the proxy is asked.
        await kubectl("--request-timeout=15s", "--kubeconfig", str(path))
        theirs = set(asked)
        assert theirs or not own
        asked.clear()
        with pytest.raises(ApiError):
            await asyncio.wait_for(ours(path), WAIT_SECONDS)
    assert set(asked) == theirs
