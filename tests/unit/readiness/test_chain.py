"""The chain as a table: each link is evaluated once, in order, and only where it applies."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.unit.factories import NOW, chain, decisions, gateway, meta, route, status, workspace
from tests.unit.readiness.test_status import READY
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.body_router import BodyRouterState
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.readiness import chain as module
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.objectives import InferenceObjective

POOL = ObjectRef("InferencePool", "default", "shared")
ALL = [
    LinkName.WORKLOAD,
    LinkName.GATEWAY,
    LinkName.SOURCE,
    LinkName.RELEASE,
    LinkName.ENDPOINT_PICKER,
    LinkName.POOL,
    LinkName.ROUTE,
    LinkName.ENDPOINTS,
]
PROBED = replace(READY, probing=True, probe=ProbeResult(ProbeOutcome.ANSWERED))
BLOCKED = replace(READY, body_routers={gateway().key: BodyRouterState(Status.FALSE, "BodyRouterNotReady", "down", blocks=True)})
EVERYTHING = replace(
    PROBED,
    body_routers={gateway().key: BodyRouterState(Status.TRUE, "BodyRouterReady", "runs")},
    objectives=(InferenceObjective(meta("InferenceObjective", "batch")),),
)


class Counted:
    """A row that counts how often it is evaluated."""

    def __init__(self, row, table, counts):
        self._row, self._table, self._counts = row, table, counts
        self.name = row.name

    def evaluate(self, snapshot, decided):
        self._counts[self._table, self.name] += 1
        return self._row.evaluate(snapshot, decided)


@pytest.mark.parametrize("snapshot", [READY, EVERYTHING, Snapshot()], ids=["ready", "with everything", "nothing there"])
def test_a_status_evaluates_each_link_once(monkeypatch, snapshot):
    counts = Counter()
    for table in ("CHAIN", "OPTIONAL"):
        monkeypatch.setattr(module, table, tuple(Counted(row, table, counts) for row in getattr(module, table)))
    monkeypatch.setattr(module, "PROBE", Counted(module.PROBE, "PROBE", counts))
    status(workspace(), snapshot, decisions(wants_header=True, objectives=("batch",)), NOW)
    assert set(counts.values()) == {1}
    assert len(counts) == len(module.CHAIN) + len(module.OPTIONAL) + 1


@pytest.mark.parametrize(
    ("snapshot", "decided", "names"),
    [
        pytest.param(READY, decisions(), ALL, id="all"),
        pytest.param(PROBED, decisions(), [*ALL, LinkName.PROBE], id="with requests"),
        pytest.param(PROBED, decisions(gateway_wanted=False), [LinkName.WORKLOAD], id="without the gateway side"),
        pytest.param(
            replace(READY, named_pool=READY.pool),
            decisions(named_pool=POOL),
            [LinkName.WORKLOAD, LinkName.GATEWAY, LinkName.POOL, LinkName.ROUTE, LinkName.ENDPOINTS],
            id="no chart behind a pool of the user",
        ),
        pytest.param(BLOCKED, decisions(), [*ALL[:-1], LinkName.BODY_ROUTER, LinkName.ENDPOINTS], id="a router blocks"),
    ],
)
def test_the_links_that_apply_in_their_order(snapshot, decided, names):
    assert [link.name for link in chain(snapshot, decided)] == names


@pytest.mark.parametrize(
    ("pool", "first"),
    [
        pytest.param(READY.pool, LinkName.ROUTE, id="the route is why the pool is rejected"),
        pytest.param(None, LinkName.POOL, id="no pool"),
    ],
)
def test_a_route_that_planning_rejects_comes_before_its_pool(pool: InferencePool | None, first):
    decided = decisions(Problem(LinkName.ROUTE, "PathConflict", "taken"))
    names = [link.name for link in chain(replace(READY, pool=pool, route=route()), decided)]
    assert min(LinkName.POOL, LinkName.ROUTE, key=names.index) is first
    assert sorted(names) == sorted(ALL)


@pytest.mark.parametrize("name", [name for name in ALL if name is not LinkName.WORKLOAD] + [LinkName.SPEC, LinkName.WORKLOAD])
def test_a_problem_of_planning_stands_for_its_link(name):
    problem = Problem(name, "NotOwned", "not managed by workspace-ctrl", terminal=True)
    found = [link for link in chain(READY, decisions(problem)) if not link.holds]
    assert found == [Link.of_problem(problem)]


def test_a_problem_that_passes_by_itself_has_not_failed_the_link():
    problem = Problem(LinkName.WORKLOAD, "SizingModel", "its size is being read", in_progress=True)
    assert Link.of_problem(problem) == Link.waiting(LinkName.WORKLOAD, "SizingModel", "its size is being read")


def test_a_problem_is_reported_although_the_records_cannot_be_read():
    def unreadable(*_):
        raise AssertionError

    row = module.LinkRow(LinkName.POOL, applies=lambda *_: True, inputs=unreadable, link=unreadable)
    problem = Problem(LinkName.POOL, "CRDsNotAvailable", "install it")
    assert row.evaluate(READY, decisions(problem)) == Link.of_problem(problem)
    assert replace(row, applies=lambda *_: False).evaluate(READY, decisions(problem)) is None
