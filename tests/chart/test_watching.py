"""Alerts, dashboard and documentation name what the process exports: its metrics, their labels, and values that these can have."""

import json
import re
from collections import defaultdict

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from e2e.cluster.chart import SOURCE
from e2e.cluster.places import REPOSITORY
from tests.unit.factories import quickstart, workspace
from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.telemetry.metrics import Metrics
from workspace_ctrl.telemetry.observer_interface import Drop, Result, StatusChange

NAME = re.compile(r"\bworkspace_ctrl_[a-z_]+")
SELECTION = re.compile(rf"({NAME.pattern})(?:\{{([^}}]*)\}})?")
MATCHER = re.compile(r'([a-z_]+)(?:=|!=)"([^"]*)"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")
LEGEND = re.compile(r"\{\{([a-z_]+)\}\}")
OF_TARGETS = {"namespace", "job"}
"""Labels that Prometheus gives each series of a target."""
CAUSES = ("ended", "broken", "expired", "missing")
"""Why a watch is started again, in the informer's words."""


def status_of(state):
    return WorkspaceStatus(
        observed_generation=1, conditions=tuple(Condition(each, state, "R", "m", 1, "t") for each in ConditionType)
    )


@pytest.fixture
async def exported():
    """What a process exports that has seen everything: type of each metric, and of each sample its labels with their values."""
    registry, cache = CollectorRegistry(), Cache()
    metrics = Metrics(registry)
    metrics.follow_held(lambda: 0.0)
    metrics.index_changed({})
    metrics.started(WorkQueue(), cache)
    for number, state in enumerate(Status):
        raw = quickstart(metadata={"name": state.lower(), "namespace": "default", "uid": state})
        raw["status"] = json.loads(json.dumps(status_of(state).as_object()))
        for store in (cache.workspaces, cache.inference_sets):
            store.put(("default", state.lower()), workspace(raw), number + 1)
    cache.workspaces.put(("default", "new"), workspace(quickstart(metadata={"name": "new", "namespace": "default", "uid": "n"})), 9)
    cache.inference_sets.put(
        ("default", "new"), workspace(quickstart(metadata={"name": "new", "namespace": "default", "uid": "n"})), 9
    )
    metrics.status_written(StatusChange(workspace(), status_of(Status.TRUE), 1.0))
    metrics.requested("patch", "services", 200)
    for cause in CAUSES:
        metrics.watch_restarted("pods", cause)
    for drop in Drop:
        metrics.event_dropped(drop)
    for result in Result:
        metrics.pass_ended(result, 0.1)
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    samples = defaultdict(lambda: defaultdict(set))
    for sample in (sample for family in families for sample in family.samples):
        values = samples[sample.name]
        for label, value in sample.labels.items():
            values[label].add(value)
    return {family.name: family.type for family in families}, samples


def alerts():
    rules = yaml.safe_load((SOURCE / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
    return [pytest.param(rule["expr"], "", id=rule["alert"]) for rule in rules]


def panels():
    board = json.loads((SOURCE / "files" / "dashboard.json").read_text())
    targets = ((panel["title"], target) for panel in board["panels"] for target in panel["targets"])
    return [pytest.param(target["expr"], target["legendFormat"], id=title) for title, target in targets]


@pytest.mark.parametrize(("expression", "legend"), [*alerts(), *panels()])
def test_an_expression_finds_metrics_labels_and_values_that_there_are(expression, legend, exported):
    _, samples = exported
    selections = SELECTION.findall(expression)
    assert selections
    for name, matchers in selections:
        assert name in samples
        for label, value in ((label, value) for label, value in MATCHER.findall(matchers) if label not in OF_TARGETS):
            assert value in samples[name][label], f"{name} never has {label}={value}"
    grouped = {label for group in GROUPING.findall(expression) for label in group.split(", ")} - OF_TARGETS
    assert all(grouped <= set(samples[name]) for name, _ in selections)
    assert set(LEGEND.findall(legend)) <= grouped


def test_every_query_of_the_dashboard_is_about_the_releases_that_are_chosen():
    board = json.loads((SOURCE / "files" / "dashboard.json").read_text())
    chosen = {variable["name"] for variable in board["templating"]["list"]} - {"datasource"}
    assert chosen == OF_TARGETS
    for panel in board["panels"]:
        for expression in (target["expr"] for target in panel["targets"]):
            selections = SELECTION.findall(expression)
            assert all(matchers.startswith('namespace=~"$namespace",job=~"$job"') for _, matchers in selections), expression
            assert re.match(r"sum|max|histogram_quantile", expression), "several releases would be lines of one name"


def test_the_variables_of_the_dashboard_read_what_every_process_exports(exported):
    types, _ = exported
    board = json.loads((SOURCE / "files" / "dashboard.json").read_text())
    queries = [variable["definition"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    assert all(NAME.findall(query) == ["workspace_ctrl_reconcile_total"] for query in queries)
    assert "workspace_ctrl_reconcile" in types


def documented():
    """Type and labels of each metric in the table of docs/metrics.md."""
    text = (REPOSITORY / "docs" / "metrics.md").read_text().partition("## Alerts")[0]
    rows = re.findall(r"^\| `(\w+)(?:\{([a-z,]*)\})?` \| (\w+) \|", text, re.MULTILINE)
    return {name: (kind, {label for label in labels.split(",") if label}) for name, labels, kind in rows}


def test_the_documentation_lists_exactly_what_is_exported(exported):
    types, samples = exported
    suffixes = {"counter": "_total", "histogram": "_bucket", "gauge": ""}
    found = {}
    for family, kind in types.items():
        labels = set(samples[family + suffixes[kind]]) - {"le"}
        found[family + ("_total" if kind == "counter" else "")] = (kind, labels)
    assert documented() == found


def test_beside_these_there_are_only_those_of_the_python_client():
    text = (REPOSITORY / "docs" / "metrics.md").read_text()
    prefixes = ("process_", "python_")
    assert all(f"`{prefix}*`" in text for prefix in prefixes)
    others = [name for name in (family.name for family in REGISTRY.collect()) if not name.startswith("workspace_ctrl_")]
    assert others
    assert [name for name in others if not name.startswith(prefixes)] == []


def test_alerts_in_the_documentation_are_those_of_the_chart():
    text = (REPOSITORY / "docs" / "metrics.md").read_text()
    shown = yaml.safe_load("- alert:" + text.partition("```yaml\n- alert:")[2].partition("```")[0])
    rules = {rule["alert"]: rule for rule in yaml.safe_load((SOURCE / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]}
    assert shown
    for alert in shown:
        assert alert.items() <= rules[alert["alert"]].items()


def test_the_documentation_lists_all_alerts_with_their_time():
    text = (REPOSITORY / "docs" / "metrics.md").read_text().partition("## Alerts")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w*) \|", text, re.MULTILINE))
    rules = yaml.safe_load((SOURCE / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert rows == {rule["alert"]: rule.get("for", "") for rule in rules}


def test_what_alerts_advise_to_look_at_is_exported(exported):
    _, samples = exported
    assert set(NAME.findall((SOURCE / "files" / "alerts.yaml").read_text())) <= set(samples)


def test_every_metric_is_on_the_dashboard(exported):
    types, _ = exported
    named = NAME.findall((SOURCE / "files" / "dashboard.json").read_text())
    shown = {name.removesuffix("_bucket").removesuffix("_total") for name in named}
    assert set(types) <= shown
