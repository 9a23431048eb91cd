"""Where models are, and where one of them takes the rest of the requests: counted, so that the last one to go counts."""

import pytest

from workspace_ctrl.cache.route_conflicts import RouteClaimIndex
from workspace_ctrl.model.route_claims import RouteClaim, RoutePlace

PLACE = RoutePlace("g/one", "http", "a.example.com")
BY_PATH = RouteClaim(*PLACE, "/a/b")
OTHER = RouteClaim(*PLACE, "/a/c")
REST = RouteClaim(*PLACE, "/")
HEADER = RouteClaim(*PLACE, "/", "X-Gateway-Model-Name=phi")


def claims(*given):
    return frozenset(given)


def index():
    return RouteClaimIndex(lambda _key: None)


def test_a_place_has_models_until_the_last_one_goes():
    made = index()
    made.set(("a", "b"), "1", claims(BY_PATH))
    made.set(("a", "c"), "2", claims(OTHER, HEADER))
    assert made.places.with_models == {PLACE}
    made.forget(("a", "b"))
    assert made.places.with_models == {PLACE}
    made.forget(("a", "c"))
    assert made.places.with_models == frozenset()


@pytest.mark.parametrize(("claim", "takes"), [(REST, True), (HEADER, False), (BY_PATH, False)])
def test_only_a_claim_of_all_paths_without_a_header_takes_the_rest(claim, takes):
    made = index()
    made.set(("a", "b"), "1", claims(claim))
    assert made.places.without_rest == ({PLACE} if takes else frozenset())


def test_the_rest_is_taken_until_its_last_claimant_goes():
    made = index()
    made.set(("a", "b"), "1", claims(BY_PATH, REST))
    made.set(("a", "c"), "2", claims(OTHER, REST))
    made.set(("a", "b"), "1", claims(BY_PATH))
    assert made.places.without_rest == {PLACE}
    made.set(("a", "c"), "2", claims(OTHER))
    assert (made.places.without_rest, made.places.with_models) == (frozenset(), {PLACE})


def test_the_version_grows_only_with_the_places():
    made = index()
    made.set(("a", "b"), "1", claims(BY_PATH))
    before = made.places.version
    made.set(("a", "c"), "2", claims(OTHER, HEADER))
    made.set(("a", "c"), "3", claims(OTHER))
    assert made.places.version == before
    made.set(("a", "c"), "3", claims(OTHER, REST))
    assert made.places.version > before
