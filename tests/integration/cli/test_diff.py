"""`diff` hides the values of Secrets, and its exit code tells differences from comparisons that failed."""

import asyncio
import json

import pytest
import yaml
from aiohttp import web
from click.testing import CliRunner

from tests.integration.http_server import listening
from workspace_ctrl.cli.main import main
from workspace_ctrl.cli.printing.masked_secrets import masked

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def secret(data=None, last_applied="", **fields):
    annotations = {"annotations": {LAST_APPLIED: last_applied, "a": "b"}} if last_applied else {}
    given = {"data": data} if data is not None else {}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "it", **annotations}, **given, **fields}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, secret({"a": "x"}), (None, secret({"a": "***"})), id="new"),
        pytest.param(secret({"a": "x"}), secret({"a": "x"}), (secret({"a": "***"}), secret({"a": "***"})), id="the same"),
        pytest.param(
            secret({"a": "x", "b": "x"}),
            secret({"a": "y", "c": "x"}),
            (secret({"a": "*** (before)", "b": "***"}), secret({"a": "*** (after)", "c": "***"})),
            id="changed, removed and added",
        ),
        pytest.param(secret(), secret({"a": "x"}), (secret(), secret({"a": "***"})), id="without data before"),
        pytest.param(
            secret(stringData={"a": "x"}),
            secret(stringData={"a": "y"}),
            (secret(stringData={"a": "*** (before)"}), secret(stringData={"a": "*** (after)"})),
            id="stringData",
        ),
        pytest.param(
            secret(last_applied="x"),
            secret(last_applied="y"),
            (secret(last_applied="*** (before)"), secret(last_applied="*** (after)")),
            id="annotation with the object",
        ),
        pytest.param(secret(None, "x"), secret(), (secret(None, "***"), secret()), id="annotation that is removed"),
        pytest.param(secret("x", type="Opaque"), secret({}), (secret({}, type="Opaque"), secret({})), id="no map"),
        pytest.param(
            secret({"a": "x"}) | {"kind": "ConfigMap"},
            secret({"a": "y"}) | {"kind": "ConfigMap"},
            (secret({"a": "x"}) | {"kind": "ConfigMap"}, secret({"a": "y"}) | {"kind": "ConfigMap"}),
            id="another kind",
        ),
    ],
)
def test_values_of_secrets_are_hidden(before, after, expected):
    assert masked(before, after) == expected


async def diff(folder, port, document):
    (folder / "object.yaml").write_text(yaml.safe_dump(document))
    cluster = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    contexts = [{"name": "it", "context": {"cluster": "it"}}]
    (folder / "config").write_text(json.dumps({"current-context": "it", "clusters": [cluster], "contexts": contexts}))
    arguments = ["diff", "-f", str(folder / "object.yaml"), "--kubeconfig", str(folder / "config")]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def test_a_secret_is_compared_without_its_values(tmp_path):
    async def answer(request):
        if request.method == "GET" and request.path == "/api/v1":
            return web.json_response({"resources": [{"name": "secrets", "kind": "Secret", "namespaced": True}]})
        return web.json_response(secret({"password": "b2xk" if request.method == "GET" else "bmV3", "user": "bWU="}))

    async with listening(answer) as port:
        result = await diff(tmp_path, port, secret({"password": "bmV3", "user": "bWU="}))
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if "password" in line or "user" in line] == [
        "-  password: '*** (before)'",
        "+  password: '*** (after)'",
        "   user: '***'",
    ]


FAILURE = {"kind": "Status", "message": "no", "code": 403}


@pytest.mark.parametrize(
    ("status", "document", "words"),
    [
        pytest.param(403, secret(), "Error: no", id="forbidden"),
        pytest.param(404, secret() | {"kind": "Thing"}, "Thing it is rejected", id="unknown kind"),
        pytest.param(200, [], "no object found", id="no object"),
    ],
)
async def test_what_cannot_be_compared_is_no_difference(status, document, words, tmp_path):
    async def answer(_request):
        return web.json_response(FAILURE, status=status) if status != 404 else web.Response(status=404, text="404 page not found")

    async with listening(answer) as port:
        result = await diff(tmp_path, port, document)
    assert (result.exit_code, words in result.output) == (2, True), result.output


@pytest.mark.parametrize("kubeconfig", ["config", "missing"])
async def test_a_cluster_that_is_not_there_is_no_difference(kubeconfig, tmp_path, unused_tcp_port):
    result = await diff(tmp_path, unused_tcp_port, secret())
    arguments = ["diff", "-f", str(tmp_path / "object.yaml"), "--kubeconfig", str(tmp_path / kubeconfig)]
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert (result.exit_code, result.output.startswith("Error: ")) == (2, True), result.output
