"""Any status that can be built: every part of what it is built from may be missing or empty."""

from dataclasses import replace

from hypothesis import strategies as st

from tests.unit.factories import NOW, decisions, deployment, gateway, meta, parent, pod, source, status, workspace
from tests.unit.readiness.test_status import READY
from workspace_ctrl.api.status import GatewayStatus, ProbeStatus, WorkspaceStatus
from workspace_ctrl.model.plan_decisions import Decisions, LinkName, Problem
from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.records.gateways import KthenaModelServer
from workspace_ctrl.records.meta import ObjectRef
from workspace_ctrl.records.workspaces import pack_status

FULL: Snapshot = replace(
    READY,
    companion=KthenaModelServer(meta("ModelServer")),
    probing=True,
    probe=ProbeResult(ProbeOutcome.FAILED, "http://gateway.example/x", 503, "no\x00\udc80 endpoint", by_body=False),
)
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "workloads": st.sampled_from([(), (deployment(ready=0, replicas=0),)]),
        "pods": st.sampled_from([(), (pod(node=""),)]),
        "source": st.sampled_from([None, source(digest="")]),
        "release": st.none(),
        "endpoint_picker": st.none(),
        "pool": st.none(),
        "route": st.none(),
        "companion": st.none(),
        "probe": st.sampled_from([None, ProbeResult(ProbeOutcome.NOT_POSSIBLE)]),
        "probing": st.booleans(),
    },
)
_DECIDED = st.fixed_dictionaries(
    {},
    optional={
        "gateway_wanted": st.booleans(),
        "names": st.none(),
        "workload_kind": st.just(""),
        "reference": st.sampled_from([ObjectRef("Deployment", "default", ""), ObjectRef("LeaderWorkerSet", "default", "own")]),
        "parents": st.sampled_from([(), (parent(gateway=gateway(addresses=(), listeners=())),)]),
        "path": st.just(""),
        "model_names": st.just(()),
        "node_count": st.just(0),
        "sizing": st.just(""),
    },
)
_PROBLEMS = st.sampled_from(
    [(), (Problem(LinkName.SPEC, "", "", terminal=True),), (Problem(LinkName.GATEWAY, "not a reason", "\udc80" * 5000),)]
)


def any_decisions() -> st.SearchStrategy[Decisions]:
    """Decisions of which each part may be empty."""
    return st.builds(lambda fields, problems: decisions(*problems, **fields), _DECIDED, _PROBLEMS)


def any_status() -> st.SearchStrategy[WorkspaceStatus]:
    """The status of a Workspace whose earlier status was any other one."""

    def build(changes, decided, earlier):
        before = workspace()
        if earlier:
            told = WorkspaceStatus(gateway=GatewayStatus(url="http://x/", last_probe=ProbeStatus("Answered")))
            before = replace(before, stored_status=pack_status(told.as_object()))
        return status(before, replace(FULL, **changes), decided, NOW)

    return st.builds(build, _CHANGES, any_decisions(), st.booleans())
