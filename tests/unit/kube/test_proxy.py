"""Which proxy of the environment is used, by the rules of Go; the tables are those of its tests (golang.org/x/net/http/httpproxy)."""

import pytest

from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.proxy import environment_proxy

EXCLUDED = (
    "foobar.com, .barbaz.net, *.wildcard.io, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, 2001:db8::52:0:1, "
    "[2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64, :1, *none.example, bad:port"
)
DIRECT = """
localhost 127.0.0.1 127.0.0.2 [::1] 192.168.1.1 192.168.1.3 10.0.0.2 [2001:db8::52:0:1] [2001:db8::52:0:3] [2002:db8:a::123]
www.barbaz.net foobar.com www.foobar.com FOOBAR.com nested.wildcard.io
"""
PROXIED = """
[::2] 192.168.1.2 192.168.1.4 [2001:db8::52:0:2] [fe80::424b:c8be:1643:a1b6] barbaz.net foofoobar.com baz.com localhost.net
local.localhost barbarbaz.net wildcard.io awildcard.io none.example bad
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("host", "is_direct"), [*((host, True) for host in DIRECT.split()), *((host, False) for host in PROXIED.split())]
)
def test_hosts_that_are_excluded_are_reached_directly(host, is_direct, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "proxy")
    monkeypatch.setenv("NO_PROXY", EXCLUDED)
    assert environment_proxy(f"http://{host}:80") == ("" if is_direct else "http://proxy")
    monkeypatch.setenv("NO_PROXY", "a.example, *")
    assert environment_proxy(f"http://{host}:80") == ""


@pytest.mark.parametrize(
    ("variables", "server", "proxy"),
    [
        ({}, "https://example.com", ""),
        ({"HTTP_PROXY": "127.0.0.1:8080"}, "http://example.com", "http://127.0.0.1:8080"),
        ({"HTTP_PROXY": "https://a.example"}, "http://example.com", "https://a.example"),
        ({"HTTP_PROXY": "a", "HTTPS_PROXY": "b"}, "http://example.com", "http://a"),
        ({"HTTP_PROXY": "a", "HTTPS_PROXY": "b"}, "https://example.com", "http://b"),
        ({"HTTP_PROXY": "a", "ALL_PROXY": "a"}, "https://example.com", ""),
        ({"HTTPS_PROXY": "upper", "https_proxy": "lower"}, "https://example.com", "http://lower"),
        ({"HTTPS_PROXY": "upper", "https_proxy": ""}, "https://example.com", "http://upper"),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "example.com", "no_proxy": "b"}, "https://example.com", "http://a"),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "example.com:443"}, "https://example.com", ""),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "example.com:443"}, "https://example.com:6443", "http://a"),
        ({"HTTPS_PROXY": "a", "NO_PROXY": ".\u793a\u4f8b.com"}, "https://www.\u793a\u4f8b.com", ""),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "xn--fsq092h.com"}, "https://www.\u793a\u4f8b.com", ""),
        ({"HTTPS_PROXY": "a", "NO_PROXY": "\u793a\u4f8b.com"}, "https://www.xn--fsq092h.com", ""),
    ],
)
def test_the_proxy_is_that_of_the_scheme_and_lower_case_comes_first(variables, server, proxy, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(server) == proxy


def test_a_proxy_of_another_kind_is_said_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@proxy:1080")
    with pytest.raises(ConnectionConfigError) as found:
        environment_proxy("https://api.example")
    assert str(found.value) == (
        "cannot connect to https://api.example: HTTPS_PROXY is no URL of an HTTP proxy, such as http://proxy.example:3128; "
        "set another one, or exclude api.example by NO_PROXY"
    )
