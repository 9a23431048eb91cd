"""The plan: each state of the world, and the next steps from it."""

from dataclasses import replace

import pytest

from tests.unit.factories import (
    NAME,
    SETTINGS,
    deployment,
    gateway,
    gateway_class,
    picker,
    pod,
    pool,
    quickstart,
    release,
    route,
    service,
    source,
    workspace,
)
from workspace_ctrl.model.api_query_results import DryRun, QueryResults
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.manifests import applied_hash, ref_of
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import ChartSource, PickerSettings, PlanSettings
from workspace_ctrl.planning.steps import Apply, Delete, DryRunWorkload, RequestReconcile, Resume, Scale, SetFinalizer
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workspaces import pack_status

GATEWAYS = {"gateways": (gateway(),), "gateway_classes": (gateway_class(),)}


def words(outcome):
    """The steps as short texts, which read like the plan."""
    return [_word(step) for step in outcome.steps]


def _word(step):  # noqa: PLR0911 - one line for each kind of step
    match step:
        case DryRunWorkload(manifest):
            return f"try {manifest['kind']}"
        case Apply(manifest, _, force):
            return f"{'force' if force else 'create'} {manifest['kind']}"
        case Delete(ref):
            return f"delete {ref.kind}"
        case RequestReconcile(ref):
            return f"ask for {ref.kind}"
        case Resume(ref):
            return f"resume {ref.kind}"
        case Scale(ref, replicas):
            return f"scale {ref.kind} to {replicas}"
        case SetFinalizer(present):
            return "add finalizer" if present else "remove finalizer"


def manifests(snapshot=None, record=None, settings=SETTINGS):
    """Kind → manifest of all objects that would be applied to a world that has everything but our hashes."""
    full = with_accepted(snapshot or Snapshot(source=source(), pool=pool(), **GATEWAYS), record, settings)
    first = applied(plan(record or workspace(), full, settings))
    if "OCIRepository" in first:
        fetched = source(hash_=applied_hash(first["OCIRepository"]))
        full = replace(full, source=replace(fetched, meta=replace(fetched.meta, ref=ref_of(first["OCIRepository"]))))
    return {**first, **applied(plan(record or workspace(), full, settings))}


def applied(outcome):
    """Kind → manifest of what the outcome applies."""
    return {step.manifest["kind"]: step.manifest for step in outcome.steps if isinstance(step, Apply)}


def with_accepted(snapshot, record=None, settings=SETTINGS):
    """The snapshot with the API server's yes to the workload."""
    first = plan(record or workspace(), replace(snapshot, query_results=QueryResults(), workloads=()), settings).steps[0]
    return replace(snapshot, query_results=QueryResults(DryRun(applied_hash(first.manifest), kind=first.manifest["kind"])))


def finished():
    """A world in which all is done."""
    hashes = {kind: applied_hash(manifest) for kind, manifest in manifests().items()}
    return Snapshot(
        workloads=(deployment(hash_=hashes["Deployment"]),),
        services=(service(hash_=hashes["Service"]),),
        source=source(hash_=hashes["OCIRepository"]),
        release=release(hash_=hashes["HelmRelease"]),
        route=route(hash_=hashes["HTTPRoute"]),
        endpoint_picker=picker(),
        pool=pool(),
        pods=(pod(),),
        **GATEWAYS,
    )


def test_first_the_api_server_is_asked_and_nothing_else_happens():
    assert words(plan(workspace(finalizer=False), Snapshot(**GATEWAYS), SETTINGS)) == ["try Deployment"]


def test_then_the_first_wave_is_created_at_once():
    outcome = plan(workspace(finalizer=False), with_accepted(Snapshot(**GATEWAYS)), SETTINGS)
    assert words(outcome) == ["create Deployment", "create Service", "create OCIRepository"]
    assert outcome.decisions.workload_kind == "Deployment"


def test_a_chart_is_repaired_also_while_something_else_is_applied_but_not_beside_its_own_new_spec():
    drifted = replace(finished(), has_drifted=True)
    assert words(plan(workspace(), drifted, SETTINGS)) == ["ask for HelmRelease"]
    assert words(plan(workspace(), replace(drifted, services=()), SETTINGS)) == ["create Service", "ask for HelmRelease"]
    changed = workspace(gateway={"endpointPicker": {"replicas": 2}})
    assert words(plan(changed, drifted, SETTINGS)) == ["force HelmRelease"]  # which makes Flux look at everything


def test_the_release_follows_the_chart_and_the_route_the_pool():
    world = replace(finished(), release=None, route=None, pool=None)
    assert words(plan(workspace(finalizer=False), world, SETTINGS)) == ["add finalizer", "create HelmRelease"]
    assert words(plan(workspace(), world, SETTINGS)) == ["create HelmRelease"]
    assert words(plan(workspace(), replace(world, source=source(observed=0, hash_=world.source.meta.applied_hash)), SETTINGS)) == []
    assert words(plan(workspace(), replace(finished(), route=None), SETTINGS)) == ["create HTTPRoute"]


def test_a_finished_workspace_yields_no_step():
    assert plan(workspace(), finished(), SETTINGS).steps == ()


def test_a_deleted_object_is_created_again():
    assert words(plan(workspace(), replace(finished(), services=()), SETTINGS)) == ["create Service"]
    assert words(plan(workspace(), replace(finished(), source=None), SETTINGS)) == ["create OCIRepository"]


def test_flux_is_asked_for_what_it_has_made_unless_it_gets_a_new_spec_anyway():
    world = replace(finished(), endpoint_picker=None)
    assert words(plan(workspace(), world, SETTINGS)) == ["ask for HelmRelease"]
    other = replace(SETTINGS, picker=PickerSettings(replicas=2))
    assert words(plan(workspace(), world, other)) == ["force HelmRelease"]


def test_a_changed_decision_is_forced_on_what_is_ours():
    changed = replace(SETTINGS, charts=(ChartSource(version="v1.5.1"),))
    assert words(plan(workspace(), finished(), changed)) == ["force OCIRepository"]


def test_a_refused_workload_creates_nothing():
    accepted = with_accepted(Snapshot(**GATEWAYS))
    refused = replace(
        accepted, query_results=QueryResults(replace(accepted.query_results.dry_run, kind="", refusal="exceeded quota: small"))
    )
    outcome = plan(workspace(finalizer=False), refused, SETTINGS)
    assert outcome.steps == ()
    (problem,) = outcome.decisions.problems
    assert (problem.link, problem.reason) == (LinkName.WORKLOAD, "DryRunFailed")
    assert problem.message == f"Deployment default/{NAME}: exceeded quota: small"


def test_an_answer_to_an_older_manifest_is_asked_again():
    stale = Snapshot(query_results=QueryResults(DryRun("another", refusal="no")), **GATEWAYS)
    assert words(plan(workspace(), stale, SETTINGS)) == ["try Deployment"]


@pytest.mark.parametrize(
    ("kind", "field", "record"),
    [
        ("Deployment", "workloads", deployment(owner="somebody", hash_="x")),
        ("Service", "services", replace(service(), meta=Meta(ObjectRef("Service", "default", NAME), controller_uid=""))),
    ],
)
def test_what_is_not_ours_is_never_touched(kind, field, record):
    world = with_accepted(replace(finished(), **{field: (record,)}))
    outcome = plan(workspace(), world, SETTINGS)
    assert not [step for step in outcome.steps if isinstance(step, Apply) and step.manifest["kind"] == kind]
    assert [(problem.reason, problem.link) for problem in outcome.decisions.problems] == [("NotOwned", LinkName.WORKLOAD)]


@pytest.mark.parametrize(
    ("changes", "words_"),
    [
        pytest.param({"inference": {"preset": {"name": "phi4-mini"}}}, "did you mean phi-4-mini-instruct?", id="unknown preset"),
        pytest.param({"inference": {"template": {"spec": {}}}}, "inference.template.spec.containers needs", id="template"),
        pytest.param({"inference": None, "tuning": {}}, "tuning is not supported by workspace-ctrl", id="tuning"),
        pytest.param(
            {"inference": {"preset": {"name": "phi-4"}, "adapters": [{"source": {"name": "a"}}]}},
            "inference.adapters[0].source needs exactly one of image and volumeSource",
            id="adapters",
        ),
        pytest.param(
            {"inference": {"preset": {"name": "llama-3.1-8b-instruct"}}},
            "modelAccessSecret is required, because",
            id="no token",
        ),
        pytest.param(
            {"inference": {"preset": {"name": "phi-4"}, "template": {}}},
            "exactly one of preset, template and workloadRef",
            id="both",
        ),
    ],
)
def test_an_invalid_spec_is_said_and_changes_nothing(changes, words_):
    outcome = plan(workspace(**changes), finished(), SETTINGS)
    assert outcome.steps == ()
    (problem,) = outcome.decisions.problems
    assert (problem.link, problem.reason, problem.terminal) == (LinkName.SPEC, "InvalidSpec", True)
    assert words_ in problem.message


def test_without_the_gate_only_the_workload_is_made():
    off = PlanSettings()
    first = plan(workspace(finalizer=False), with_accepted(Snapshot(), settings=off), off)
    assert words(first) == ["create Deployment", "create Service"]
    assert first.decisions.problems == ()


@pytest.mark.parametrize("record", [workspace(gateway={"enabled": False}), workspace()], ids=["disabled", "gate off"])
def test_what_is_no_longer_wanted_is_removed_in_order(record):
    settings = SETTINGS if b'"enabled":false' in record.spec else PlanSettings()
    world = finished()
    assert words(plan(record, world, settings)) == ["delete HTTPRoute"]
    world = replace(world, route=None)
    assert words(plan(record, world, settings)) == ["delete HelmRelease"]
    world = replace(world, release=None)
    assert words(plan(record, world, settings)) == ["delete OCIRepository", "remove finalizer"]
    assert words(plan(workspace(record_raw(record), finalizer=False), replace(world, source=None), settings)) == []


def record_raw(record):
    return quickstart(**record.fields())


def test_a_deleted_workspace_is_taken_away_in_order():
    record = workspace(deleting=True)
    world = finished()
    assert words(plan(record, world, SETTINGS)) == ["delete HTTPRoute"]
    assert words(plan(record, replace(world, route=None), SETTINGS)) == ["delete HelmRelease"]
    paused = replace(world, route=None, release=release(suspended=True))
    assert words(plan(record, paused, SETTINGS)) == ["resume HelmRelease", "delete HelmRelease"]
    going = replace(world, route=None, release=replace(world.release, meta=replace(world.release.meta, deleting=True)))
    assert words(plan(record, going, SETTINGS)) == []
    assert words(plan(record, replace(world, route=None, release=None), SETTINGS)) == ["remove finalizer"]


def test_gateway_objects_of_others_are_left_alone():
    foreign = route()
    foreign = replace(foreign, meta=replace(foreign.meta, controller_uid="somebody"))
    assert words(plan(workspace(deleting=True), Snapshot(route=foreign), SETTINGS)) == ["remove finalizer"]


def test_missing_crds_hold_back_what_needs_them():
    world = Snapshot(missing_kinds=frozenset({"OCIRepository", "HelmRelease"}), **GATEWAYS)
    outcome = plan(workspace(), with_accepted(world), SETTINGS)
    assert words(outcome) == ["create Deployment", "create Service"]
    assert [(entry.link, entry.reason) for entry in outcome.decisions.problems] == [(LinkName.SOURCE, "CRDsNotAvailable")]


def test_the_release_waits_for_a_gateway_because_its_values_depend_on_the_class():
    world = replace(finished(), gateways=(), release=None, route=None)
    outcome = plan(workspace(), world, SETTINGS)
    assert words(outcome) == []
    assert [entry.reason for entry in outcome.decisions.problems] == ["NoGateway"]


def test_an_unknown_chart_version_is_said():
    settings = replace(SETTINGS, charts=(ChartSource(version="v9.9.9"),))
    world = with_accepted(replace(finished(), release=None), settings=settings)
    problems = plan(workspace(), world, settings).decisions.problems
    assert [(entry.link, entry.reason, entry.terminal) for entry in problems] == [(LinkName.RELEASE, "ChartVersionUnknown", True)]


def test_every_object_is_owned_labelled_and_hashed():
    for kind, manifest in manifests().items():
        metadata = manifest["metadata"]
        assert metadata["ownerReferences"][0]["controller"] is True, kind
        assert metadata["labels"]["workspace-ctrl/workspace"] == NAME, kind
        assert metadata["annotations"]["workspace-ctrl/applied-hash"], kind
        assert ref_of(manifest).namespace == "default", kind


def test_the_hash_follows_the_content():
    assert applied_hash(manifests()["Deployment"]) == applied_hash(manifests()["Deployment"])
    other = workspace(inference={"preset": {"name": "phi-4"}})
    assert applied_hash(manifests()["Deployment"]) != applied_hash(manifests(record=other)["Deployment"])


OURS = {"kind": "Deployment", "name": "workspace-phi-4-mini"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            {**OURS, "replicas": 3},
            ["create Deployment", "create Service", "scale Deployment to 3"],
            id="three",
        ),
        pytest.param(
            {**OURS, "replicas": 0},
            ["create Deployment", "create Service", "scale Deployment to 0"],
            id="none",
        ),
        pytest.param(
            {**OURS, "replicas": 1},
            ["create Deployment", "create Service"],
            id="the default",
        ),
        pytest.param({"kind": "StatefulSet", "replicas": 2}, ["create Deployment", "create Service"], id="another kind"),
        pytest.param(
            {"kind": "Deployment", "name": "referenced", "replicas": 5}, ["create Deployment", "create Service"], id="of another"
        ),
        pytest.param({}, ["create Deployment", "create Service"], id="nothing is known"),
    ],
)
def test_a_deployment_that_was_deleted_gets_the_replicas_back_that_were_chosen(told, expected):
    record = replace(workspace(gateway={"enabled": False}), stored_status=pack_status({"workload": told} if told else {}))
    (dry_run,) = plan(record, Snapshot(), SETTINGS).steps
    known = QueryResults(dry_run=DryRun(applied_hash(dry_run.manifest), kind="Deployment"))
    found = [word for word in words(plan(record, Snapshot(query_results=known), SETTINGS)) if "finalizer" not in word]
    assert found == expected
