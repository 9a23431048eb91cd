"""A plain kubeconfig is read as the `kubernetes` package reads it, without importing that."""

import base64
import os
from pathlib import Path

import pytest
import yaml

from workspace_ctrl.kube.access import kubeconfig as module
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.kubeconfig import KubeconfigAccess
from workspace_ctrl.kube.access.plain_kubeconfig import read_plain_kubeconfig
from workspace_ctrl.kube.connection import open_connection

DATA = base64.b64encode(b"content").decode()
SERVER = {"server": "https://api.example:6443/"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def document(cluster=None, user=None, context=None):
    return {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": SERVER | (cluster or {})}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", **(context or {})}},
            {"name": "two", "context": {"cluster": "c"}},
        ],
    }


def with_plugin(command, *arguments, mode="Never", **fields):
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": [*arguments], "interactiveMode": mode}
    return document(user={"exec": plugin | fields})


def written(folder, content):
    for name in ("ca.crt", "me.crt", "me.key"):
        (folder / name).write_text(f"content of {name}")
    file = folder / "config"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return file


def shown(access):
    files = [Path(path).read_bytes() if path else path for path in (access.tls.authority, access.tls.certificate, access.tls.key)]
    tls = (files, access.tls.verify, access.tls.server_name)
    return access.server, tls, access.proxy, access.headers, access.authorization(), access.namespace()


IMPERSONATED = {
    "as": "jane",
    "as-uid": "uid-1",
    "as-groups": ["developers", "admins"],
    "as-user-extra": {"scopes": ["view", "edit"], "example.com/a b%": ["é"]},
}

PLAIN = [
    pytest.param(document(), None, id="an address alone"),
    pytest.param(document(), "two", id="another context, without user"),
    pytest.param(document(user={"token": "secret"}), None, id="token"),
    pytest.param(
        document({"certificate-authority-data": DATA}, {"client-certificate-data": DATA, "client-key-data": DATA}), None, id="data"
    ),
    pytest.param(
        document({"certificate-authority": "ca.crt"}, {"client-certificate": "me.crt", "client-key": "./me.key"}), None, id="files"
    ),
    pytest.param(document({"certificate-authority": "ca.crt", "certificate-authority-data": DATA}), None, id="data before files"),
    pytest.param(document({"insecure-skip-tls-verify": True, "tls-server-name": "name"}), None, id="not verified, another name"),
    pytest.param(document({"server": "http://localhost:8080", "certificate-authority-data": DATA}), None, id="without TLS"),
    pytest.param(document(context={"namespace": "team-a"}), None, id="namespace"),
    pytest.param(document(user={"token": "secret", **IMPERSONATED}), None, id="impersonation"),
    pytest.param(document({"disable-compression": True}), None, id="without compression"),
    pytest.param(document() | {"kind": "Config", "apiVersion": "v1", "preferences": {}}, None, id="what kubectl writes"),
    pytest.param(document({"extensions": [{"name": "cluster_info"}]}, context={"extensions": []}), None, id="what minikube writes"),
]


@pytest.mark.parametrize(
    ("user", "token"),
    [
        pytest.param(None, "", id="no user"),
        pytest.param(
            {"token": "secret", "exec": None, "as": None, "as-groups": None, "client-key-data": None}, "secret", id="no fields"
        ),
    ],
)
def test_null_is_no_value_as_for_kubectl(user, token, tmp_path):
    content = document(user={}) | {"users": [{**entry, "user": user} for entry in document(user={})["users"]]}
    plain = read_plain_kubeconfig(written(tmp_path, content), None)
    assert plain is not None
    assert (plain.token, plain.headers) == (token, ())


def test_no_error_quotes_the_credentials_in_a_kubeconfig(tmp_path):
    content = document(user={"token": None, "username": "me", "password": "secret", "exec": {"command": "login"}})
    with pytest.raises(ConnectionConfigError, match="Expected key token") as error:
        KubeconfigAccess(written(tmp_path, content), None)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("content", "context"), PLAIN)
def test_it_says_what_the_package_says(content, context, tmp_path, monkeypatch):
    file = written(tmp_path, content)
    assert read_plain_kubeconfig(file, context) is not None
    plain = shown(KubeconfigAccess(file, context))
    monkeypatch.setattr(module, "read_plain_kubeconfig", lambda _file, _context: None)
    assert plain == shown(KubeconfigAccess(file, context))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(document(user={"exec": {"command": "login"}}), id="exec plugin"),
        pytest.param(document(user={"auth-provider": {"name": "oidc"}}), id="auth provider"),
        pytest.param(document(user={"tokenFile": "token"}), id="token file"),
        pytest.param(document(user={"username": "me", "password": "secret"}), id="password"),
        pytest.param(document({"proxy-url": "http://proxy:3128"}), id="proxy"),
        pytest.param(document({"certificate-authority": "missing.crt"}), id="missing file"),
        pytest.param(document({"certificate-authority-data": "not base64!"}), id="broken data"),
        pytest.param(document({"server": None}), id="no server"),
        pytest.param(document({"insecure-skip-tls-verify": "false"}), id="no flag"),
        pytest.param(document({"insecure-skip-tls-verify": True, "certificate-authority-data": DATA}), id="an authority too much"),
        pytest.param(document(user={"as-groups": ["admins"]}), id="impersonation of nobody"),
        pytest.param(document() | {"users": None, "clusters": None}, id="no clusters"),
        pytest.param(document() | {"clusters": document()["clusters"] * 2}, id="two of one name"),
        pytest.param(document() | {"current-context": "three"}, id="unknown context"),
        pytest.param("{", id="no YAML"),
        pytest.param("[]", id="a list"),
        pytest.param("", id="empty"),
    ],
)
def test_all_else_is_left_to_the_package(content, tmp_path):
    assert read_plain_kubeconfig(written(tmp_path, content), None) is None


def test_several_files_and_a_missing_one_are_left_to_the_package(tmp_path):
    file = written(tmp_path, document())
    assert read_plain_kubeconfig(Path(f"{file}{os.pathsep}{file}"), None) is None
    assert read_plain_kubeconfig(tmp_path / "missing", None) is None


@pytest.mark.parametrize("user", [{}, {"username": "me", "password": "secret"}], ids=["plain", "password"])
@pytest.mark.parametrize(
    ("cluster", "excluded", "proxy"),
    [
        ({}, "", "http://of-environment:3128"),
        ({}, ".example", ""),
        ({"server": "https://127.0.0.1:6443"}, "", ""),
        ({"proxy-url": "http://of-cluster:3128"}, "*", "http://of-cluster:3128"),
    ],
)
def test_the_proxy_is_that_of_the_cluster_or_else_of_the_environment(cluster, excluded, proxy, user, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://of-environment:3128")
    monkeypatch.setenv("NO_PROXY", excluded)
    assert KubeconfigAccess(written(tmp_path, document(cluster, user)), None).proxy == proxy


@pytest.mark.parametrize("user", [{}, {"tokenFile": "me.key"}], ids=["plain", "token file"])
def test_whom_to_impersonate_is_in_the_headers_of_each_request(user, tmp_path):
    access = KubeconfigAccess(written(tmp_path, document({"disable-compression": True}, user | IMPERSONATED)), None)
    assert access.headers == (
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "uid-1"),
        ("Impersonate-Group", "developers"),
        ("Impersonate-Group", "admins"),
        ("Impersonate-Extra-example.com%2Fa%20b%25", "é"),
        ("Impersonate-Extra-scopes", "view"),
        ("Impersonate-Extra-scopes", "edit"),
        ("Accept-Encoding", "identity"),
    )


@pytest.mark.parametrize("user", [{"token": "first"}, {"tokenFile": "me.key"}], ids=["plain", "token file"])
def test_another_current_context_does_not_change_whose_credentials_are_sent(user, tmp_path):
    content = document(user=user, context={"namespace": "team-a"})
    access = KubeconfigAccess(written(tmp_path, content), None)
    sent = access.authorization()
    content["users"].append({"name": "other", "user": {"token": "of another server"}})
    content["contexts"].append({"name": "three", "context": {"cluster": "c", "user": "other", "namespace": "team-b"}})
    written(tmp_path, content | {"current-context": "three"})
    assert (access.authorization_anew(), access.namespace()) == (sent, "team-a")


def test_of_several_files_the_first_current_context_counts_as_for_kubectl(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(yaml.safe_dump(document(user={"token": "first"})))
    other = {
        "users": [{"name": "v", "user": {"token": "second"}}],
        "contexts": [{"name": "three", "context": {"cluster": "c", "user": "v"}}],
    }
    second.write_text(yaml.safe_dump(other | {"current-context": "three"}))
    monkeypatch.setenv("KUBECONFIG", f"{first}{os.pathsep}{second}")
    assert KubeconfigAccess(None, None).authorization() == "Bearer first"
    assert KubeconfigAccess(None, "three").authorization() == "Bearer second"


def test_the_environment_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(written(tmp_path, document(user={"token": "secret"}))))
    assert read_plain_kubeconfig(None, None).token == "secret"


def test_keys_are_in_files_of_this_user_only_and_while_they_are_in_use(tmp_path):
    access = KubeconfigAccess(written(tmp_path, document(user={"client-key-data": DATA, "client-certificate-data": DATA})), None)
    key = Path(access.tls.key)
    assert key.parent.stat().st_mode & 0o077 == 0
    assert key.exists()
    del access
    assert not key.exists()


def test_a_token_is_read_again_and_the_last_one_stays_while_the_file_is_broken(tmp_path):
    file = written(tmp_path, document(user={"token": "old"}))
    access = KubeconfigAccess(file, None)
    written(tmp_path, document(user={"token": "new"}))
    assert access.authorization_anew() == "Bearer new"
    file.write_text("{")
    assert access.authorization_anew() == "Bearer new"
    with pytest.raises(ConnectionConfigError):
        access.namespace()


def words_of(file, context=None):
    with pytest.raises(ConnectionConfigError) as found:
        KubeconfigAccess(file, context)
    return str(found.value)


def test_a_context_that_does_not_exist_is_said_with_those_that_do(tmp_path):
    file = written(tmp_path, document())
    assert f"{file}: there is no context three; there are one, two; kubectl config get-contexts lists them" in words_of(
        file, "three"
    )


def test_a_file_that_does_not_exist_is_said(tmp_path, monkeypatch):
    assert f"{tmp_path / 'missing'}: no such file" in words_of(tmp_path / "missing")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert "~/.kube/config: no such file" in words_of(None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            document() | {"current-context": "three"}, "there is no context three; there are one, two;", id="current context"
        ),
        pytest.param(
            document() | {"current-context": None}, "it has no current context; choose one with --context: one, two", id="none"
        ),
        pytest.param(
            document(context={"user": "nobody"}), "its context one names user nobody, which is not in it; there are u;", id="user"
        ),
        pytest.param(
            document(context={"cluster": "gone"}),
            "its context one names cluster gone, which is not in it; there are c;",
            id="cluster",
        ),
        pytest.param(
            document({"server": "api.example:6443"}), "has server api.example:6443, which is no URL; set one", id="no URL"
        ),
        pytest.param(document({"server": ""}), "the cluster of its context has no server; set one", id="no server"),
        pytest.param(
            document({"certificate-authority-data": "abc"}),
            "certificate-authority-data of cluster c is not base64; set it again, with kubectl config set-cluster c",
            id="authority, not base64",
        ),
        pytest.param(
            document(user={"client-certificate-data": DATA, "client-key-data": "a*b*c*d*"}),
            "client-key-data of user u is not base64; log in again, or set it with kubectl config set-credentials u",
            id="key, not base64",
        ),
        pytest.param(document(user={"client-key-data": 5}), "client-key-data of user u is not base64", id="key, a number"),
        pytest.param(
            document({"certificate-authority": "gone.crt"}),
            "certificate-authority of cluster c is gone.crt, and there is no such file",
            id="authority, no file",
        ),
        pytest.param(
            document(user={"tokenFile": "/nowhere/token"}),
            "tokenFile of user u is /nowhere/token, and there is no such file",
            id="token, no file",
        ),
        pytest.param(document(user={"token": 5}), "token of user u is not a string", id="token, a number"),
        pytest.param(document({"server": 5}), "server of cluster c is not a string", id="server, a number"),
        pytest.param(
            document({"proxy-url": "socks5://me:secret@proxy:1080"}),
            "proxy-url of cluster c is no URL of an HTTP proxy, such as http://proxy.example:3128; set it again",
            id="proxy",
        ),
        pytest.param(
            document() | {"contexts": [{"name": "one"}]},
            "its context one has no cluster and user; set them with",
            id="empty context",
        ),
        pytest.param(document({"server": "https://[x"}), "has server https://[x, which is no URL; set one", id="no URL of a host"),
        pytest.param(document({"server": "HTTPS://x"}), "has server HTTPS://x, which is no URL; set one", id="URL in upper case"),
        pytest.param(
            document({"insecure-skip-tls-verify": "false"}),
            "insecure-skip-tls-verify of cluster c is neither true nor false",
            id="no flag",
        ),
        pytest.param(
            document({"insecure-skip-tls-verify": True, "certificate-authority": "ca.crt"}),
            "insecure-skip-tls-verify of cluster c is true, and there is certificate-authority, which would not be used",
            id="an authority that would not be used",
        ),
        *(
            pytest.param(
                document(user={"auth-provider": provider}), f"auth-provider of user u {words}, and Kubernetes 1.26", id=words
            )
            for provider, words in (
                ({"name": "gcp"}, "is gcp"),
                ({"name": "azure", "config": {}}, "is azure"),
                ("x", "has no name"),
            )
        ),
        pytest.param(
            with_plugin("true", mode="Always"), "exec of user u asks for input (interactiveMode: Always)", id="no terminal"
        ),
        *(
            pytest.param(document(user=user), words, id=words)
            for user, words in (
                ({"as-groups": ["admins"]}, "as-groups of user u is given without as, the name of the user to impersonate"),
                ({"as": 5}, "as of user u has a value that is not a string"),
                ({"as": "a\nb"}, "as of user u has a control character, which no header may have"),
                ({"as": "a", "as-groups": "admins"}, "as-groups of user u is not a list"),
                ({"as": "a", "as-user-extra": ["x"]}, "as-user-extra of user u is not a map of lists"),
                ({"as": "a", "as-user-extra": {"x": "y"}}, "as-user-extra of user u is not a map of lists"),
            )
        ),
        pytest.param({"kind": "Config"}, "it has no contexts; set KUBECONFIG", id="no contexts"),
        pytest.param("[]", "it has not the shape of a kubeconfig; set KUBECONFIG", id="a list"),
    ],
)
def test_what_is_wrong_in_a_kubeconfig_is_said_with_the_way_out(content, words, tmp_path):
    file = written(tmp_path, content)
    assert f"cannot load the connection to the API server: {file}: " in words_of(file)
    assert words in words_of(file)


def test_of_several_files_the_one_with_the_fault_is_said(tmp_path, monkeypatch):
    broken, other = tmp_path / "broken", tmp_path / "other"
    broken.write_text(yaml.safe_dump(document({"certificate-authority-data": "abc"}) | {"contexts": []}))
    other.write_text(yaml.safe_dump(document() | {"clusters": []}))
    monkeypatch.setenv("KUBECONFIG", f"{other}{os.pathsep}{broken}")
    assert f"certificate-authority-data of cluster c in {broken} is not base64" in words_of(None)


@pytest.mark.parametrize(("path", "token"), [("/nowhere/token", "secret"), ("me.key", "content of me.key")])
def test_a_token_file_comes_before_a_token_and_then_need_not_exist(path, token, tmp_path):
    file = written(tmp_path, document(user={"token": "secret", "tokenFile": path}))
    assert KubeconfigAccess(file, None).authorization() == f"Bearer {token}"


def test_a_fault_is_looked_for_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "fault_of", lambda *found: asked.append(found))
    words_of(written(tmp_path, "[]"))
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        pytest.param(
            {"certificate-authority-data": DATA},
            {},
            "no certificate of an authority can be read in PEM from certificate-authority-data of cluster c in FILE",
            id="authority in the kubeconfig",
        ),
        pytest.param(
            {"certificate-authority": "ca.crt"},
            {},
            "no certificate of an authority can be read in PEM from certificate-authority of cluster c in FILE",
            id="authority in a file",
        ),
        pytest.param(
            {},
            {"client-certificate-data": DATA, "client-key": "me.key"},
            "no certificate with its key can be read in PEM from client-certificate-data of user u in FILE "
            "and client-key of user u in FILE",
            id="certificate and key",
        ),
        pytest.param(
            {},
            {"client-certificate": "me.key", "client-key": "me.key"},
            "no certificate with its key can be read in PEM from client-certificate of user u in FILE "
            "and client-key of user u in FILE",
            id="certificate and key in one file",
        ),
        pytest.param(
            {},
            {"client-certificate-data": DATA, "client-key-data": DATA},
            "no certificate with its key can be read in PEM from client-certificate-data of user u in FILE "
            "and client-key-data of user u in FILE",
            id="certificate and key of the same content",
        ),
    ],
)
@pytest.mark.parametrize("is_plain", [True, False])
async def test_content_that_is_no_certificate_is_said_with_its_field(is_plain, cluster, user, words, tmp_path, monkeypatch):
    file = written(tmp_path, document(cluster, user))
    if not is_plain:
        monkeypatch.setattr(module, "read_plain_kubeconfig", lambda _file, _context: None)
    with pytest.raises(ConnectionConfigError) as found:
        open_connection(KubeconfigAccess(file, None))
    assert str(found.value) == f"cannot connect to the API server: {words.replace('FILE', str(file))}"
