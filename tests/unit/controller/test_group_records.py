"""What is observed of the members of a group."""

from tests.unit.controller.test_reconciler import ApiServer
from tests.unit.factories import NAME, NAMESPACE, SETTINGS, deployment, meta, workspace
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.dynamic_watches import DynamicWatches
from workspace_ctrl.controller.passes.group_records import GroupObserver
from workspace_ctrl.planning.traffic.members import members_of
from workspace_ctrl.records.workloads import Workload


def observed(*workloads):
    """The group of the quickstart, a canary, with these workloads."""
    mine, cache = workspace(gateway={"group": {"name": "chat", "canary": {}}}), Cache()
    cache.workspaces.put(mine.key, mine, 1)
    for version, each in enumerate(workloads, 2):
        store = cache.deployments if each.ref.kind == "Deployment" else cache.stateful_sets
        store.put((NAMESPACE, each.ref.name), each, version)
    watches = DynamicWatches(ApiServer(), lambda _key: None)
    (found,) = GroupObserver(cache, watches, lambda _key: True, is_shard=False).groups_of(mine)
    return found


def test_pods_of_an_earlier_version_are_seen_in_all_workloads_of_a_model_server():
    old = {"existing_replicas": 2, "updated_replicas": 1}
    for names in ((NAME,), (f"{NAME}-0", f"{NAME}-1")):
        sets = [Workload(meta("StatefulSet", name), existing_replicas=2, updated_replicas=2) for name in names]
        assert [each.is_rolling_out for each in members_of(observed(*sets), SETTINGS)] == [False]
        sets[-1] = Workload(meta("StatefulSet", names[-1]), **old)
        assert [each.is_rolling_out for each in members_of(observed(*sets), SETTINGS)] == [True]
    assert [each.is_rolling_out for each in members_of(observed(Workload(meta("Deployment", NAME), **old)), SETTINGS)] == [True]
    assert [each.is_rolling_out for each in members_of(observed(deployment()), SETTINGS)] == [False]
