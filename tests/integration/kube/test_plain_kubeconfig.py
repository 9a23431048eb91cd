"""What reading a kubeconfig imports, and the programs that it names for credentials."""

import subprocess
import sys

import pytest

from tests.unit.kube.test_plain_kubeconfig import document, with_plugin, words_of, written
from workspace_ctrl.kube.access.kubeconfig import KubeconfigAccess


def test_a_plain_kubeconfig_does_not_need_the_package(tmp_path):
    file = written(tmp_path, document(user={"token": "secret"}))
    code = f"""
import sys, pathlib
from workspace_ctrl.kube.access.kubeconfig import load_access
access = load_access(pathlib.Path({str(file)!r}), None)
print(access.authorization(), access.namespace(), "kubernetes" in sys.modules)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "Bearer secret default False\n"


@pytest.mark.parametrize(
    ("content", "words", "hint"),
    [
        pytest.param(with_plugin("no-such-plugin"), "No such file or directory: 'no-such-plugin'", "", id="not installed"),
        pytest.param(
            with_plugin("no-such-plugin", installHint="brew install\nit"), "No such file", "; brew install it", id="installHint"
        ),
        pytest.param(
            with_plugin("sh", "-c", "echo $WORDS >&2; exit 1", env=[{"name": "WORDS", "value": "log in first"}]),
            "exec: process returned 1. log in first",
            "",
            id="fails",
        ),
        pytest.param(with_plugin("echo", "{}"), "missing key", "", id="no credentials"),
    ],
)
def test_an_exec_plugin_that_gives_no_credentials_is_said_instead_of_requests_without_any(content, words, hint, tmp_path, capfd):
    found = words_of(written(tmp_path, content))
    assert "the exec plugin of its user gives no credentials: " in found
    assert words in found
    assert found.endswith("; install it, or log in with it; kubectl fails in the same way" + hint)
    assert capfd.readouterr() == ("", "")


def test_an_exec_plugin_that_fails_later_leaves_the_last_token(tmp_path):
    credential = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "first"}}'
    access = KubeconfigAccess(written(tmp_path, with_plugin("echo", credential)), None)
    assert access.authorization() == "Bearer first"
    written(tmp_path, with_plugin("no-such-plugin"))
    assert access.authorization_anew() == "Bearer first"
