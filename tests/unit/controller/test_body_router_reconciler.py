"""Which Gateways are used by header."""

from workspace_ctrl.cache.route_conflicts import RouteClaimIndex
from workspace_ctrl.model.route_claims import RouteClaim

BY_PATH = RouteClaim("g/one", "http", "", "/a/b")
HEADER = RouteClaim("g/one", "http", "", "/", "X-Gateway-Model-Name=phi")
BASE = RouteClaim("g/one", "http", "", "/", "X-Gateway-Base-Model-Name=phi")
OTHER = RouteClaim("g/two", "http", "", "/", "X-Gateway-Model-Name=poet")


def test_a_gateway_is_used_by_header_until_the_last_workspace_lets_go():
    index = RouteClaimIndex(lambda _key: None)
    index.set(("a", "first"), "1", frozenset({BY_PATH}))
    assert index.gateways_by_header == frozenset()
    index.set(("a", "first"), "1", frozenset({BY_PATH, HEADER, BASE}))
    index.set(("a", "second"), "2", frozenset({HEADER, OTHER}))
    assert index.gateways_by_header == {"g/one", "g/two"}
    index.set(("a", "second"), "2", frozenset({OTHER}))
    assert index.gateways_by_header == {"g/one", "g/two"}
    index.set(("a", "first"), "1", frozenset({BY_PATH}))
    assert index.gateways_by_header == {"g/two"}
    index.forget(("a", "second"))
    assert index.gateways_by_header == frozenset()
    index.forget(("a", "second"))
    assert index.gateways_by_header == frozenset()


def test_a_workspace_that_was_made_anew_is_counted_once():
    index = RouteClaimIndex(lambda _key: None)
    index.set(("a", "first"), "1", frozenset({HEADER}))
    index.set(("a", "first"), "2", frozenset({HEADER}))
    index.forget(("a", "first"))
    assert index.gateways_by_header == frozenset()
