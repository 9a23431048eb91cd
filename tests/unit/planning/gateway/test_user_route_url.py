"""The URL of a model behind a user's own route follows from what reaches the API of the model server."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workspace_ctrl.model.probe_results import CHAT_COMPLETIONS, COMPLETIONS, EMBEDDINGS, MODELS
from workspace_ctrl.planning.gateway.user_route_url import Reach, reach_of
from workspace_ctrl.records.gateways import parse_http_route

ALL = (CHAT_COMPLETIONS, COMPLETIONS, MODELS, EMBEDDINGS)
POOL = [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "own"}]
OTHER = [{"kind": "Service", "name": "other", "port": 80}]


def prefix(value, **fields):
    return {"path": {"type": "PathPrefix", "value": value}, **fields}


def rule(*matches, to=None, full=None, backends=POOL):
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": to} if to is not None else {}
    path = {"type": "ReplaceFullPath", "replaceFullPath": full} if full is not None else path
    filters = [{"type": "RequestHeaderModifier"}, *([{"type": "URLRewrite", "urlRewrite": {"path": path}}] if path else [])]
    return {"matches": list(matches), "filters": filters, "backendRefs": backends}


def reach(*rules):
    raw = {"metadata": {"name": "mine", "namespace": "team-a"}, "spec": {"rules": list(rules)}}
    return reach_of(parse_http_route(raw, "HTTPRoute"), "own")


def split(base):
    """One rule for each path, each with its own rewrite, as KServe writes them."""
    return [rule(prefix(f"{base}{api}"), to=api) for api in (COMPLETIONS, CHAT_COMPLETIONS)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([rule(prefix("/team-a/phi"), to="/")], Reach("/team-a/phi", ALL), id="a prefix that is removed, as ours"),
        pytest.param([rule(prefix("/team-a/phi/"), to="")], Reach("/team-a/phi", ALL), id="with a slash, and nothing in its place"),
        pytest.param([rule(prefix("/"))], Reach("", ALL), id="everything"),
        pytest.param([rule()], Reach("", ALL), id="no match at all"),
        pytest.param([rule(prefix("/v1"))], Reach("", ALL), id="the version, not rewritten"),
        pytest.param([rule(prefix("/llm/v1"), to="/v1")], Reach("/llm", ALL), id="the version, rewritten"),
        pytest.param([rule(prefix("/openai"), to="/v1")], Reach("/openai"), id="a base that is no prefix of the API's paths"),
        pytest.param(split("/team-a/split"), Reach("/team-a/split", (CHAT_COMPLETIONS, COMPLETIONS)), id="one rule for each path"),
        pytest.param(
            [*split("/s"), rule(prefix("/s"), to="/")], Reach("/s", ALL), id="one rule for each path, and one for the rest"
        ),
        pytest.param(
            [rule({"path": {"type": "Exact", "value": CHAT_COMPLETIONS}})], Reach("", (CHAT_COMPLETIONS,)), id="an exact path"
        ),
        pytest.param(
            [rule({"path": {"type": "Exact", "value": "/a/v1/chat/completions"}}, full=CHAT_COMPLETIONS)],
            Reach("/a", (CHAT_COMPLETIONS,)),
            id="an exact path, replaced as a whole",
        ),
        pytest.param(
            [rule(prefix("/m", method="POST"), to="/")], Reach("/m", (CHAT_COMPLETIONS, COMPLETIONS, EMBEDDINGS)), id="POST"
        ),
        pytest.param([rule(prefix("/m", method="GET"), to="/")], Reach("/m", (MODELS,)), id="GET"),
        pytest.param(
            [rule(prefix("/m"), to="/"), rule(prefix("/m/v1/models"), backends=OTHER)],
            Reach("/m", (CHAT_COMPLETIONS, COMPLETIONS, EMBEDDINGS)),
            id="a longer prefix leads elsewhere",
        ),
        pytest.param(
            [rule(prefix("/m", headers=[{"name": "X-Team", "value": "a"}]), to="/"), rule(prefix("/n"), to="/")],
            Reach("/n", ALL),
            id="another header is left out",
        ),
        pytest.param(
            [rule(prefix("/", headers=[{"name": "x-gateway-model-name", "value": "phi"}]))],
            Reach("", ALL),
            id="the header of the model name",
        ),
        pytest.param(
            [rule(prefix("/m", queryParams=[{"name": "a", "value": "b"}]), to="/"), rule(prefix("/n"), to="/")],
            Reach("/n", ALL),
            id="a query is left out",
        ),
        pytest.param([rule(prefix("/m"))], Reach("/m"), id="not rewritten: the server may have that path itself"),
        pytest.param(
            [rule({"path": {"type": "RegularExpression", "value": "/v1/.*completions"}})],
            Reach("", (CHAT_COMPLETIONS, COMPLETIONS)),
            id="an expression",
        ),
        pytest.param(
            [rule({"path": {"type": "RegularExpression", "value": "/(v1/([a-z]+)*)*"}})], Reach("", ALL), id="one that is not tried"
        ),
        pytest.param(
            [rule({"path": {"type": "RegularExpression", "value": "/v1/" + "c?" * 30 + "c" * 30}})], Reach("", ALL), id="a slow one"
        ),
        pytest.param([rule({"path": {"type": "RegularExpression", "value": "/v1/(["}})], Reach(""), id="one that is none"),
        pytest.param(
            [rule({"path": {"type": "RegularExpression", "value": "/v1/[[:lower:]]+"}})],
            Reach("", ALL),
            id="a class that Python lacks",
        ),
        pytest.param([rule(prefix("/m"), to="/", backends=OTHER)], Reach(), id="to another backend"),
    ],
)
def test_the_url_is_what_reaches_the_api(rules, expected):
    assert reach(*rules) == expected


@pytest.mark.parametrize(
    "expression",
    ["a{4294967296}", "[", "(?P<a>b)(?P<a>c)", "a{2,1}", "(?(9)a)", "\\N{x}", "(" * 100],
)
def test_an_expression_that_cannot_be_tried_matches_nothing(expression):
    assert reach(rule({"path": {"type": "RegularExpression", "value": f"/v1/{expression}"}})) == Reach("")


@pytest.mark.filterwarnings("error")
@given(st.text("/v1()[]{}0123456789,*+?|\\.^$a-zPN<>=!:#&~", max_size=40))
@example("[]a[b]")
@example("[a&&b]")
@example("[^]--a]")
@example("[\\]--a]")
def test_every_expression_is_tried_or_left_alone(expression):
    assert reach(rule({"path": {"type": "RegularExpression", "value": f"/{expression}"}})).path == ""


def test_a_route_with_hundreds_of_matches_takes_no_time():
    rules = [rule(*(prefix(f"/m{number}-{index}") for index in range(60)), to="/") for number in range(10)]
    assert reach(*rules) == Reach("/m0-0", ALL)
