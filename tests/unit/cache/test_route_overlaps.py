"""Between namespaces, no claim takes requests from an older one; compared with a small model of how Gateways match requests."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from workspace_ctrl.cache.route_conflicts import RouteClaimIndex
from workspace_ctrl.model.route_claims import BASE_MODEL_HEADER, MODEL_HEADER, RouteClaim, hostnames_above, prefixes_above

PHI, POET, BASE = f"{MODEL_HEADER}=phi", f"{MODEL_HEADER}=poet", f"{BASE_MODEL_HEADER}=phi"
VICTIM, ATTACKER = ("team-b", "phi"), ("team-a", "evil")


def claim(path="/", hostname="", header="", gateway="gateways/public", listener="http"):
    return RouteClaim(gateway, listener, hostname, path, header)


def taken(victim, attack, victim_key=VICTIM, attacker_key=ATTACKER):
    """What a younger Workspace with the claim `attack` does not get because of an older one with the claim `victim`."""
    index = RouteClaimIndex(lambda _key: None)
    index.set(victim_key, "2026-01", frozenset({victim}))
    index.set(attacker_key, "2026-02", frozenset({attack}))
    assert index.taken(victim_key) == {}
    return index.taken(attacker_key)


DEFAULT = claim("/team-b/phi")
HOST, WILDCARD = "models.example.com", "*.example.com"


@pytest.mark.parametrize(
    ("victim", "attack"),
    [
        pytest.param(DEFAULT, claim("/team-b/phi/v1/chat"), id="a longer path under the other's"),
        pytest.param(DEFAULT, claim("/", HOST), id="all requests of a host name"),
        pytest.param(DEFAULT, claim("/", WILDCARD), id="all requests of all host names of a domain"),
        pytest.param(DEFAULT, claim("/team-b", HOST), id="the namespace's prefix for a host name"),
        pytest.param(DEFAULT, claim("/", HOST, PHI), id="a header for a host name"),
        pytest.param(claim("/team-b/phi", WILDCARD), claim("/", HOST), id="a host name of another one's domain"),
        pytest.param(claim("/team-b/phi", WILDCARD), claim("/", "*.models.example.com"), id="a part of another one's domain"),
        pytest.param(claim("/"), claim("/", header=PHI), id="a header from a catch-all"),
        pytest.param(claim("/"), claim("/v1"), id="a path from a catch-all"),
        pytest.param(claim("/"), claim("/", HOST), id="a host name from a catch-all"),
        pytest.param(claim("/", HOST), claim("/", HOST, PHI), id="a header from a catch-all of the host name"),
        pytest.param(claim("/", header=PHI), claim("/v1"), id="a path from a header"),
        pytest.param(claim("/", header=PHI), claim("/v1", header=PHI), id="a path with the same header"),
        pytest.param(claim("/", header=PHI), claim("/", HOST), id="a host name from a header"),
        pytest.param(claim("/", header=BASE), claim("/", HOST, PHI), id="another header for a host name"),
        pytest.param(claim("/models/phi"), claim("/models", HOST), id="a path above for a host name"),
        pytest.param(claim("/models/phi"), claim("/models/phi/v1", HOST), id="a path below for a host name"),
        pytest.param(DEFAULT, DEFAULT, id="the same"),
    ],
)
def test_a_younger_workspace_of_another_namespace_takes_no_requests(victim, attack):
    assert taken(victim, attack) == {attack: VICTIM}


@pytest.mark.parametrize(
    ("older", "younger"),
    [
        pytest.param(DEFAULT, claim("/team-a/phi"), id="its own path"),
        pytest.param(claim("/"), claim("/team-a/phi"), id="its own path, next to a catch-all"),
        pytest.param(DEFAULT, claim("/team-a/phi", HOST), id="its own path for a host name"),
        pytest.param(DEFAULT, claim("/"), id="what nobody else gets"),
        pytest.param(DEFAULT, claim("/", header=PHI), id="a header: a path goes before it"),
        pytest.param(claim("/", header=PHI), claim("/", header=POET), id="another model"),
        pytest.param(claim("/", header=PHI), claim("/"), id="what nobody else gets, next to a header"),
        pytest.param(claim("/", HOST), claim("/", "other.example.com"), id="another host name"),
        pytest.param(claim("/", HOST), claim("/", WILDCARD), id="the rest of a domain"),
        pytest.param(DEFAULT, claim("/team-b/phi2"), id="a path that only begins alike"),
        pytest.param(DEFAULT, claim("/", HOST, listener="other"), id="another listener"),
        pytest.param(DEFAULT, claim("/", HOST, gateway="gateways/other"), id="another Gateway"),
        pytest.param(claim("/", gateway="team-a/own"), claim("/v1", HOST, gateway="team-a/own"), id="its own Gateway"),
    ],
)
def test_what_belongs_to_nobody_else_is_granted(older, younger):
    assert taken(older, younger) == {}


def test_within_a_namespace_the_precedence_of_gateways_decides():
    assert taken(DEFAULT, claim("/", HOST), attacker_key=("team-b", "young")) == {}
    assert taken(DEFAULT, DEFAULT, attacker_key=("team-b", "young")) == {DEFAULT: VICTIM}


def test_the_oldest_of_those_who_would_lose_requests_is_named():
    index = RouteClaimIndex(lambda _key: None)
    for number, namespace in enumerate(("team-a", "team-c", "team-b")):
        index.set((namespace, "phi"), f"2026-0{3 - number}", frozenset({claim(f"/{namespace}/phi")}))
    attack = claim("/", HOST)
    index.set(ATTACKER, "2026-09", frozenset({attack}))
    assert index.taken(ATTACKER) == {attack: ("team-b", "phi")}


def test_who_would_lose_requests_and_goes_frees_them_and_the_younger_is_told():
    told = []
    index = RouteClaimIndex(told.append)
    attack = claim("/", HOST)
    index.set(ATTACKER, "2026-02", frozenset({attack}))
    index.set(VICTIM, "2026-01", frozenset({DEFAULT}))
    assert (index.taken(ATTACKER), told) == ({attack: VICTIM}, [ATTACKER])
    told.clear()
    index.forget(VICTIM)
    assert (index.taken(ATTACKER), told) == ({}, [ATTACKER])


def test_of_many_workspaces_only_those_are_told_that_it_concerns():
    told = []
    index = RouteClaimIndex(told.append)
    for number in range(2_000):
        key = f"team-{number}", "phi"
        index.set(
            key, f"2026-{number:05}", frozenset({claim(f"/team-{number}/phi"), claim("/", header=f"{MODEL_HEADER}=m{number}")})
        )
    assert told == []
    index.set(("all", "catch"), "2025", frozenset({claim("/")}))
    assert sorted(told) == sorted((f"team-{number}", "phi") for number in range(2_000))


@pytest.mark.parametrize(
    ("hostname", "above"),
    [
        ("", []),
        ("a.example.com", ["*.example.com", "*.com", ""]),
        ("*.example.com", ["*.com", ""]),
        ("*.com", [""]),
        ("localhost", [""]),
    ],
)
def test_the_host_names_above(hostname, above):
    assert list(hostnames_above(hostname)) == above


def test_the_paths_above():
    assert list(prefixes_above("/a/b")) == ["/a", "/"]
    assert list(prefixes_above("/")) == []


# The model: what the Gateway API says of one request.

PATHS = ("/", "/a", "/b", "/a/x", "/a/x/v1", "/b/x", "/b/x/v1", "/m", "/m/v1")
REQUESTS = list(
    product(
        ("q.org", "q.com", "q.x.com", "h.x.com"),
        [f"{path.rstrip('/')}/zz" for path in PATHS],
        (None, "phi", "poet"),
        (None, "phi"),
    )
)


def matches(match, request):
    host, path, model, base = request
    name, _, value = match.header.partition("=")
    of_host = match.hostname in {"", host} or (match.hostname.startswith("*.") and host.endswith(match.hostname[1:]))
    of_path = match.path == "/" or f"{path}/".startswith(f"{match.path}/")
    return of_host and of_path and (not name or {MODEL_HEADER: model, BASE_MODEL_HEADER: base}[name] == value)


def rank(match):
    """Host names without wildcard, then characters of the host name, characters of the path, number of headers."""
    return "*" not in match.hostname and match.hostname != "", len(match.hostname), len(match.path), match.header != ""


def expected(key, created, attack, others):
    """The oldest Workspace that `attack` would take requests from, as the model sees it."""
    older = [
        (since, *other, theirs)
        for other, (since, claims) in others.items()
        for theirs in claims
        if (since, *other) < (created, *key)
    ]
    same = [entry for entry in older if entry[3] == attack]
    if same:
        return min(same)[1:3]
    if attack.path == f"/{key[0]}" or attack.path.startswith(f"/{key[0]}/"):
        return None
    lost = [
        entry
        for entry in older
        if entry[1] != key[0]
        and rank(attack) > rank(entry[3])
        and any(matches(attack, request) and matches(entry[3], request) for request in REQUESTS)
    ]
    return min(lost)[1:3] if lost else None


claims_ = st.builds(
    claim,
    path=st.sampled_from(PATHS),
    hostname=st.sampled_from(["", "h.x.com", "*.x.com", "*.com"]),
    header=st.sampled_from(["", "", PHI, POET, BASE]),
)
keys = st.tuples(st.sampled_from("ab"), st.sampled_from(["one", "two"])) | st.just(("c", "one"))


@settings(max_examples=examples(400))
@given(st.lists(st.tuples(keys, st.integers(0, 3), st.frozensets(claims_, max_size=2)), max_size=8))
def test_the_index_agrees_with_the_model_and_tells_everybody_whose_claims_are_decided_anew(changes):
    told, state, before = set(), {}, {}
    index = RouteClaimIndex(told.add)
    for key, created, made in changes:
        told.clear()
        index.set(key, str(created), made)
        state[key] = (str(created), made)
        now = {
            other: {entry: holder for entry in claims if (holder := expected(other, since, entry, state)) is not None}
            for other, (since, claims) in state.items()
        }
        assert {other: dict(index.taken(other)) for other in state} == now
        assert {other for other in before if before[other] != now[other] and other != key} <= told
        before = now
