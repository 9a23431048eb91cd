"""Values that are missing, because they were set to null, or because Helm kept those of a version that did not have them."""

from functools import reduce

import pytest
import yaml

from e2e.cluster.chart import SOURCE
from e2e.release import merge
from tests.chart.helm import GATE, find, refusal, render

DEFAULTS = yaml.safe_load((SOURCE / "values.yaml").read_text())
OPTIONAL = {"podSecurityContext", "securityContext"}
"""Without them, the templates have the same."""
READ = {"chartCheck", "endpointPicker", "modelServer", "modelHub", "probe", "bodyBasedRouting"}
"""Empty stanzas that the templates look into."""


def paths(tree, above=()):
    """Yield path and value of all that has a default, stanzas as well as what is in them."""
    for name, value in tree.items():
        if (*above, name) != ("flux2",):  # its values are the subchart's, which has defaults of its own
            yield (*above, name), value
            if isinstance(value, dict) and not name.lower().endswith("resources") and name not in OPTIONAL:
                yield from paths(value, (*above, name))


def is_needed(path, value):
    if path == ("hookResources",):
        return True  # they were new in a stanza of their own, so that nothing else names them
    if path[-1].lower().endswith("resources") or path[0] in OPTIONAL or "labels" in path:
        return False
    if isinstance(value, dict) and value:
        return any(is_needed((*path, name), inner) for name, inner in value.items())
    return path[0] in READ or value not in ("", [], {})


ALL = dict(paths(DEFAULTS))
NEEDED = [path for path, value in ALL.items() if is_needed(path, value)]
STANZAS = [path for path in NEEDED if isinstance(ALL[path], dict)]


def nothing_at(chosen):
    """Return values with null at these paths."""
    return reduce(merge, (reduce(lambda within, name: {name: within}, reversed(path), None) for path in chosen), {})


def missing(values):
    said = refusal(values)
    assert "use --reset-then-reuse-values" in said
    assert "nil pointer" not in said
    return said.partition("These values are missing: ")[2].partition(".\n")[0].split(", ")


def test_stanzas_are_among_what_is_needed():
    assert {("autoscaling",), ("modelIndex",), ("controllerPolicy",), ("metrics", "secure"), ("uninstallCheck",)} < set(STANZAS)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_all_that_is_needed_is_named_before_a_template_fails(depth):
    chosen = [path for path in NEEDED if len(path) == depth]
    assert chosen
    assert missing(nothing_at(chosen)) == [".".join(path) for path in chosen]


@pytest.mark.parametrize("name", ["metricsFrom", "loadFrom", "modelIndexFrom"])
def test_peers_that_are_null_are_told_how_to_admit_everyone(name):
    said = refusal({"networkPolicy": {name: None}, "replicas": None})
    assert [line for line in said.splitlines() if "For everyone" in line] == [f"For everyone, write networkPolicy.{name}: []."]
    assert render({"networkPolicy": {name: []}})


def test_all_else_may_be_missing():
    others = [path for path in ALL if path not in NEEDED]
    assert {("podSecurityContext",), ("modelIndex", "resources"), ("gateway",)} < set(others)
    everything = {
        "flux2": {"enabled": False},
        "ui": {"enabled": True},
        "modelIndex": {"enabled": True},
        "autoscaling": {"enabled": True},
    }
    assert render(merge(GATE | everything, nothing_at(others)))


def test_the_check_comes_before_all_templates_of_the_chart():
    """Helm renders deeper folders first, and within one depth from the end of the alphabet."""
    templates = [path.relative_to(SOURCE) for path in (SOURCE / "templates").rglob("*.yaml")]
    first = max(templates, key=lambda path: (len(path.parts), str(path)))
    assert (SOURCE / first).read_text().rpartition("}}\n")[0].endswith('include "workspace-ctrl.checks" . ')


def test_labels_of_pods_that_the_chart_sets_are_refused():
    names = {f"app.kubernetes.io/{key}": "x" for key in ("instance", "name")}
    said = refusal({"podLabels": names | {"team": "platform"}})
    assert [line for line in said.splitlines() if "which the chart sets itself" in line] == [
        f"podLabels contains {name}, which the chart sets itself: remove it." for name in names
    ]
    assert render({"podLabels": {"team": "platform", "app.kubernetes.io/component": "controller"}})


def test_labels_and_annotations_of_pods_are_checked():
    said = refusal({"podLabels": {"app.kubernetes.io/name": "x"}, "podAnnotations": {"checksum/settings": "x"}})
    assert said.count("which the chart sets itself: remove it.") == 2


@pytest.mark.parametrize(
    ("value", "kind", "ending"),
    [("serviceMonitor", "ServiceMonitor", ""), ("prometheusRule", "PrometheusRule", ""), ("dashboard", "ConfigMap", "-dashboard")],
)
def test_labels_of_what_is_monitored_go_over_those_of_the_chart(value, kind, ending):
    given = {"app.kubernetes.io/instance": "kube-prometheus", "team": "platform"}
    labels = find(render({"metrics": {value: {"enabled": True, "labels": given}}}), kind, ending)["metadata"]["labels"]
    assert labels.items() >= given.items()
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
    assert labels["app.kubernetes.io/name"] == "workspace-ctrl"
