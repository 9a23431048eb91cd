"""The body-based router of a Gateway: what is installed, in which order, and how it goes."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import DIGEST, condition
from workspace_ctrl.api.labels import BODY_ROUTER_LABEL, MANAGED_BY_LABEL, OWNER_LABEL
from workspace_ctrl.api.names import body_router_name
from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.model.body_router import BodyRouter
from workspace_ctrl.planning.gateway.body_router import check_chart, plan_router, removal_steps
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan_settings import BodyRoutingSettings, ChartSource
from workspace_ctrl.planning.steps import Apply, Delete, Resume
from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import Workload

GATEWAY = ObjectRef("Gateway", "gateways", "public")
NAME = "public-body-router"
SETTINGS = BodyRoutingSettings(managed=True)


def meta(kind, hash_="", **fields):
    return Meta(ObjectRef(kind, "gateways", NAME), uid=f"uid-of-{kind}", generation=1, applied_hash=hash_, **fields)


def planned(there, settings=SETTINGS, provider="istio"):
    return plan_router(GATEWAY, provider, there, settings)


def applied(outcome):
    return [(step.manifest["kind"], step.force) for step in outcome.steps if isinstance(step, Apply)]


def source(hash_="", **fields):
    fetched = (condition("Ready", reason="Succeeded"),)
    return OCIRepository(meta("OCIRepository", hash_, **fields), fetched, observed_generation=1, revision=f"v1.5.0@{DIGEST}")


def release(hash_="", **fields):
    return HelmRelease(meta("HelmRelease", hash_, **fields))


def workload(ready=1):
    return Workload(meta("Deployment"), ready_replicas=ready)


def applied_source():
    (step,) = planned(BodyRouter()).steps
    return source(applied_hash(step.manifest))


def values(outcome):
    (step,) = outcome.steps
    return step.manifest["spec"]["values"]


def release_as(outcome):
    (step,) = outcome.steps
    return release(applied_hash(step.manifest))


def test_the_chart_is_fetched_first_into_the_namespace_of_the_gateway():
    outcome = planned(BodyRouter())
    assert applied(outcome) == [("OCIRepository", False)]
    (step,) = outcome.steps
    metadata = step.manifest["metadata"]
    assert (metadata["namespace"], metadata["name"]) == ("gateways", NAME)
    assert metadata["labels"] == {MANAGED_BY_LABEL: "workspace-ctrl", BODY_ROUTER_LABEL: NAME}
    assert OWNER_LABEL not in metadata["labels"]
    assert "ownerReferences" not in metadata
    assert step.manifest["spec"]["url"].endswith("/body-based-routing")


def test_a_source_that_is_not_fetched_yet_is_waited_for():
    waiting = replace(applied_source(), revision="")
    assert planned(BodyRouter(waiting)).steps == ()


def test_it_is_connected_once_it_runs_and_then_stays_connected():
    there = BodyRouter(applied_source())
    first = planned(there)
    assert applied(first) == [("HelmRelease", False)]
    assert values(first)["provider"] == {"name": "none"}
    assert not first.connected

    installed = replace(there, release=release_as(first))
    assert planned(installed).steps == ()
    assert planned(replace(installed, workload=workload(ready=0))).steps == ()

    second = planned(replace(installed, workload=workload()))
    assert applied(second) == [("HelmRelease", True)]
    assert values(second) == {
        "bbr": {"name": NAME},
        "provider": {"name": "istio"},
        "inferenceGateway": {"name": "public"},
    }

    connected = replace(there, release=release_as(second), workload=workload())
    assert (planned(connected).steps, planned(connected).connected) == ((), True)
    # Taking it out of the way whenever it is restarted would do more harm than the restart.
    assert planned(replace(connected, workload=workload(ready=0))).steps == ()


def test_a_router_that_does_not_run_is_taken_out_of_the_way_when_its_values_change():
    changed = replace(SETTINGS, values={"bbr": {"replicas": 2}})
    broken = BodyRouter(applied_source(), release("of-earlier-values"), workload(ready=0))
    outcome = planned(broken, changed)
    assert values(outcome)["provider"] == {"name": "none"}
    assert values(outcome)["bbr"] == {"name": NAME, "replicas": 2}


def test_values_of_the_installation_never_change_name_provider_or_gateway():
    theirs = replace(SETTINGS, values={"bbr": {"name": "mine"}, "provider": "gke", "inferenceGateway": {"name": "other"}})
    found = values(planned(BodyRouter(applied_source(), workload=workload()), theirs))
    assert (found["bbr"]["name"], found["provider"]["name"], found["inferenceGateway"]["name"]) == (NAME, "istio", "public")
    assert theirs.values == {"bbr": {"name": "mine"}, "provider": "gke", "inferenceGateway": {"name": "other"}}


@pytest.mark.parametrize(("given", "port"), [({}, 9004), ({"bbr": {"port": 9104}}, 9104)])
def test_its_pods_are_ready_when_they_listen(given, port):
    (step,) = planned(BodyRouter(applied_source()), replace(SETTINGS, values=given)).steps
    ((change,),) = [renderer["kustomize"]["patches"] for renderer in step.manifest["spec"]["postRenderers"]]
    assert change["target"] == {"kind": "Deployment", "name": NAME}
    (container,) = json.loads(change["patch"])["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "bbr", "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2}}


def test_another_chart_is_fetched_before_the_release_is_touched():
    other = replace(SETTINGS, chart=replace(SETTINGS.chart, version="v1.5.1"))
    there = BodyRouter(applied_source(), release("of-earlier-values"), workload())
    assert applied(planned(there, other)) == [("OCIRepository", True)]


def test_what_somebody_else_has_changed_is_brought_back_as_a_repair():
    stolen = applied_source()
    stolen = replace(stolen, meta=replace(stolen.meta, owned=b'{"f:spec":{"f:ref":{}}}'))
    (step,) = planned(BodyRouter(stolen)).steps
    assert (step.manifest["kind"], step.force, step.repairs) == ("OCIRepository", True, True)


def test_what_is_being_deleted_is_left_alone_until_it_is_gone():
    going = BodyRouter(applied_source(), release(deleting=True), workload())
    assert planned(going).steps == ()
    assert removal_steps(going) == ()


def test_it_goes_in_order():
    both = BodyRouter(source(), release())
    assert removal_steps(both) == (Delete(both.release.ref, "uid-of-HelmRelease"),)
    assert removal_steps(BodyRouter(source())) == (Delete(both.source.ref, "uid-of-OCIRepository"),)
    assert removal_steps(BodyRouter(source(deleting=True))) == ()
    assert removal_steps(BodyRouter()) == ()


def test_one_that_is_suspended_is_resumed_so_that_flux_takes_its_objects_away():
    suspended = replace(release(), suspended=True)
    assert removal_steps(BodyRouter(source(), suspended)) == (
        Resume(suspended.ref),
        Delete(suspended.ref, "uid-of-HelmRelease"),
    )


@pytest.mark.parametrize(
    "chart",
    [
        pytest.param(ChartSource(), id="another chart"),
        pytest.param(ChartSource(url="oci://registry.example/body-based-routing", version="v1.4.0"), id="reaches every proxy"),
        pytest.param(ChartSource(url="oci://registry.example/body-based-routing", version="v2.0.0"), id="unknown"),
    ],
)
def test_other_charts_are_refused(chart):
    with pytest.raises(UnknownChartError, match=r"is not supported; use body-based-routing v1\.5\.0"):
        check_chart(chart)


def test_the_default_chart_and_mirrors_of_it_are_taken():
    check_chart(SETTINGS.chart)
    check_chart(ChartSource(url="oci://registry.example:5000/mirror/body-based-routing", version="1.5.0"))


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ("public", "public-body-router"),
        ("a" * 41, "a" * 41 + "-body-router"),
    ],
)
def test_it_is_named_after_its_gateway(gateway, expected):
    assert body_router_name(gateway) == expected


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?){0,3}", fullmatch=True))
def test_whatever_the_gateway_is_called_a_service_and_a_helm_release_can_have_the_name(gateway):
    name = body_router_name(gateway)
    assert len(name) <= 53
    assert name[0].isalpha()
    assert "." not in name
    assert name == name.lower().strip("-")
    assert body_router_name(gateway + "x") != name
