"""Which alerts of a release are active, by their expressions on what real processes export."""

import json
import re
import time

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from e2e.cluster.chart import SOURCE, chart
from e2e.policies import read_documents
from tests.chart.helm import NAMESPACE, find, helm, render
from tests.chart.promql import Series, evaluate, scraped, selectors
from tests.unit.factories import quickstart, workspace
from workspace_ctrl.api.conditions import Condition, ConditionType, Status
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.catalog.reasons import find_reason
from workspace_ctrl.kube.queue import WorkQueue
from workspace_ctrl.telemetry.metrics import NO_STATUS, Metrics
from workspace_ctrl.telemetry.observer_interface import Result, StatusChange

RULES = {"metrics": {"prometheusRule": {"enabled": True}}}
MINUTES = re.compile(r"[Ff]or (\d+) minutes")
COMMAND = re.compile(r"`((?:kubectl|workspace-ctrl) [^`]+)`")
GATE_OFF = (ConditionType.READY, ConditionType.INFERENCE_READY)
GATE_ON = (*GATE_OFF, ConditionType.GATEWAY_READY)


class Replica:
    """A process, as far as it is measured."""

    def __init__(self, *, leads=True, companion=False):
        self.registry, self.cache, self.queue = CollectorRegistry(), Cache(companion=companion), WorkQueue()
        self.metrics = Metrics(self.registry)
        if leads:
            self.metrics.started(self.queue, self.cache)

    def put(self, store, name, status):
        raw = quickstart(metadata={"name": name, "namespace": "default", "uid": name})
        if status is not None:
            raw["status"] = json.loads(json.dumps(status.as_object()))
        store.put(("default", name), workspace(raw), 1)

    def workspaces(self, *statuses):
        for number, status in enumerate(statuses):
            self.put(self.cache.workspaces, f"w{number}", status)

    def inference_sets(self, *statuses):
        for number, status in enumerate(statuses):
            self.put(self.cache.inference_sets, f"s{number}", status)

    def passes(self, result, count):
        for _ in range(count):
            self.metrics.pass_ended(result, 0.1)

    def flaps(self, count):
        old, new = ready(), failing("ProbeFailed")
        for _ in range(count):
            self.metrics.status_written(
                StatusChange(workspace(quickstart(status=json.loads(json.dumps(old.as_object())))), new, 1.0)
            )

    def text(self):
        return generate_latest(self.registry).decode()


def ready(types=GATE_ON):
    return WorkspaceStatus(
        observed_generation=1, conditions=tuple(Condition(type_, Status.TRUE, "R", "m", 1, "t") for type_ in types)
    )


def failing(reason, types=GATE_ON):
    conditions = tuple(Condition(type_, Status.FALSE, reason, "m", 1, "t") for type_ in types)
    return WorkspaceStatus(observed_generation=1, conditions=conditions)


class Release:
    """A release of the chart: its rules, and the labels by which Prometheus knows its pods."""

    def __init__(self, name="workspace-ctrl", namespace=NAMESPACE, values=None):
        result = helm("template", name, str(chart()), "--namespace", namespace, values={**RULES, **(values or {})})
        assert not result.returncode, result.stderr
        manifests = read_documents(result.stdout)
        (self.group,) = find(manifests, "PrometheusRule")["spec"]["groups"]
        service = find(manifests, "Service", "-metrics")["metadata"]
        # A ServiceMonitor without jobLabel gives a target the name of its Service.
        self.labels = {"job": service["name"], "namespace": service["namespace"], "service": service["name"], "endpoint": "metrics"}
        self.replicas = [Replica()]

    def scrape(self):
        """The text of each pod, by the labels of the target."""
        pods = enumerate(self.replicas)
        return {frozenset({**self.labels, "pod": f"{self.labels['job']}-{number}"}.items()): each.text() for number, each in pods}

    def active(self, series):
        """The alerts that are active, once they have been so for the time that they wait."""
        return {rule["alert"] for rule in self.group["rules"] if evaluate(rule["expr"], series)}


@pytest.fixture(scope="module")
def release():
    """Returns the release of the documents, with a replica of its own for each test."""
    made = Release()

    def fresh():
        made.replicas = [Replica()]
        return made

    return fresh


def active_after(release, change):
    """The active alerts after `change` of a release that was well."""
    first = scraped(release.scrape())
    change(release.replicas[0])
    return release.active(Series(first, scraped(release.scrape())))


SITUATIONS = [
    pytest.param(lambda replica: replica.workspaces(), set(), id="nothing to serve"),
    pytest.param(lambda replica: (replica.workspaces(ready()), replica.inference_sets(ready())), set(), id="all well"),
    pytest.param(
        lambda replica: (replica.workspaces(ready(GATE_OFF)), replica.inference_sets(ready(GATE_OFF))), set(), id="well, gate off"
    ),
    pytest.param(lambda replica: replica.workspaces(ready(), failing("ProbeFailed")), {"WorkspacesNotReady"}, id="Workspace"),
    pytest.param(
        lambda replica: replica.workspaces(failing("ContainerCrashLoopBackOff", GATE_OFF)), {"WorkspacesNotReady"}, id="gate off"
    ),
    pytest.param(lambda replica: replica.inference_sets(failing("ProbeFailed")), {"InferenceSetsNotReady"}, id="InferenceSet"),
    pytest.param(
        lambda replica: replica.inference_sets(failing("ImagePullError", GATE_OFF)),
        {"InferenceSetsNotReady"},
        id="InferenceSet, gate off",
    ),
    pytest.param(
        lambda replica: replica.workspaces(failing("EndpointPickerScaledToZero")),
        {"WorkspacesNotReady"},
        id="a reason that ends alike",
    ),
    pytest.param(
        lambda replica: (replica.workspaces(failing("ScaledToZero")), replica.inference_sets(failing("ScaledToZero"))),
        set(),
        id="no copies wanted",
    ),
    pytest.param(lambda replica: replica.workspaces(failing("Deleting")), {"WorkspaceDeletionHangs"}, id="being deleted"),
    pytest.param(
        lambda replica: replica.inference_sets(failing("NamespaceTerminating")), {"WorkspaceDeletionHangs"}, id="namespace deleted"
    ),
    pytest.param(lambda replica: replica.workspaces(None), {"WorkspaceStatusNotWritten"}, id="no status"),
    pytest.param(lambda replica: replica.inference_sets(None), {"WorkspaceStatusNotWritten"}, id="no status of a set"),
    pytest.param(lambda replica: replica.metrics.stopped(), {"WorkspaceControllerAbsent"}, id="no leader"),
    pytest.param(lambda replica: replica.metrics.follow_held(lambda: 0.0), set(), id="no requests held"),
    pytest.param(lambda replica: replica.metrics.follow_held(lambda: 3.0), {"RequestsHeldForLong"}, id="requests held"),
    pytest.param(lambda replica: replica.flaps(10), set(), id="some flaps"),
    pytest.param(lambda replica: replica.flaps(11), {"ModelReachabilityFlaps"}, id="many flaps"),
    pytest.param(
        lambda replica: replica.queue._others.add("key", time.monotonic() - 60), {"WorkspaceControllerBehind"}, id="a long queue"
    ),
    pytest.param(lambda replica: replica.passes(Result.PANIC, 1), {"WorkspaceControllerDefect"}, id="a defect"),
    pytest.param(lambda replica: replica.passes(Result.ERROR, 10), set(), id="some errors"),
    pytest.param(lambda replica: replica.passes(Result.ERROR, 200), {"WorkspaceControllerErrors"}, id="errors"),
    pytest.param(lambda replica: replica.passes(Result.SUCCESS, 1000), set(), id="work"),
]


@pytest.mark.parametrize(("change", "expected"), SITUATIONS)
async def test_an_alert_is_active_where_something_is_wrong_and_only_there(release, change, expected):
    assert active_after(release(), change) == expected


def test_every_alert_is_active_in_a_situation(release):
    expected = [situation.values[1] for situation in SITUATIONS]
    assert set().union(*expected) == {rule["alert"] for rule in release().group["rules"]}


async def test_beside_kaito_what_has_no_gateway_side_is_not_ours_to_report():
    companion = Release(values={"mode": "companion", "featureGates": {"gatewayAPIInferenceExtension": True}})
    companion.replicas = [Replica(companion=True)]
    assert active_after(companion, lambda replica: replica.workspaces(None)) == set()
    assert active_after(companion, lambda replica: replica.workspaces(failing("ProbeFailed"))) == {"WorkspacesNotReady"}


async def test_a_standby_is_no_leader_and_does_not_hide_one_that_is_missing(release):
    made = release()
    made.replicas.append(Replica(leads=False))
    series = scraped(made.scrape())
    assert made.active(Series(series, series)) == set()
    assert active_after(made, lambda replica: replica.metrics.stopped()) == {"WorkspaceControllerAbsent"}


async def test_requests_that_one_replica_of_two_was_told_of_are_held(release):
    made = release()
    made.replicas.append(Replica(leads=False))
    for replica, held in zip(made.replicas, (0.0, 5.0), strict=True):
        replica.metrics.follow_held(lambda held=held: held)
    series = scraped(made.scrape())
    assert made.active(Series(series, series)) == {"RequestsHeldForLong"}


async def test_what_both_replicas_were_told_of_is_shown_once(release):
    made = release()
    made.replicas.append(Replica(leads=False))
    for replica in made.replicas:
        replica.metrics.follow_held(lambda: 5.0)
    board = json.loads((SOURCE / "files" / "dashboard.json").read_text())
    (query,) = [
        target["expr"]
        for panel in board["panels"]
        for target in panel["targets"]
        if "workspace_ctrl_held_requests" in target["expr"]
    ]
    inner = query.removeprefix("sum(").removesuffix(")").replace("$namespace", ".*").replace("$job", ".*")
    series = scraped(made.scrape())
    assert query.startswith("sum(")
    assert list(evaluate(inner, Series(series, series)).values()) == [5.0]


SHARDS = [
    pytest.param(("shard-a", "one"), ("shard-b", "one"), id="names"),
    pytest.param(("workspace-ctrl", "one"), ("workspace-ctrl", "two"), id="namespaces"),
]


@pytest.mark.parametrize(("first", "second"), SHARDS)
async def test_the_alerts_of_a_release_are_about_that_release(first, second):
    one, other = Release(*first), Release(*second)
    before = scraped({**one.scrape(), **other.scrape()})
    other.replicas[0].workspaces(failing("ProbeFailed"))
    other.replicas[0].passes(Result.PANIC, 1)
    one.replicas = []  # none of its pods runs
    series = Series(before, scraped({**one.scrape(), **other.scrape()}))
    assert one.active(series) == {"WorkspaceControllerAbsent"}
    assert other.active(series) == {"WorkspacesNotReady", "WorkspaceControllerDefect"}
    assert one.group["name"] != other.group["name"]


async def test_alerts_of_releases_differ_in_their_labels(release):
    """The Alertmanager takes alerts with the same labels for one."""
    made = release()
    first = scraped(made.scrape())
    replica = made.replicas[0]
    replica.workspaces(failing("ProbeFailed"), failing("Deleting"), None)
    replica.inference_sets(failing("ProbeFailed"))
    replica.metrics.follow_held(lambda: 1.0)
    replica.flaps(20)
    replica.passes(Result.PANIC, 1)
    replica.passes(Result.ERROR, 1000)
    replica.queue._others.add("key", time.monotonic() - 60)
    series = Series(first, scraped(made.scrape()))
    labels = {"job": "workspace-ctrl-metrics", "namespace": NAMESPACE}
    found = {rule["alert"]: [dict(each) for each in evaluate(rule["expr"], series)] for rule in made.group["rules"]}
    assert found.pop("WorkspaceControllerAbsent") == []
    assert found == {alert: [labels] for alert in found}
    absent = made.group["rules"][0]["expr"]
    assert [dict(each) for each in evaluate(absent, Series({}, {}))] == [labels]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, {"job": "workspace-ctrl-metrics", "namespace": NAMESPACE}, id="those of the ServiceMonitor"),
        pytest.param({"job": 'team/"a"\\b'}, {"job": r"team/\"a\"\\b"}, id="of one's own, quoted as PromQL has it"),
    ],
)
def test_every_selector_names_the_release(given, expected):
    manifests = render({"metrics": {"prometheusRule": {"enabled": True, "matchLabels": given}}})
    for rule in find(manifests, "PrometheusRule")["spec"]["groups"][0]["rules"]:
        for selector in selectors(rule["expr"]):
            named = {
                label: value for label, operator, value in selector.matchers if operator == "=" and label in {"job", "namespace"}
            }
            assert named == expected


def test_an_alert_waits_for_as_long_as_it_says(release):
    """A pod that has just started has no past; an expression without a window is active with its first sample."""
    for rule in release().group["rules"]:
        words = " ".join(rule["annotations"].values())
        assert [f"{minutes}m" for minutes in MINUTES.findall(words)] in ([], [rule.get("for")])
        assert ("For an hour" in words) <= (rule.get("for") == "1h")
        assert "over_time" not in rule["expr"]
        assert "for" in rule or all(selector.seconds for selector in selectors(rule["expr"]))


def test_events_are_looked_for_in_all_namespaces(release):
    words = [word for rule in release().group["rules"] for word in COMMAND.findall(rule["annotations"]["description"])]
    assert words
    assert [word for word in words if not {"-A", "--all-namespaces"} & set(word.split())] == []


def test_the_file_is_that_of_the_release_of_the_documents(release):
    assert yaml.safe_load((SOURCE / "files" / "alerts.yaml").read_text())["groups"][0]["rules"] == release().group["rules"]


def test_reasons_that_are_no_fault_exist(release):
    for rule in release().group["rules"]:
        for selector in selectors(rule["expr"]):
            named = {each for label, _, value in selector.matchers if label == "reason" for each in value.split("|")}
            assert all(each == NO_STATUS or find_reason(each) for each in named)


@pytest.mark.parametrize("value", ["a #b", "a: b", 'a "b"', "a\\b", "serviceMonitor/ns/x/0"])
def test_labels_of_series_may_have_any_value(value):
    manifests = render({"metrics": {"prometheusRule": {"enabled": True, "matchLabels": {"job": value}}}})
    plain = yaml.safe_load((SOURCE / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert [rule["expr"] for rule in find(manifests, "PrometheusRule")["spec"]["groups"][0]["rules"]] == [
        rule["expr"].replace('job="workspace-ctrl-metrics",namespace="workspace-ctrl"', f"job={json.dumps(value)}")
        for rule in plain
    ]
