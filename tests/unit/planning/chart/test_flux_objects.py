"""OCIRepository and HelmRelease: which chart, with whose rights, and in which order."""

import json
from dataclasses import replace

import pytest

from tests.unit.factories import NAMESPACE, SETTINGS, derived, meta, pool, source, workspace
from tests.unit.planning.test_plan import GATEWAYS, applied, finished, manifests, words
from workspace_ctrl.api.labels import PICKER_POD_LABEL
from workspace_ctrl.catalog.charts import find_layout
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.chart.post_renderers import post_renderers
from workspace_ctrl.planning.chart.values import PoolValues
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import ChartSource, PickerSettings, Verification
from workspace_ctrl.records.core_v1 import Namespace

DIGEST = "sha256:" + "b" * 64
OTHER_DIGEST = "sha256:" + "c" * 64
ALLOWED = (("v1.4.0", OTHER_DIGEST), ("v1.3.1", DIGEST))
CHARTS = (
    ChartSource(),
    ChartSource(name="old", url="oci://registry.example/charts/inferencepool", version="v1.4.0", allowed_digests=ALLOWED),
    ChartSource(name="pinned", version="v1.5.0", digest=DIGEST),
    ChartSource(name="llm-d", url="oci://registry.example/llm-d-router-gateway", version="v0.9.0"),
)
LISTED = replace(SETTINGS, charts=CHARTS)


def made(settings=LISTED, **gateway):
    """Kind → spec of what a Workspace with these fields of `gateway` becomes."""
    return {
        kind: manifest.get("spec") for kind, manifest in manifests(record=workspace(gateway=gateway), settings=settings).items()
    }


def problem_of(settings=LISTED, world=None, **gateway):
    """The one problem of a finished Workspace that gets these fields of `gateway`; nothing of it is touched."""
    outcome = plan(workspace(gateway=gateway), world or finished(), settings)
    assert words(outcome) == []
    (problem,) = outcome.decisions.problems
    assert problem.terminal
    return problem


def test_the_first_source_is_that_of_all_who_name_none():
    spec = made()["OCIRepository"]
    assert (spec["url"], spec["ref"], spec["interval"]) == (CHARTS[0].url, {"tag": "v1.5.0"}, "10m")
    assert not {"insecure", "secretRef", "certSecretRef", "verify"} & set(spec)


@pytest.mark.parametrize(
    ("chart", "reference"),
    [
        ({"name": "old"}, {"tag": "v1.4.0"}),
        ({"name": "old", "version": "v1.3.1"}, {"tag": "v1.3.1"}),
        ({"name": "old", "digest": OTHER_DIGEST}, {"digest": OTHER_DIGEST}),
        ({"name": "old", "version": "v1.3.1", "digest": DIGEST}, {"digest": DIGEST}),
        ({"name": "pinned"}, {"digest": DIGEST}),
        ({"name": "pinned", "version": "v1.5.0", "digest": DIGEST}, {"digest": DIGEST}),
        ({"version": "v1.2.0"}, {"tag": "v1.2.0"}),
        ({"version": "v1.5.0+team.2"}, {"tag": "v1.5.0_team.2"}),
        ({"version": "v1.5.0_team.2"}, {"tag": "v1.5.0_team.2"}),
    ],
)
def test_a_workspace_chooses_among_the_listed_sources(chart, reference):
    assert made(chart=chart)["OCIRepository"]["ref"] == reference


def test_a_pinned_version_is_the_same_however_its_build_metadata_is_written():
    pinned = replace(SETTINGS, charts=(ChartSource(version="v1.5.0+team.2", digest=DIGEST),))
    assert made(pinned, chart={"version": "v1.5.0_team.2"})["OCIRepository"]["ref"] == {"digest": DIGEST}


def test_the_values_follow_the_chart_that_was_chosen():
    assert "router" in made(chart={"name": "llm-d"})["HelmRelease"]["values"]
    assert "modelServerProtocol" not in made(chart={"name": "old"})["HelmRelease"]["values"]["inferencePool"]


@pytest.mark.parametrize(
    ("chart", "words_"),
    [
        ({"name": "odl"}, "gateway.chart.name odl is not known; did you mean old?"),
        ({"name": "oci://evil.example/chart"}, "is not known; available: default, old, pinned, llm-d"),
        (
            {"name": "pinned", "version": "v1.4.0"},
            "gateway.chart.version does not match source pinned, which the controller's settings pin",
        ),
        ({"name": "pinned", "digest": OTHER_DIGEST}, "gateway.chart.digest does not match source pinned"),
        (
            {"digest": DIGEST},
            "allow for v1.5.0 of source default; remove it; administrators can add it to allowedDigests of the source",
        ),
        ({"name": "old", "digest": DIGEST}, "gateway.chart.digest is not one that the controller's settings allow for v1.4.0"),
        ({"name": "old", "version": "v1.3.0", "digest": DIGEST}, "gateway.chart.digest is not one"),
        ({"version": "v9.0.0"}, "gateway.chart.version: chart inferencepool v9.0.0 is not supported; supported versions:"),
        ({"version": "v1.0.0"}, "chart inferencepool v1.0.0 is not supported: its ClusterRole"),
    ],
)
def test_another_chart_is_refused_and_the_installed_one_stays(chart, words_):
    problem = problem_of(chart=chart)
    assert problem.link in {LinkName.SOURCE, LinkName.RELEASE}
    assert words_ in problem.message


def test_credentials_and_verification_reach_the_source():
    chart = ChartSource(
        digest=DIGEST, insecure=True, secret="login", cert_secret="ca", verification=Verification("notation", "trust")
    )
    spec = made(replace(SETTINGS, charts=(chart,)))["OCIRepository"]
    assert spec["interval"] == "1h"
    assert spec["insecure"] is True
    assert (spec["secretRef"], spec["certSecretRef"]) == ({"name": "login"}, {"name": "ca"})
    assert spec["verify"] == {"provider": "notation", "secretRef": {"name": "trust"}}
    keyless = replace(chart, verification=Verification("cosign"))
    assert made(replace(SETTINGS, charts=(keyless,)))["OCIRepository"]["verify"] == {"provider": "cosign"}


def test_a_refused_value_is_said_on_the_release_and_harms_nothing_else():
    problem = problem_of(SETTINGS, endpointPicker={"values": {"inferenceExtension": {"image": {"tag": "x"}}}})
    assert (problem.link, problem.reason) == (LinkName.RELEASE, "ValuesNotAllowed")
    assert problem.message.startswith("gateway.endpointPicker.values.inferenceExtension.image.tag cannot be set by a Workspace; ")


def test_a_new_workspace_with_a_refused_value_gets_its_workload_and_its_chart():
    record = workspace(gateway={"endpointPicker": {"values": {"x": 1}}})
    assert set(manifests(record=record)) == {"Deployment", "Service", "OCIRepository", "HTTPRoute"}


REFERENCE = {"kind": "ConfigMap", "name": "values", "valuesKey": "mine.yaml", "optional": True}


def test_values_of_a_config_map_are_refused_unless_the_installation_allows_them():
    problem = problem_of(SETTINGS, endpointPicker={"valuesFrom": [REFERENCE]})
    assert problem.message.startswith("gateway.endpointPicker.valuesFrom cannot be set by a Workspace; use ")
    allowed = replace(SETTINGS, picker=PickerSettings(allow_values_from=True))
    spec = made(allowed, endpointPicker={"valuesFrom": [{**REFERENCE, "targetPath": "inferencePool.targetPorts"}]})["HelmRelease"]
    assert spec["valuesFrom"] == [REFERENCE]  # a targetPath would go before our decisions


def test_flux_installs_with_the_rights_of_the_service_account_that_is_named():
    assert made(serviceAccountName="tenant")["HelmRelease"]["serviceAccountName"] == "tenant"
    assert "serviceAccountName" not in made()["HelmRelease"]


def test_failure_mode_and_replicas_reach_the_chart():
    spec = made(pool={"failureMode": "FailClose"}, endpointPicker={"replicas": 2})["HelmRelease"]
    assert (spec["values"]["inferenceExtension"]["failureMode"], spec["values"]["inferenceExtension"]["replicas"]) == (
        "FailClose",
        2,
    )


def test_new_values_wait_until_flux_has_fetched_the_new_chart():
    older = replace(SETTINGS, charts=(ChartSource(version="v1.4.0"),))
    asked = applied(plan(workspace(), finished(), older))
    assert set(asked) == {"OCIRepository"}
    digest = applied_hash(asked["OCIRepository"])
    written = replace(finished(), source=source(generation=2, observed=1, hash_=digest))
    assert words(plan(workspace(), written, older)) == []
    fetched = replace(finished(), source=source(generation=2, observed=2, hash_=digest))
    assert words(plan(workspace(), fetched, older)) == ["force HelmRelease"]


def test_values_do_not_follow_a_chart_of_somebody_else():
    foreign = source(hash_="x")
    foreign = replace(foreign, meta=replace(foreign.meta, controller_uid="somebody"))
    outcome = plan(workspace(), replace(finished(), source=foreign, release=None), SETTINGS)
    assert words(outcome) == []
    assert [problem.reason for problem in outcome.decisions.problems] == ["NotOwned"]


def test_a_release_is_installed_retried_and_kept_as_it_is_in_one_way():
    spec = made()["HelmRelease"]
    action = {"crds": "Skip", "disableWait": True, "disableTakeOwnership": True, "disableOpenAPIValidation": True}
    action["strategy"] = {"name": "RetryOnFailure", "retryInterval": "1m"}
    assert {key: value for key, value in spec.items() if key not in {"values", "postRenderers"}} == {
        "chartRef": {"kind": "OCIRepository", "name": derived().source},
        "releaseName": derived().release,
        "interval": "30m",
        "timeout": "5m",
        "maxHistory": 2,
        "install": action,
        "upgrade": action,
        "uninstall": {"deletionPropagation": "background"},
        "driftDetection": {"mode": "enabled", "ignore": [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]},
        "commonMetadata": {"labels": {"workspace-ctrl/workspace": derived().workspace}},
    }


def test_names_of_the_release_never_depend_on_the_values():
    spec = made(endpointPicker={"values": {"inferenceExtension": {"env": [{"name": "A", "value": "b"}]}}})["HelmRelease"]
    assert (spec["releaseName"], spec["chartRef"]) == (derived().release, {"kind": "OCIRepository", "name": derived().source})
    assert not {"targetNamespace", "storageNamespace", "kubeConfig"} & set(spec)
    assert spec["postRenderers"] == made()["HelmRelease"]["postRenderers"]


def test_the_endpoint_picker_starts_when_the_port_is_open_that_gateways_ask():
    (renderer,) = made()["HelmRelease"]["postRenderers"]
    (entry,) = renderer["kustomize"]["patches"]
    assert entry["target"] == {"kind": "Deployment", "name": derived().endpoint_picker}
    (container,) = json.loads(entry["patch"])["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["startupProbe"]["tcpSocket"]) == ("epp", {"port": 9002})


@pytest.mark.parametrize(
    ("replicas", "strategy"),
    [
        pytest.param(1, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, id="one"),
        pytest.param(2, None, id="several: only the leader is Ready"),
    ],
)
@pytest.mark.parametrize("version", ["v1.5.0", "v1.4.0"])
def test_a_single_endpoint_picker_is_replaced_when_the_next_one_is_ready(replicas, strategy, version):
    settings = replace(SETTINGS, charts=(ChartSource(version=version),))
    (renderer,) = made(settings, endpointPicker={"replicas": replicas})["HelmRelease"]["postRenderers"]
    (entry,) = renderer["kustomize"]["patches"]
    assert json.loads(entry["patch"])["spec"].get("strategy") == strategy


@pytest.mark.parametrize("version", ["v0.9.0", "v0.10.0"])
def test_the_endpoint_picker_of_llm_d_starts_in_the_same_way_and_has_our_label(version):
    release = made(chart={"name": "llm-d", "version": version})["HelmRelease"]
    (entry,) = release["postRenderers"][0]["kustomize"]["patches"]
    template = json.loads(entry["patch"])["spec"]["template"]
    name = f"{release['releaseName']}-epp"
    assert entry["target"] == {"kind": "Deployment", "name": name}
    assert template["metadata"]["labels"] == {PICKER_POD_LABEL: name}
    assert template["spec"]["containers"][0]["startupProbe"]["tcpSocket"] == {"port": 9002}


def test_a_chart_whose_container_is_not_known_is_left_as_it_is():
    unknown = find_layout("inferencepool", "v1.5.0").model_copy(update={"picker_container": ""})
    assert post_renderers(unknown, derived(), PoolValues({}, 5000, "istio"), 1) == []


@pytest.mark.parametrize(
    ("name", "version"),
    [("inferencepool", "v1.5.0"), ("llm-d-router-gateway", "v0.9.0"), ("llm-d-router-gateway", "v0.10.0")],
)
def test_gke_checks_the_health_of_the_model_server_at_its_port(name, version):
    """Without the pool's appProtocol, which older CRDs do not know, these charts leave the health check without a configuration."""
    layout = find_layout(name, version)
    (renderer,) = post_renderers(layout, derived(), PoolValues({}, 5000, "gke"), 1)
    (policy,) = [entry for entry in renderer["kustomize"]["patches"] if entry["target"]["kind"] == "HealthCheckPolicy"]
    patch = json.loads(policy["patch"])
    assert (policy["target"]["name"], patch["apiVersion"]) == (derived().release, "networking.gke.io/v1")
    check = {"type": "HTTP", "httpHealthCheck": {"requestPath": "/health", "port": 5000}}
    assert patch["spec"] == {"default": {"config": check}}


def test_elsewhere_no_health_check_of_gke_is_patched():
    for layout, provider in ((find_layout("inferencepool", "v1.4.0"), "gke"), (find_layout("inferencepool", "v1.5.0"), "none")):
        (renderer,) = post_renderers(layout, derived(), PoolValues({}, 5000, provider), 1)
        assert [entry["target"]["kind"] for entry in renderer["kustomize"]["patches"]] == ["Deployment"]


@pytest.mark.parametrize(
    ("provider", "timeout", "seconds"),
    [
        ("gke", "600s", 600),
        ("gke", "1h30m", 5400),
        ("gke", "500ms", 1),
        pytest.param("gke", "0s", 2_147_483_647, id="no limit"),
        pytest.param("gke", "99999h99999h", 719_992_800, id="long"),
        pytest.param("gke", "99999h99999h99999h99999h99999h99999h", 2_147_483_647, id="longer than the policy can be"),
        pytest.param("gke", "", None, id="what the chart has"),
        ("istio", "600s", None),
    ],
)
@pytest.mark.parametrize(("name", "version"), [("inferencepool", "v1.4.0"), ("llm-d-router-gateway", "v0.10.0")])
def test_on_gke_the_timeout_is_in_the_policy_of_the_chart(name, version, provider, timeout, seconds):
    (renderer,) = post_renderers(find_layout(name, version), derived(), PoolValues({}, 5000, provider, timeout=timeout), 1)
    found = [entry for entry in renderer["kustomize"]["patches"] if entry["target"]["kind"] == "GCPBackendPolicy"]
    assert [json.loads(entry["patch"])["spec"] for entry in found] == ([{"default": {"timeoutSec": seconds}}] if seconds else [])
    assert {entry["target"]["name"] for entry in found} <= {derived().release}


MONITORED = {"inferenceExtension": {"monitoring": {"prometheus": {"enabled": True}}}}
ALL_OWNED = ["Deployment", "ClusterRole", "ClusterRoleBinding"]


@pytest.mark.parametrize(
    ("values", "gateway", "kinds"),
    [
        pytest.param({}, {}, ["Deployment"], id="without monitoring"),
        pytest.param(MONITORED, {}, ALL_OWNED, id="with monitoring"),
        pytest.param({}, {"chart": {"name": "old", "version": "v1.1.0"}}, ALL_OWNED, id="always, before 1.2"),
        pytest.param(
            {},
            {"endpointPicker": {"valuesFrom": [{"kind": "ConfigMap", "name": "a"}]}},
            ALL_OWNED,
            id="values that only Flux reads",
        ),
    ],
)
def test_what_a_chart_has_in_the_whole_cluster_is_owned_by_the_namespace(values, gateway, kinds):
    (renderer,) = released(values, gateway, "uid-of-it")["postRenderers"]
    patches = renderer["kustomize"]["patches"]
    assert [entry["target"]["kind"] for entry in patches] == kinds
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": NAMESPACE, "uid": "uid-of-it"}
    added = [{"op": "add", "path": "/metadata/ownerReferences", "value": [owner]}]
    assert [json.loads(entry["patch"]) for entry in patches[1:]] == [added] * (len(kinds) - 1)


def test_a_namespace_that_cannot_be_read_owns_nothing():
    (renderer,) = released(MONITORED, {}, "")["postRenderers"]
    assert [entry["target"]["kind"] for entry in renderer["kustomize"]["patches"]] == ["Deployment"]


def released(values, gateway, uid):
    """The HelmRelease's spec in a namespace with that uid; empty for one that cannot be read."""
    settings = replace(LISTED, picker=PickerSettings(values=values, allow_values_from=True))
    there = Namespace(replace(meta("Namespace", NAMESPACE, namespace="", owner=""), uid=uid)) if uid else None
    world = Snapshot(source=source(), pool=pool(), namespace=there, **GATEWAYS)
    return manifests(world, workspace(gateway=gateway), settings)["HelmRelease"]["spec"]
