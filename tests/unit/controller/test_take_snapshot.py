"""The snapshot of a Workspace: which of the objects that carry its label are of its chart of now, and which of a former one."""

from dataclasses import replace

import pytest

from tests.unit.factories import DIGEST, NAME, NAMESPACE, picker, pod, pool, release, route, source, workspace
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.api.names import names
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DependencyRecords
from workspace_ctrl.controller.stage_timer import FluxActivity
from workspace_ctrl.controller.take_snapshot import take_snapshot
from workspace_ctrl.controller.workspace_state import WorkspaceState
from workspace_ctrl.model.chart_objects import NO_FORMER_CHARTS, FormerCharts
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.records.gateways import RouteRule

KEY = (NAMESPACE, NAME)
OLD, NEW = names(NAME), names(NAME, "fork")


def named(record, name):
    return replace(record, meta=replace(record.meta, ref=replace(record.meta.ref, name=name)))


def cache(*charts):
    """A cache with what these charts have made."""
    made = Cache()
    for version, derived in enumerate(charts, start=1):
        for store, record in ((made.oci_repositories, source()), (made.helm_releases, release()), (made.inference_pools, pool())):
            store.put((NAMESPACE, derived.release), named(record, derived.release), version)
        made.deployments.put((NAMESPACE, derived.endpoint_picker), named(picker(), derived.endpoint_picker), version)
    return made


def seen(made, chart="inferencepool"):
    return take_snapshot(made, KEY, Dependencies(chart=chart), DependencyRecords(), frozenset())


def test_one_chart_is_that_of_now():
    snapshot = seen(cache(OLD))
    assert (snapshot.release, snapshot.source, snapshot.pool) == (release(), source(), pool())
    assert snapshot.former is NO_FORMER_CHARTS


def test_what_another_chart_has_made_is_told_apart():
    made = cache(OLD, NEW)
    snapshot = seen(made, "fork")
    assert {record.ref.name for record in (snapshot.release, snapshot.source, snapshot.pool)} == {NEW.release}
    assert snapshot.endpoint_picker.ref.name == NEW.endpoint_picker
    assert snapshot.former == FormerCharts((source(),), (release(),), (pool(),))
    assert seen(made).former.releases == (named(release(), NEW.release),)


@pytest.mark.parametrize("derived", [OLD, NEW])
def test_where_no_chart_is_asked_for_the_one_that_is_there_counts(derived):
    snapshot = seen(cache(derived), "")
    assert snapshot.release.ref.name == snapshot.pool.ref.name == derived.release
    assert snapshot.former is NO_FORMER_CHARTS
    assert seen(Cache(), "").release is None


def test_a_snapshot_is_taken_without_side_effects():
    made = cache(OLD, NEW)
    assert seen(made) == seen(made)


def test_no_drift_is_seen_while_one_chart_takes_another_s_place():
    def drift(*charts):
        return WorkspaceState().observe(workspace(), seen(cache(*charts)), 0.0, FluxActivity())[0].drift

    assert drift(OLD, NEW) == WorkspaceState().drift
    assert drift(OLD) != WorkspaceState().drift
    assert release().has_installed(DIGEST)


def test_the_age_of_a_route_counts_only_where_the_route_is_the_workspace_s():
    made, mine = Cache(), workspace()
    assert made.route_created(mine) == ""
    own = replace(route(), created="2026-11-21T17:17:37Z")
    made.http_routes.put(KEY, own, 1)
    assert made.route_created(mine) == own.created
    foreign = replace(own, meta=replace(own.meta, controller_uid="of-somebody-else"))
    made.http_routes.put(KEY, foreign, 2)
    assert made.route_created(mine) == ""


def sharing(*pools):
    return replace(route(), rules=(RouteRule(pools=pools), RouteRule(pools=("unrelated",))))


@pytest.mark.parametrize(("is_ready", "is_empty"), [(True, False), (False, True)])
def test_pools_of_other_workspaces_in_the_same_rule_of_a_user_s_route_are_seen_with_their_pods(is_ready, is_empty):
    made, theirs = cache(OLD), names("other")
    foreign = named(pool(selector={POD_LABEL: "other"}), theirs.release)
    for version, name in enumerate((theirs.release, "unrelated"), start=5):
        record = named(replace(foreign, meta=replace(foreign.meta, workspace="other")), name)
        made.inference_pools.put((NAMESPACE, name), record, version)
    made.pods.put((NAMESPACE, "p"), pod(ready=is_ready, labels={POD_LABEL: "other"}), 9)
    referenced = DependencyRecords(route=sharing(OLD.release, theirs.release, "not-there"))
    found = take_snapshot(made, KEY, Dependencies(chart="inferencepool"), referenced, ()).sibling_pools
    assert [(sibling.ref.name, sibling.workspace, sibling.is_empty) for sibling in found] == [(theirs.release, "other", is_empty)]
    assert seen(made).sibling_pools == ()


def test_pods_of_a_referenced_workload_that_have_the_label_of_the_workspace_s_own_are_counted_once():
    """KAITO's pods have it; and what a plan adds to the dependencies is put on a snapshot that has them already."""
    made = cache(OLD)
    labelled, plain = pod(name="labelled"), pod(name="plain", labels={"app": "theirs"})
    made.pods.put((NAMESPACE, "labelled"), labelled, 9)
    referenced = DependencyRecords(pods=(labelled, plain))
    found = take_snapshot(made, KEY, Dependencies(), referenced, frozenset())
    assert found.pods == (labelled, plain)
    assert referenced.on(found).pods == (labelled, plain)
