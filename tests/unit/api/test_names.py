"""Names are deterministic and stay within every limit."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workspace_ctrl.api.names import body_router_name, headless_service_name, is_valid, names

valid_names = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("workspace", "release", "picker"),
    [
        pytest.param(
            "workspace-phi-4-mini", "workspace-phi-4-mini-inferencepool", "workspace-phi-4-mini-inferencepool-epp", id="short"
        ),
        pytest.param(
            "workspace-mistral-7b-instruct",
            "workspace-mistral-7b-instruct-inferencepool",
            "workspace-mistral-7b-instruct-inferencep-epp",
            id="KAITO's own example, cut by the chart",
        ),
        pytest.param("w" * 39, "w" * 39 + "-inferencepool", "w" * 39 + "--epp", id="longest that Helm takes"),
        pytest.param("w" * 40, "w" * 31 + "-HASH", "w" * 31 + "-HASH-epp", id="too long for Helm: a hash"),
    ],
)
def test_known_names(workspace, release, picker):
    digest = hashlib.sha256(workspace.encode()).hexdigest()[:8]
    release, picker = release.replace("HASH", digest), picker.replace("HASH", digest)
    assert names(workspace).release == release
    assert names(workspace).endpoint_picker == picker


@pytest.mark.parametrize(
    ("gateway", "router"),
    [
        pytest.param("inference-gateway", "inference-gateway-body-router", id="short"),
        pytest.param("g" * 41, "g" * 41 + "-body-router", id="longest that Helm takes"),
        pytest.param("g" * 42, "gateway-" + "g" * 24 + "-HASH-body-router", id="longer"),
        pytest.param("a.b", "gateway-a-b-HASH-body-router", id="with a dot"),
        pytest.param("1st", "gateway-1st-HASH-body-router", id="with a leading digit"),
    ],
)
def test_names_of_body_based_routers(gateway, router):
    found = body_router_name(gateway)
    assert found == router.replace("HASH", hashlib.sha256(gateway.encode()).hexdigest()[:8])
    assert len(found) <= 53


@pytest.mark.parametrize(
    ("workspace", "service"),
    [
        pytest.param("phi", "phi-headless", id="short"),
        pytest.param("w" * 54, "w" * 54 + "-headless", id="longest for DNS"),
        pytest.param("w" * 55, "w" * 45 + "-HASH-headless", id="longer"),
        pytest.param("w" * 44 + "-" + "w" * 18, "w" * 44 + "-HASH-headless", id="cut at a hyphen"),
    ],
)
def test_names_of_headless_services(workspace, service):
    found = headless_service_name(workspace)
    assert found == service.replace("HASH", hashlib.sha256(workspace.encode()).hexdigest()[:8])
    assert len(found) <= 63


@given(valid_names)
def test_every_name_is_within_its_limit(workspace):
    derived = names(workspace)
    assert is_valid(workspace)
    assert len(derived.release) <= 53
    assert len(derived.endpoint_picker) <= 63
    assert not derived.release.endswith("-")


@given(valid_names, valid_names)
def test_two_workspaces_never_share_an_endpoint_picker(one, other):
    if one != other:
        assert names(one).endpoint_picker != names(other).endpoint_picker
        assert names(one).release != names(other).release


@given(valid_names, valid_names, st.sampled_from(["llm-d-router-gateway", "pool", "a-chart-with-a-name-of-40-characters-at-l"]))
def test_releases_of_two_charts_never_share_an_endpoint_picker(one, other, chart):
    theirs = names(other, chart)
    assert theirs.endpoint_picker != names(one).endpoint_picker
    assert theirs.release != names(one).release
    assert (theirs.route, theirs.service) == (other, other)
    assert len(theirs.endpoint_picker) <= 44
    if one != other:
        assert theirs.endpoint_picker != names(one, chart).endpoint_picker


@pytest.mark.parametrize(
    ("workspace", "release"),
    [("phi", "phi-llm-d-router-gateway"), ("w" * 19, "w" * 19 + "-llm-d-router-gateway"), ("w" * 20, "w" * 20 + "-HASH")],
)
def test_a_release_of_another_chart_is_named_after_it(workspace, release):
    digest = hashlib.sha256(f"{workspace}-llm-d-router-gateway".encode()).hexdigest()[:8]
    assert names(workspace, "llm-d-router-gateway").release == release.replace("HASH", digest)


def test_the_name_of_a_chart_becomes_one_that_objects_can_have():
    assert names("phi", "forks_of.mine").release == "phi-forks-of-mine"


@given(st.text(alphabet="ab", min_size=1, max_size=23))
def test_long_names_with_a_common_beginning_stay_apart(tail):
    common = "w" * 40
    assert names(common + tail).endpoint_picker != names(common + tail + "c").endpoint_picker


@pytest.mark.parametrize("name", ["", "1st", "Upper", "a.b", "-a", "a-", "a" * 64, "ü"])
def test_names_that_no_limit_allows(name):
    assert not is_valid(name)
