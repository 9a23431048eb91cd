"""`workspace-ctrl doctor`: what each state of a cluster is found to be, and the way out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from workspace_ctrl.api.crd import crd
from workspace_ctrl.cli.inspect import doctor_checks
from workspace_ctrl.cli.inspect.cluster_facts import EXAMPLE, ClusterFacts, TriedWorkspace
from workspace_ctrl.cli.inspect.doctor_checks import Level, findings
from workspace_ctrl.cli.inspect.installed_parts import GATEWAYS, NEEDED_CRDS, WORKSPACES, InstalledParts
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.plan_settings import PlanSettings


@pytest.fixture(autouse=True, scope="module")
def _one_crd():
    """The CRD that the cluster's one is compared with, made once for all tests."""
    made = crd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor_checks, "crd", lambda: made)
        yield


NOW = datetime(2026, 11, 27, 19, tzinfo=UTC)
OK, WARNING, FAILURE = Level.OK, Level.WARNING, Level.FAILURE
ISTIO = "istio.io/gateway-controller"


def deployment(name, *, image="", ready=1, env=(), **labels):
    containers = [{"image": image, "env": [{"name": key, "value": value} for key, value in env]}]
    return {
        "metadata": {"namespace": "system", "name": name, "labels": labels},
        "spec": {"template": {"spec": {"containers": containers}}},
        "status": {"readyReplicas": ready},
    }


def definition(*served, version=""):
    annotations = {"gateway.networking.k8s.io/bundle-version": version} if version else {}
    return {"metadata": {"annotations": annotations}, "spec": {"versions": [{"name": name, "served": True} for name in served]}}


def istiod(switch="true", **env):
    return deployment("istiod", env=[("ENABLE_GATEWAY_API_INFERENCE_EXTENSION", switch), *env.items()])


def of_class(controller, **facts):
    """A cluster with one GatewayClass."""
    return replace(GOOD, classes=[{"metadata": {"name": "istio"}, "spec": {"controllerName": controller}}], **facts)


def envoy_proxy(seconds):
    """What Envoy Gateway makes for a Gateway."""
    owner = "gateway.envoyproxy.io/owning-gateway-"
    found = deployment("envoy-1", **{f"{owner}namespace": "team", f"{owner}name": "models"})
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["args"] = ["--service-node", "$(ENVOY_POD_NAME)", "--drain-time-s", seconds]
    return found


def conditioned(name, type_, status, **fields):
    conditions = [{"type": type_, "status": status, "reason": "Why", "message": "because"}]
    return {"metadata": {"namespace": "ns", "name": name}, "spec": fields, "status": {"conditions": conditions}}


def node(**labels):
    return {"metadata": {"name": "node-1", "labels": labels}, "status": {"allocatable": {"nvidia.com/gpu": "1", "cpu": "4"}}}


CRDS = {name: definition("v1", "v2", version="v1.4.0") for name in NEEDED_CRDS} | {WORKSPACES: crd()}
FLUX = [
    deployment("source-controller", image="ghcr.io/fluxcd/source-controller:v1.9.0", app="source-controller"),
    deployment("helm-controller", image="registry:5000/helm-controller:v1.6.0@sha256:0", app="helm-controller"),
]
PARTS = InstalledParts("v1.36.0", CRDS, [deployment("workspace-ctrl", **{"app.kubernetes.io/version": "0.1.0"})], FLUX)
WEBHOOK = {"metadata": {"name": "w"}, "webhooks": [{"clientConfig": {"caBundle": "x"}}]}
POOL = {"metadata": {"name": "p"}}
GOOD = ClusterFacts(
    parts=PARTS,
    namespace="ns",
    tried=TriedWorkspace(created="2026-11-27T19:00:00Z"),
    settings={"featureGates": {"gatewayAPIInferenceExtension": True}},
    classes=[{"metadata": {"name": "istio"}, "spec": {"controllerName": ISTIO}}],
    gateways=[conditioned("gateway", "Programmed", "True", gatewayClassName="istio")],
    istiods=[istiod()],
    nodes=[node(**{"nvidia.com/gpu.product": "A100"})],
    sources=[conditioned("phi", "Ready", "True")],
    webhooks=[WEBHOOK],
)


def parts(**changes):
    return replace(GOOD, parts=replace(PARTS, **changes))


def crds(**changes):
    return parts(crds={**CRDS, **changes})


def with_fields(*names):
    schema = {"openAPIV3Schema": {"properties": {name: {"type": "object"} for name in names}}}
    versions = [{"name": version, "served": True, "schema": schema} for version in ("v1alpha1", "v1beta1")]
    return {"metadata": {}, "spec": {"versions": versions}}


def beside_kaito(found):
    return replace(crds(**{WORKSPACES: found}), settings={**GOOD.settings, "mode": "companion"})


INDEX = replace(GOOD, settings={**GOOD.settings, "modelIndex": {"enabled": True}})


def index_route(**condition):
    parent = {"namespace": "gateways", "name": "shared"}
    said = [{"type": "Accepted", **condition}]
    return {
        "metadata": {"name": "models", "namespace": "system"},
        "spec": {"parentRefs": [parent]},
        "status": {"parents": [{"conditions": said}]},
    }


CASES = {
    "a setting without effect": (
        replace(GOOD, settings={**GOOD.settings, "chartCheck": {"enabled": False, "helm": "/bin/helm"}}),
        WARNING,
        "chartCheck.helm has no effect: chartCheck.enabled is false",
        "remove it, or set what it needs",
    ),
    "no list of models": (INDEX, WARNING, "no Gateway has it yet", "the controller's log says"),
    "a list of models that is not accepted": (
        replace(INDEX, index_routes=[index_route(status="False", reason="NotAllowedByListeners", message="no")]),
        WARNING,
        "Gateway gateways/shared does not accept it: NotAllowedByListeners: no",
        "kubectl describe httproute models -n system",
    ),
    "no CRD": (crds(**{GATEWAYS: None}), FAILURE, "Gateway API is not installed", "install it"),
    "an old CRD": (crds(**{GATEWAYS: definition("v1beta1")}), FAILURE, "serves v1beta1, not v1", "upgrade it"),
    "another CRD of ours": (
        crds(**{WORKSPACES: with_fields("gateway")}),
        WARNING,
        "that of another version of workspace-ctrl",
        "workspace-ctrl crd | kubectl apply",
    ),
    "KAITO's CRD": (crds(**{WORKSPACES: with_fields("resource")}), WARNING, "no field gateway, so it is KAITO's", "mode=companion"),
    "no KAITO in companion mode": (beside_kaito(None), FAILURE, "Workspace is not installed", "install it: KAITO"),
    "CRDs may not be read": (parts(may_read_crds=False), WARNING, "you may not read", "administrator"),
    "no controller": (parts(controllers=[]), FAILURE, "no Deployment of workspace-ctrl", "workspace-ctrl run"),
    "a controller that does not run": (
        parts(controllers=[deployment("w", ready=0)]),
        FAILURE,
        "no ready replica",
        "kubectl describe",
    ),
    "an old Kubernetes": (parts(server="v1.29.4-gke.100"), FAILURE, "v1.29.4-gke.100 is too old", "upgrade it to 1.30 or later"),
    "the gate is off": (replace(GOOD, settings={}), FAILURE, "is off: only model servers are created", "--set featureGates."),
    "the gate is not known": (replace(GOOD, settings=None), WARNING, "settings cannot be read", "featureGates."),
    "no Flux": (parts(flux=[]), WARNING, "no Deployment of source-controller", "install Flux"),
    "Flux does not run": (
        parts(flux=[{**FLUX[0], "status": {}}, FLUX[1]]),
        FAILURE,
        "source-controller has no ready replica",
        "-l app=source-controller",
    ),
    "an old Flux": (
        parts(flux=[deployment("source-controller", image="x/source-controller:v1.6.2", app="source-controller"), FLUX[1]]),
        FAILURE,
        "source-controller v1.6.2 is too old",
        "Flux 2.7",
    ),
    "no class": (replace(GOOD, classes=[]), FAILURE, "there is none", "such as Istio"),
    "an unknown class": (
        of_class("example.com/x"),
        WARNING,
        "example.com/x: none has been tested",
        "supports InferencePools",
    ),
    "Istio without its switch": (
        replace(GOOD, istiods=[deployment("istiod")]),
        FAILURE,
        "Istio does not handle them: ENABLE_GATEWAY_API_INFERENCE_EXTENSION of system/istiod is not true",
        "set ENABLE_GATEWAY_API_INFERENCE_EXTENSION=true",
    ),
    "Istio with its switch off": (replace(GOOD, istiods=[istiod("false")]), FAILURE, "is not true", "istiod"),
    "Istio under a name of its own, without its switch": (
        of_class("istio.io/own", istiods=[istiod(), istiod("false", PILOT_GATEWAY_API_CONTROLLER_NAME="istio.io/own")]),
        FAILURE,
        "Istio does not handle them",
        "istiod",
    ),
    "Istio by the settings, which reports nothing": (
        of_class(
            "example.com/x", istiods=[], pools=[POOL], settings={**GOOD.settings, "gatewayClasses": {"example.com/x": "istio"}}
        ),
        WARNING,
        "Istio has reported nothing",
        "istiod",
    ),
    "a class that the settings misspell": (
        of_class("example.com/x", settings={**GOOD.settings, "gatewayClasses": {"example.com/x": "istoi"}}),
        WARNING,
        "none has been tested",
        "set gatewayClasses",
    ),
    "a class that reports nothing": (
        replace(GOOD, istiods=[], pools=[POOL]),
        WARNING,
        "Istio has reported nothing",
        "istiod",
    ),
    "no Gateway": (replace(GOOD, gateways=[]), FAILURE, "there is none", "create one"),
    "a Gateway without an address": (
        replace(GOOD, gateways=[conditioned("g", "Programmed", "False", gatewayClassName="istio")]),
        FAILURE,
        "ns/g is not programmed: Why: because",
        "kubectl describe gateway g -n ns",
    ),
    "streams that end early behind Envoy Gateway": (
        replace(GOOD, pools=[POOL], envoy_proxies=[envoy_proxy("60")]),
        WARNING,
        "team/models: an answer that streams for longer than 60 s ends early",
        "drainTimeout",
    ),
    "rights": (replace(GOOD, denied=("create workspaces.kaito.sh",)), WARNING, "you may not create workspaces", "Role"),
    "rejected": (replace(GOOD, tried=TriedWorkspace("quota")), FAILURE, "is rejected: quota", "message"),
    "a webhook without a CA": (
        replace(GOOD, webhooks=[{"metadata": {"name": "w"}, "webhooks": [{"clientConfig": {}}]}]),
        WARNING,
        "webhook w has no caBundle",
        "cert-manager",
    ),
    "a chart that is not fetched": (
        replace(GOOD, sources=[conditioned(f"s{number}", "Ready", "False") for number in range(5)]),
        FAILURE,
        "2 more OCIRepositories are not ready",
        "kubectl get ocirepositories -A",
    ),
    "no GPUs": (replace(GOOD, nodes=[]), WARNING, "no node has any now", "resource.instanceType"),
    "GPUs without labels": (replace(GOOD, nodes=[node()]), WARNING, "node-1: no label nvidia.com/gpu.product", "feature discovery"),
    "nodes may not be listed": (replace(GOOD, unreadable=frozenset({"Node"})), WARNING, "you may not list nodes", "administrator"),
    "classes may not be listed": (
        replace(GOOD, unreadable=frozenset({"GatewayClass"})),
        WARNING,
        "you may not list GatewayClasses",
        "",
    ),
}


def test_a_good_cluster_has_no_finding_but_good_ones():
    found = findings(GOOD, NOW)
    assert [finding for finding in found if finding.level is not OK] == []
    assert {finding.subject for finding in found} == {
        *(
            "Kubernetes",
            "CRDs",
            "controller",
            "feature gate",
            "Flux",
            "gateway classes",
            "InferencePools",
            "Gateways",
            "your rights",
            "admission",
        ),
        *("registry", "GPUs", "clock"),
    }


def test_an_istiod_beside_that_of_the_class_needs_no_switch():
    there = of_class("istio.io/own", istiods=[istiod("false"), istiod(PILOT_GATEWAY_API_CONTROLLER_NAME="istio.io/own")])
    assert [finding for finding in findings(there, NOW) if finding.level is not OK] == []


def test_a_waypoint_of_istio_is_not_asked_for_inference_pools():
    waypoint = {"metadata": {"name": "istio-waypoint"}, "spec": {"controllerName": "istio.io/mesh-controller"}}
    beside = {**GOOD.gateways[0], "spec": {**GOOD.gateways[0]["spec"], "gatewayClassName": "istio-waypoint"}}
    there = replace(GOOD, classes=[*GOOD.classes, waypoint], gateways=[*GOOD.gateways, beside], pools=[POOL])
    assert [finding for finding in findings(there, NOW) if finding.level is not OK] == []


def test_in_companion_mode_the_crd_of_kaito_is_as_it_should_be():
    """And nobody is advised to replace it."""
    assert [found for found in findings(beside_kaito(with_fields("resource")), NOW) if found.level is not OK] == []


@pytest.mark.parametrize(("facts", "level", "words", "way_out"), CASES.values(), ids=CASES)
def test_what_is_missing_is_found_with_a_way_out(facts, level, words, way_out):
    bad = [finding for finding in findings(facts, NOW) if finding.level is not OK]
    assert any(found.level is level and words in found.words and way_out in found.way_out for found in bad), bad
    assert all(finding.way_out for finding in bad)


@pytest.mark.parametrize(("skew", "words"), [(60, "60 s ahead of"), (-60, "60 s behind"), (10, "agree")])
def test_clocks(skew, words):
    clock = next(finding for finding in findings(GOOD, NOW + timedelta(seconds=skew)) if finding.subject == "clock")
    assert words in clock.words


def test_what_is_applied_by_the_dry_run_is_a_valid_workspace():
    verdict = judge({**EXAMPLE, "metadata": {"namespace": "ns", "name": "doctor"}}, Known(is_all=True), PlanSettings())
    assert verdict.refusals == ()


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(replace(GOOD, pools=[POOL], envoy_proxies=[envoy_proxy("600")]), id="a longer drain time"),
        pytest.param(replace(GOOD, pools=[POOL], envoy_proxies=[envoy_proxy("x")]), id="one that is no number"),
        pytest.param(replace(GOOD, pools=[POOL], envoy_proxies=[deployment("envoy-1")]), id="one that is not known"),
        pytest.param(replace(GOOD, pools=[], envoy_proxies=[envoy_proxy("60")]), id="no models"),
    ],
)
def test_envoy_gateway_is_left_alone_where_no_stream_is_in_danger(facts):
    assert not [finding for finding in findings(facts, NOW) if "streams" in finding.words]


def test_a_list_of_models_is_named_with_its_gateway_and_not_looked_for_where_there_is_none():
    there = replace(INDEX, index_routes=[index_route(status="True")])
    said = [finding.words for finding in findings(there, NOW) if finding.subject == "list of models"]
    assert said == ["attached to Gateway gateways/shared"]
    assert not [finding for finding in findings(GOOD, NOW) if finding.subject == "list of models"]
