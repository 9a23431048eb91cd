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
    }


def test_objects_that_nobody_expects_are_named():
    first, *others = renderings(LAYOUT)
    harmful = {"kind": "DaemonSet", "metadata": {"name": "x", "namespace": "kube-system"}}
    found = {
        check.name: check for check in checks(LAYOUT, {}, [Rendered(first, [harmful]), *(Rendered(o, [harmful]) for o in others)])
    }
    assert "DaemonSet" in found["the chart creates no objects of unknown kinds"].found
    assert "DaemonSet x" in found["every object is in the namespace of the release"].found
    assert found["two releases in a namespace share no object"].found == "both have DaemonSet x"
