"""Who is said to have a route match that another one asks for."""

import pytest

from tests.unit.factories import NAMESPACE, quickstart, workspace
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.controller.body_router_reconciler import NoBodyRouterReconciler
from workspace_ctrl.controller.route_claims import RouteClaims
from workspace_ctrl.model.route_claims import RouteClaim
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

CLAIM = RouteClaim(f"{NAMESPACE}/inference-gateway", "http", "", "/chat")


def named(name, created) -> WorkspaceRecord:
    raw = quickstart()
    raw["metadata"] |= {"name": name, "uid": name, "creationTimestamp": created}
    return workspace(raw)


def copies(name, created) -> WorkspaceRecord:
    metadata = {"name": name, "namespace": NAMESPACE, "uid": name, "creationTimestamp": created}
    return parse_workspace_record({"metadata": metadata, "spec": {}}, "InferenceSet")


def claims_in(cache) -> RouteClaims:
    return RouteClaims(cache, NoBodyRouterReconciler(), lambda _key: None, is_shard=False)


@pytest.mark.parametrize(
    ("make", "title"),
    [
        pytest.param(named, f"Workspace {NAMESPACE}/older", id="a Workspace"),
        pytest.param(copies, f"InferenceSet {NAMESPACE}/older", id="an InferenceSet"),
    ],
)
def test_the_holder_of_a_match_is_named_with_its_kind(make, title):
    cache = Cache()
    older, younger = make("older", "2026-11-01T00:00:00Z"), named("younger", "2026-11-02T00:00:00Z")
    for number, record in enumerate((older, younger), start=1):
        store = cache.workspaces if record.meta.ref.kind == "Workspace" else cache.inference_sets
        store.put(record.key, record, number)
    claims = claims_in(cache)
    assert claims.claim(older, frozenset({CLAIM})).own == {}
    assert claims.claim(younger, frozenset({CLAIM})).own == {CLAIM: title}


def test_of_another_shard_the_kind_is_not_known():
    """Only routes are seen of it, which have the same names for both kinds."""
    claims = claims_in(Cache())
    claims.claim(named("older", "2026-11-01T00:00:00Z"), frozenset({CLAIM}))
    taken = claims.claim(named("younger", "2026-11-02T00:00:00Z"), frozenset({CLAIM}))
    assert taken.own == {CLAIM: f"Workspace or InferenceSet {NAMESPACE}/older"}
