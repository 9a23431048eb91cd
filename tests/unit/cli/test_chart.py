"""`workspace-ctrl chart check`: what is said before Helm is asked, and what a chart is judged by."""

import pytest

from tests.unit.cli.test_cli import run
from workspace_ctrl.catalog.charts import find_layout
from workspace_ctrl.helm.chart_layout_checks import Rendered, checks, renderings

LAYOUT = find_layout("inferencepool", "v1.5.0")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/nowhere/chart",), "/nowhere/chart not found; set a directory, a packaged chart, or a URL that begins with oci://"),
        (("oci://registry.example/chart", "--helm", "no-such-helm"), "no-such-helm not found; install Helm (https://helm.sh"),
    ],
)
def test_what_is_missing_is_said_with_a_remedy(arguments, words):
    result = run("chart", "check", *arguments)
    assert (result.exit_code, words in " ".join(result.output.split())) == (2, True), result.output


def test_a_chart_that_makes_nothing_holds_nothing():
    found = checks(LAYOUT, {}, [Rendered(entry, []) for entry in renderings(LAYOUT)])
    assert not [check.name for check in found if check.name.startswith("inference") and check.holds]
    assert {check.name for check in found if check.holds} == {
        "InferencePool: does not set appProtocol",
        "two releases in a namespace share no object",
        "releases in two namespaces share no ClusterRole",
        "the chart creates no objects of unknown kinds",
        "every object is in the namespace of the release",
        "every label is valid, also with the chart version that Flux sets",
    }


EVERY_LABEL = "every label is valid, also with the chart version that Flux sets"


def found_in(made, layout=LAYOUT):
    """Name → check, of a chart of which `made` returns the objects for each rendering."""
    return {check.name: check for check in checks(layout, {}, [Rendered(entry, made(entry)) for entry in renderings(layout)])}


@pytest.mark.parametrize(
    "harmful",
    [
        pytest.param({"metadata": {"name": "x", "labels": {"version": "1.5.0+0123456789ab"}}}, id="of the object"),
        pytest.param({"metadata": {"name": "x"}, "spec": {"template": {"metadata": {"labels": {"v": "a+b"}}}}}, id="of its pods"),
        pytest.param({"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"v": "a+b"}}}}, id="of a selector"),
        pytest.param({"metadata": {"name": "x"}, "spec": {"selector": {"v": "a+b"}}}, id="of a Service's selector"),
        pytest.param({"metadata": {"name": "x", "labels": {"v": 1.5}}}, id="a number"),
        pytest.param({"metadata": {"name": "x", "labels": {"v": None}}}, id="nothing"),
        pytest.param({"metadata": {"name": "x", "labels": {"a b": "c"}}}, id="its key"),
    ],
)
def test_a_label_that_the_api_server_rejects_is_found(harmful):
    found = found_in(lambda _: [{"kind": "Service", **harmful}])[EVERY_LABEL]
    assert (found.holds, found.found.startswith("found ['Service x: ")) == (False, True), found


def test_labels_that_the_api_server_accepts_are_not_found():
    labels = {"app.kubernetes.io/version": "v1.5.0", "empty": "", "a": "b"}
    good = {"metadata": {"name": "x", "labels": labels}, "spec": {"selector": {"matchLabels": labels, "matchExpressions": []}}}
    assert found_in(lambda _: [{"kind": "Service", **good}])[EVERY_LABEL].holds


def test_the_provider_is_named_if_a_check_fails_with_one_only():
    found = found_in(lambda entry: [{"kind": "Job", "metadata": {"name": "x"}}] if entry.provider == "gke" else [])
    assert found["the chart creates no objects of unknown kinds"].found == "found ['Job'], not [], with provider gke"


def test_kinds_of_gke_are_known_for_its_provider_only():
    def policy(entry):
        return [{"kind": "HealthCheckPolicy", "metadata": {"name": entry.names.release}}]

    found = found_in(policy)["the chart creates no objects of unknown kinds"]
    assert found.found == "found ['HealthCheckPolicy'], not [], with provider istio"
    assert found_in(lambda entry: policy(entry) if entry.provider == "gke" else [])[found.name].holds


@pytest.mark.parametrize(
    ("version", "config", "holds"),
    [
        pytest.param(
            "v1.4.0", {"type": "HTTP", "httpHealthCheck": {"requestPath": "/health", "port": 5000}}, True, id="as we need it"
        ),
        pytest.param(
            "v1.4.0", {"type": "HTTP", "httpHealthCheck": {"requestPath": "/health", "port": 8000}}, False, id="another port"
        ),
        pytest.param("v1.4.0", None, False, id="none, and nobody adds it"),
        pytest.param("v1.5.0", None, True, id="none, and Flux adds it"),
        pytest.param("v1.5.0", {"type": "GRPC"}, False, id="another one, which Flux would merge"),
    ],
)
def test_the_health_check_of_gke_is_that_of_the_model_server(version, config, holds):
    def made(entry):
        target = {"kind": "InferencePool", "name": entry.names.release}
        spec = {"targetRef": target, "default": {"config": config}}
        return [{"kind": "HealthCheckPolicy", "metadata": {"name": entry.names.release}, "spec": spec}]

    found = found_in(made, find_layout("inferencepool", version))
    assert found["GKE: its health check requests /health at the port of the model server"].holds == holds
    assert found["GKE: has a HealthCheckPolicy for the pool"].holds


def test_objects_that_nobody_expects_are_named():
    first, *others = renderings(LAYOUT)
    harmful = {"kind": "DaemonSet", "metadata": {"name": "x", "namespace": "kube-system"}}
    found = {
        check.name: check for check in checks(LAYOUT, {}, [Rendered(first, [harmful]), *(Rendered(o, [harmful]) for o in others)])
    }
    assert "DaemonSet" in found["the chart creates no objects of unknown kinds"].found
    assert "DaemonSet x" in found["every object is in the namespace of the release"].found
    assert found["two releases in a namespace share no object"].found == "both have DaemonSet x"
