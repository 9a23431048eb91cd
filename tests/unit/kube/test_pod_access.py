"""Address and credentials of a pod; those of kubeconfigs are tested against a real API server."""

import json

import pytest

from workspace_ctrl.kube.access import kubeconfig as module
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.access.pod import PodAccess


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The mounted files of a ServiceAccount."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("certificate")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_address_authority_and_token(folder):
    access = PodAccess(folder)
    assert (access.server, access.tls.authority, access.proxy) == ("https://10.0.0.1:443", str(folder / "ca.crt"), "")
    assert access.authorization() == "Bearer first"


def test_an_address_of_ip_6(folder, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert PodAccess(folder).server == "https://[fd00::1]:443"


def test_a_token_that_the_kubelet_replaces_is_read_and_one_that_is_away_for_a_moment_kept(folder):
    access = PodAccess(folder)
    (folder / "token").write_text("second")
    assert access.authorization() == "Bearer second"
    (folder / "token").write_text("")
    assert access.authorization() == "Bearer second"
    (folder / "token").unlink()
    assert access.authorization_anew() == "Bearer second"


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_missing_file_is_named(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(ConnectionConfigError, match=missing):
        PodAccess(folder)


def test_a_missing_address_is_named_with_a_way_out(folder, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_PORT")
    with pytest.raises(ConnectionConfigError, match=r"KUBERNETES_SERVICE_PORT are not set; set --kubeconfig"):
        PodAccess(folder)


def test_a_proxy_of_the_environment_is_used_unless_the_address_is_excluded(folder, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert PodAccess(folder).proxy == "http://proxy.example:3128"
    monkeypatch.setenv("NO_PROXY", "localhost, 10.0.0.0/16")
    assert PodAccess(folder).proxy == ""


@pytest.fixture
def home(folder, monkeypatch):
    """The home of a user in a pod, without a kubeconfig."""
    monkeypatch.setattr(module, "SERVICE_ACCOUNT", folder)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def kubeconfig_in(folder, server):
    context = {"name": "prod", "context": {"cluster": "c"}}
    document = {"current-context": "prod", "contexts": [context], "clusters": [{"name": "c", "cluster": {"server": server}}]}
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(json.dumps(document))
    return folder / "config"


@pytest.mark.parametrize("context", [None, "prod"])
def test_in_a_pod_each_kubeconfig_comes_before_the_service_account(home, context, monkeypatch):
    kubeconfig_in(home / ".kube", "https://of-home.example")
    assert load_access(None, context).server == "https://of-home.example"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig_in(home / "other", "https://of-environment.example")))
    assert load_access(None, context).server == "https://of-environment.example"
    given = kubeconfig_in(home / "given", "https://given.example")
    assert load_access(given, context).server == "https://given.example"


def test_in_a_pod_without_a_kubeconfig_the_service_account_is_used_and_no_context_accepted(home):
    assert isinstance(load_access(None, None), PodAccess)
    with pytest.raises(
        ConnectionConfigError, match=r"there is no context prod: without a kubeconfig .*; set --kubeconfig, or leave out"
    ):
        load_access(None, "prod")
    with pytest.raises(ConnectionConfigError, match="no such file"):
        load_access(home / "missing", None)
    (home / "token").unlink()
    with pytest.raises(ConnectionConfigError, match="~/.kube/config: no such file"):
        load_access(None, None)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param(
            "apiVersion: v1\nkind: Config\nclusters: null\ncontexts: null\ncurrent-context: ''\n", id="what kubectl leaves"
        ),
        pytest.param("contexts: [{name: prod, context: {cluster: c}}]", id="no current context"),
    ],
)
def test_in_a_pod_kubeconfigs_that_choose_no_context_do_not_count_as_for_kubectl(home, content, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(home / "config"))
    if content is not None:
        (home / "config").write_text(content)
    assert isinstance(load_access(None, None), PodAccess)


def test_in_a_pod_a_broken_kubeconfig_is_an_error(home, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(home / "config"))
    (home / "config").write_text("{")
    with pytest.raises(ConnectionConfigError, match="config"):
        load_access(None, None)


def test_in_a_pod_a_home_that_cannot_be_read_has_no_kubeconfig(home, monkeypatch):
    monkeypatch.setenv("HOME", "/dev/null")
    assert isinstance(load_access(None, None), PodAccess)
