"""A path of others leads where it seems to, whoever normalises it on the way, or it is refused."""

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.api_model import PATH_PATTERN, PROBE_PATH_PATTERN
from workspace_ctrl.connections.url_paths import PathError, check_path, url_at

OWN = "/team-a/phi"
PIECES = st.sampled_from(
    [
        "/",
        ".",
        "..",
        "/..",
        "/.",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        "%25",
        "%00",
        "\\",
        ";",
        "a",
        "b-c",
        "?",
        "#",
        "@",
        "é",
        "\n",
        "%41",
        ":",
    ]
)


def resolved(path):
    """The path as a server may see it that decodes and merges all it can, and takes backslashes for slashes and cuts parameters."""
    decoded = unquote(unquote(path)).replace("\\", "/")
    plain = "/".join(segment.partition(";")[0] for segment in decoded.split("/"))
    return posixpath.normpath(plain)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_path_that_is_accepted_leads_out_of_the_one_before_it(path):
    try:
        url = url_at("https://10.0.0.1:8443", f"{OWN}{path}")
    except PathError:
        return
    assert url.raw_path == f"{OWN}{path}"
    assert f"{resolved(url.raw_path)}/".startswith((f"{OWN}/", OWN))
    assert resolved(url.raw_path).count("/") >= OWN.count("/")
    assert (url.host, url.port, url.query_string, url.fragment, url.user) == ("10.0.0.1", 8443, "", "", None)


@given(st.from_regex(PATH_PATTERN, fullmatch=True), st.from_regex(PROBE_PATH_PATTERN, fullmatch=True))
def test_every_path_that_a_workspace_may_have_is_accepted(path, below):
    check_path(f"{path.rstrip('/')}{below}")


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "/a/", "/.well-known/ready", "/...", "/a..b/..c", "/v1/models", "/a%20b", "/a;b=c"]
)
def test_what_every_server_reads_alike_is_accepted(path):
    assert url_at("http://[fd00::1]:80", path).raw_path == (path or "/")


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "/..",
        "/.",
        "/a/../b",
        "//",
        "//a",
        "/a//b",
        "/%2e%2e/a",
        "/.%2E",
        "/a%2Fb",
        "/a%5cb",
        "/a%252e",
        "/..;x/a",
        "/a?b",
        "/a#b",
        "/a\n",
    ],
)
def test_what_servers_read_in_different_ways_is_refused(path):
    with pytest.raises(PathError, match=r"empty segments, \. or \.\."):
        check_path(path)


@pytest.mark.parametrize("origin", ["http://a/x:80", "http://a?x:80", "http://a#x:80", "http://user@a:80", "http://a/x?y#z:80"])
def test_an_origin_with_more_than_host_and_port_is_refused(origin):
    with pytest.raises(PathError, match="is more than scheme, host and port"):
        url_at(origin, "/x")
