"""What only another version of the controller changes in pods waits; everything else is applied as always."""

from dataclasses import replace

import pytest

from tests.unit.factories import (
    NAME,
    NOW,
    SETTINGS,
    deployment,
    gateway,
    gateway_class,
    quickstart,
    release,
    route,
    service,
    source,
    status,
    workspace,
)
from tests.unit.planning.test_plan import finished, with_accepted, words
from workspace_ctrl.api.conditions import find
from workspace_ctrl.api.labels import UPDATE_ANNOTATION
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.catalog.versions import PodChange, pod_changes
from workspace_ctrl.model.chart_verdicts import ChartVerdict
from workspace_ctrl.planning import held_updates
from workspace_ctrl.planning.held_updates import update_policy
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import ChartSource, Mode, PickerSettings, PlanSettings, Verification
from workspace_ctrl.planning.preset.installed_environment import CertificateBundle
from workspace_ctrl.planning.traffic.preview_group import simulated_groups

OLD = "of-an-older-version"
GROUP = {"group": {"name": "chat", "weight": 10}}


def at(version, **changes):
    """The settings of an installation whose controller has that version."""
    settings = replace(SETTINGS, **changes)
    return replace(settings, updates=update_policy(settings, version))


def made_before(**changes):
    """A world in which all is done, but whose pods an older version has made."""
    world = finished()
    old = {
        "workloads": (deployment(hash_=OLD),),
        "release": release(hash_=OLD),
    }
    return replace(world, **{**old, **changes})


def recorded(found=None, *, generation=1, annotations=None, **fields):
    """A Workspace with the status of an earlier pass."""
    raw = quickstart(**fields)
    raw["metadata"] |= {"generation": generation, "annotations": annotations or {}}
    raw["status"] = {"observedGeneration": 1, **(found or {})}
    return workspace(raw)


def after(record, world, settings):
    """The status that a pass writes, as JSON."""
    return status(record, world, plan(record, world, settings).decisions, NOW).as_object()


def known(version="0.1.0", settings=None):
    """The status of a Workspace whose pods that version has made, and has noted."""
    return after(recorded(), finished(), at(version, **(settings or {})))


def test_pods_of_a_version_that_noted_nothing_wait_if_it_has_observed_the_spec():
    assert words(plan(recorded(), made_before(), at("0.2.0"))) == []
    assert words(plan(recorded(generation=2), made_before(), at("0.2.0"))) == ["try Deployment"]


def test_a_canary_goes_on_with_pods_that_wait():
    mine = recorded(gateway={"group": {"name": "chat", "canary": {}}})
    world = replace(made_before(), groups=simulated_groups(mine, (), SETTINGS))
    found = plan(mine, world, at("0.2.0"))
    assert found.decisions.waiting
    assert found.decisions.group.canary.state.reason == "CanaryInProgress"


def test_they_wait_on_in_later_passes_and_after_a_restart_until_the_spec_changes():
    first = after(recorded(), made_before(), at("0.2.0"))
    assert "version" not in first["pods"]
    assert words(plan(recorded(first), made_before(), at("0.2.0"))) == []
    assert after(recorded(first), made_before(), at("0.2.0"))["pods"] == first["pods"]
    other = recorded(first, generation=2, inference={"preset": {"name": "qwen3-0.6b"}})
    assert words(plan(other, made_before(), at("0.2.0"))) == ["try Deployment"]
    assert after(other, with_accepted(made_before(), other), at("0.2.0"))["pods"]["version"] == "0.2.0"


def test_a_rejected_change_of_the_spec_does_not_wait_afterwards():
    """The status has observed the spec then, but no version has applied it."""
    changed = recorded(known("0.2.0"), generation=2, inference={"preset": {"name": "qwen3-0.6b"}})
    seen = after(changed, made_before(), at("0.2.0"))
    assert seen["observedGeneration"] == 2
    again = recorded(seen, generation=2, inference={"preset": {"name": "qwen3-0.6b"}})
    assert words(plan(again, made_before(), at("0.2.0"))) == ["try Deployment"]


def test_a_change_that_could_not_be_planned_does_not_wait_afterwards():
    unknown = {"preset": {"name": "no-such-model"}}
    seen = after(recorded(generation=2, inference=unknown), made_before(), at("0.2.0"))
    assert words(plan(recorded(seen | {"observedGeneration": 2}, generation=2), made_before(), at("0.2.0"))) == ["try Deployment"]


def test_the_same_version_applies_what_others_than_the_spec_change():
    assert words(plan(recorded(known("0.2.0")), made_before(), at("0.2.0"))) == ["try Deployment"]


def test_what_is_no_pod_is_applied():
    world = made_before(services=(service(hash_=OLD),), route=route(hash_=OLD))
    assert words(plan(recorded(known()), world, at("0.2.0"))) == ["force Service", "force HTTPRoute"]


def test_a_deleted_object_comes_back():
    assert words(plan(recorded(known()), made_before(workloads=()), at("0.2.0"))) == ["try Deployment"]
    assert words(plan(recorded(known()), made_before(release=None), at("0.2.0"))) == ["create HelmRelease"]


def test_a_new_release_has_the_new_chart():
    old_chart = made_before(source=source(hash_=OLD))
    assert words(plan(recorded(known()), old_chart, at("0.2.0"))) == []
    assert words(plan(recorded(known()), replace(old_chart, release=None), at("0.2.0"))) == ["force OCIRepository"]


def test_a_chart_that_stays_is_not_checked_anew():
    settings, world = at("0.2.0"), made_before(source=source(hash_=OLD), chart_verdicts={})
    assert words(plan(recorded(known()), world, settings)) == []
    found = {SETTINGS.chart.id: ChartVerdict("ChartRefused", "no")}
    assert plan(recorded(known()), replace(world, chart_verdicts=found), settings).decisions.problems == ()


def test_an_object_of_others_is_reported_and_none_of_what_waits():
    foreign = made_before(release=replace(release(), meta=replace(release().meta, controller_uid="another")))
    found = plan(recorded(known()), foreign, at("0.2.0")).decisions
    assert [problem.reason for problem in found.problems] == ["NotOwned"]
    assert [ref.kind for ref in found.waiting] == ["Deployment"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"deleting": True}, id="goes"),
        pytest.param({"controller_uid": "another"}, id="of somebody else"),
    ],
)
def test_an_object_that_is_not_ours_to_keep_is_none_that_an_older_version_has_left(changes):
    """A chart that nothing uses is checked, and a workload is tried, before anything is made of them."""
    of_chart = made_before(source=replace(source(hash_=OLD), meta=replace(source(hash_=OLD).meta, **changes)), chart_verdicts={})
    assert "VerifyChart" in [type(step).__name__ for step in plan(recorded(known()), of_chart, at("0.2.0")).steps]
    server = deployment(hash_=OLD)
    world = made_before(workloads=(replace(server, meta=replace(server.meta, **changes)),))
    assert plan(recorded(known()), world, at("0.2.0")).decisions.workload_kind == ""


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"gateway": GROUP}, id="weights in a group"),
        pytest.param({"gateway": {"hostnames": ["models.example"]}}, id="host names"),
        pytest.param({"gateway": {"objectives": [{"name": "batch", "priority": -1}]}}, id="objectives"),
    ],
)
def test_a_change_that_concerns_no_pod_leaves_them_waiting(changes):
    found = plan(recorded(known(), generation=2, **changes), made_before(), at("0.2.0"))
    assert {ref.kind for ref in found.decisions.waiting} == {"Deployment", "HelmRelease"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"resource": quickstart()["resource"] | {"preferredNodes": ["a"]}}, id="nodes"),
        pytest.param({"gateway": {"endpointPicker": {"replicas": 2}}}, id="the endpoint picker"),
        pytest.param({"gateway": {"timeout": "60s"}}, id="the timeout, for which pods are drained"),
        pytest.param({"gateway": {"aliases": ["chat"]}}, id="names with which the model server is started"),
        pytest.param({"annotations": {"kaito.sh/performance-mode": "throughput"}}, id="an annotation of KAITO"),
        pytest.param({"annotations": {UPDATE_ANNOTATION: "0.2.0"}}, id="the annotation with this version"),
        pytest.param({"annotations": {UPDATE_ANNOTATION: "always"}}, id="the annotation for ever"),
    ],
)
def test_a_change_that_concerns_pods_ends_the_waiting(changes):
    record = recorded(known(), generation=2, **changes)
    assert plan(record, made_before(), at("0.2.0")).decisions.waiting == ()
    assert words(plan(record, made_before(), at("0.2.0"))) == ["try Deployment"]


def test_the_annotation_with_another_version_has_no_effect():
    record = recorded(known(), annotations={UPDATE_ANNOTATION: "0.1.9"})
    assert words(plan(record, made_before(), at("0.2.0"))) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"model_server_image": "registry.example/vllm:v1"}, id="the image"),
        pytest.param({"model_server_env": (("HF_ENDPOINT", "https://hub.example"),)}, id="environment variables"),
        pytest.param({"model_server_ca_bundle": CertificateBundle("ca-bundle", "ca.crt")}, id="certificates"),
        pytest.param({"picker": PickerSettings(replicas=3)}, id="the endpoint pickers"),
        pytest.param({"charts": (ChartSource(verification=Verification("cosign")),)}, id="the chart"),
    ],
)
def test_a_setting_about_pods_ends_the_waiting(changes):
    assert plan(recorded(known()), made_before(), at("0.2.0", **changes)).decisions.waiting == ()
    same = plan(recorded(known(settings=changes)), made_before(), at("0.2.0", **changes)).decisions
    assert {ref.kind for ref in same.waiting} >= {"Deployment", "HelmRelease"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"shared_paths": ("/models",)}, id="paths"),
        pytest.param({"charts": (*SETTINGS.charts, ChartSource(name="another", version="v1.4.0"))}, id="a chart of others"),
        pytest.param(
            {"charts": (replace(SETTINGS.chart, allowed_digests=(("v1.4.0", "sha256:0"),)),)}, id="digests to choose from"
        ),
        pytest.param({"picker": PickerSettings(allowed_values=("x",), allow_values_from=True)}, id="values to choose from"),
    ],
)
def test_a_setting_about_something_else_leaves_them_waiting(changes):
    assert plan(recorded(known()), made_before(), at("0.2.0", **changes)).decisions.waiting


def test_the_chart_that_a_workspace_names_counts():
    named = {"gateway": {"chart": {"name": "another"}}}
    another = ChartSource(name="another", url="oci://registry.example/inferencepool")
    before, now = ({"charts": (*SETTINGS.charts, source)} for source in (another, replace(another, version="v1.4.0")))
    status_before = after(recorded(**named), finished(), at("0.1.0", **before))
    assert plan(recorded(status_before, **named), made_before(), at("0.2.0", **before)).decisions.waiting
    assert plan(recorded(status_before, **named), made_before(), at("0.2.0", **now)).decisions.waiting == ()


def test_defaults_of_a_new_version_are_no_choice_of_the_installation():
    """What is set to the default is not distinguished from what is not set."""
    assert update_policy(PlanSettings(), "1").chosen == update_policy(PlanSettings(picker=PickerSettings()), "2").chosen
    assert update_policy(PlanSettings(), "1").chosen != update_policy(PlanSettings(request_timeout="9s"), "1").chosen


def test_a_gateway_of_another_implementation_ends_the_waiting_and_one_that_is_away_does_not():
    other = made_before(gateway_classes=(gateway_class(controller="networking.gke.io/gateway"),))
    assert plan(recorded(known()), other, at("0.2.0")).decisions.waiting == ()
    without = made_before(gateways=(), route=None)
    record = recorded(known())
    assert [ref.kind for ref in plan(record, without, at("0.2.0")).decisions.waiting] == ["Deployment"]
    assert after(record, without, at("0.2.0"))["pods"] == known()["pods"]
    assert after(record, replace(without, gateways=(gateway(),)), at("0.2.0"))["pods"] == known()["pods"]


def test_settings_that_make_a_gateway_one_of_another_implementation_end_the_waiting():
    world = made_before(gateway_classes=(gateway_class(controller="example.com/gateway-controller"),))
    record, assigned = recorded(known()), {"example.com/gateway-controller": "gke"}
    as_before = at("0.2.0", gateway_classes={"example.com/gateway-controller": "istio"})
    assert words(plan(record, world, as_before)) == []
    assert words(plan(record, world, at("0.2.0", gateway_classes=assigned))) != []


def test_the_waiting_is_over_when_nothing_differs():
    assert after(recorded(known()), finished(), at("0.2.0"))["pods"]["version"] == "0.2.0"


def test_it_is_not_over_before_all_is_known():
    world = replace(finished(), source=source(observed=0, hash_=finished().source.meta.applied_hash))
    assert after(recorded(known()), world, at("0.2.0"))["pods"]["version"] == "0.1.0"


def test_without_the_policy_nothing_waits():
    assert words(plan(recorded(), made_before(), SETTINGS)) == ["try Deployment"]


def test_in_companion_mode_nothing_waits():
    assert plan(recorded(known()), made_before(), at("0.2.0", mode=Mode.COMPANION)).decisions.waiting == ()


def test_the_warning_says_what_waits_and_how_to_have_it():
    record = recorded()
    found = status(record, made_before(), plan(record, made_before(), at("0.2.0")).decisions, NOW)
    warning = find(found.conditions, "Warning")
    assert (warning.status, warning.reason) == ("True", "UpdateWaits")
    assert warning.message == (
        "pods as a version before 0.2.0 of workspace-ctrl made them are kept. 0.2.0 changes "
        f"Deployment default/{NAME} and HelmRelease default/{NAME}-inferencepool: {pod_changes()[0].model_server}; "
        f"{pod_changes()[0].endpoint_picker}. That waits for the next change of the spec that concerns pods; to have it now: "
        f"kubectl annotate workspace {NAME} -n default workspace-ctrl/update-pods=0.2.0 --overwrite"
    )
    assert "vulnerabilities" in warning.message


def test_the_warning_names_only_what_concerns_its_objects_and_is_newer():
    world = replace(finished(), release=release(hash_=OLD))
    (note,) = plan(recorded(), world, at("0.2.0")).decisions.notes
    assert pod_changes()[0].endpoint_picker in note
    assert pod_changes()[0].model_server not in note
    (note,) = plan(recorded(known("0.2.0")), made_before(), at("0.2.1")).decisions.notes
    assert "see its changelog" in note


def test_what_a_patch_changes_is_named_as_well(monkeypatch):
    rows = [PodChange(version=f"0.2.{patch}", model_server=f"change {patch}", endpoint_picker="") for patch in (9, 10, 11)]
    monkeypatch.setattr(held_updates, "pod_changes", lambda: rows)
    (note,) = plan(recorded(known("0.2.9")), made_before(), at("0.2.10")).decisions.notes
    assert ": change 10. " in note


def test_the_status_is_read_as_it_was_written():
    assert parse_status(known()).as_object() == known()
