"""The table of reasons and the code agree: every reason that the code can write is in the table, and no other."""

import ast
import re
from pathlib import Path

import pytest

from tests.unit.architecture.source_tree import TREES, nodes
from workspace_ctrl.api.conditions import ConditionType
from workspace_ctrl.catalog.conditions_page import conditions_page, reasons_in
from workspace_ctrl.catalog.reasons import find_reason, near_reasons, own_reasons, quoted_reasons
from workspace_ctrl.readiness.hints import remedy

REPOSITORY = Path(__file__).parents[3]
OWN = {reason.name: reason for reason in reasons_in(own_reasons())}
WRITERS = ("readiness/", "planning/", "controller/", "helm/", "hub/", "records/pods.py", "api/conditions.py")
"""Where reasons are written."""
IN_CAMEL_CASE = re.compile(r"[A-Z][a-z]*[A-Za-z]*[a-z][A-Za-z]*|workspace[A-Z][A-Za-z]+|[A-Z]{2,}[A-Z][a-z][A-Za-z]*")
KINDS = ("HTTPRoute", "InferencePool")
EXPANDED = {f"{{}}{end}": {f"{kind}{end}" for kind in KINDS} for end in ("Accepted", "Found", "NotAccepted", "RefsUnresolved")} | {
    "{}NotCreated": {"ModelServerNotCreated"},
    "Pod{}": {"PodFailed"},
}
"""Reasons that the code puts together, as they are in the table; of a pod it is any reason of the kubelet."""
NO_REASONS = """
All Always AlwaysAllow Apply Authorization ChartDriftDetector ClusterRole ClusterRoleBinding ConfigMap ContainerCreating
CrashLoopBackOff Delete Gt Lt
Dependencies Deployment DestinationRule Directory DoesNotExist EndpointPickerRefMissing Equal ErrImageNeverPull ErrImagePull Evicted Exact
Exists FailOpen Failed FallbackToLogsOnError False FetchFailed GCPBackendPolicy Gateway GatewayClass Gi HTTPRoute HealthCheckPolicy Helm
HelmRelease IfNotPresent ImageInspectError ImagePullBackOff In InferenceObjective InferencePool InvalidImageName InvalidKind Link
LoadBalancer Location Memory ModelAddress ModelServer Namespace NetworkPolicy NoSchedule Node None NotIn OCIRepository OOMKilled Parallel
PathPrefix PersistentVolumeClaim Pod PodInitializing PodMonitoring PodProblem PodReadyToStartContainers PodScheduled Programmed
Progressing Range ReadWriteOnce RecordT RegistryUnavailable RegularExpression Released ReplacePrefixMatch ReplicaFailure ResolvedRefs Retain
RetryOnFailure Role RoleBinding RollingUpdate Routing RuntimeDefault Same Secret Selector Service ServiceAccount ServiceMonitor Skip
StageTimer StatefulSet StatusThrottle Succeeded True URLRewrite UninstallFailed Unknown ValueT WorkspaceState Ingress Inputs {}Gi
AverageValue ColdStartTimer RequestHeaderModifier EndpointPickerConfig PartialTriggerError ScaledObject ScheduleAnyway TriggerError Value
"""
OTHER_WORDS = {*ConditionType, *NO_REASONS.split(), "PresetRequest"}
"""Words in camel case of those modules that are no reasons of ours: kinds, values of fields, types, reasons that are compared with."""


def words_of(tree):
    """Yield the strings of a module that are one word in camel case; braces stand for what is put in."""
    parts = {id(part) for node in nodes(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes(tree):
        if id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and IN_CAMEL_CASE.fullmatch(node.value):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if "{}" in text and IN_CAMEL_CASE.fullmatch(text.replace("{}", "")):
                yield text


def written():
    found = {word for path, tree in TREES.items() if path.startswith(WRITERS) for word in words_of(tree)}
    return {reason for word in found for reason in EXPANDED.get(word, {word})}


def test_every_word_of_the_code_is_a_reason_of_the_table_or_known_to_be_none():
    assert sorted(written() - OWN.keys() - OTHER_WORDS) == []


def test_every_reason_of_the_table_is_in_the_code():
    assert sorted(OWN.keys() - written()) == []


def test_a_word_is_not_called_none_and_is_a_reason():
    assert sorted(OTHER_WORDS & OWN.keys()) == sorted({"Ready", "EndpointsReady"})  # conditions, too
    assert len(OWN) == sum(len(group.reasons) for group in own_reasons())


@pytest.mark.parametrize("reason", OWN.values(), ids=OWN)
def test_a_reason_that_is_not_good_has_a_way_out(reason):
    assert reason.types
    assert bool(reason.way_out) != reason.is_good
    assert not re.search(r"\{\w+\}", reason.command_for("ns", "phi", "phi-inferencepool"))


HINTED = {"OCIArtifactPullFailed", "InstallFailed", "UpgradeFailed", "UninstallFailed"}
"""What they come to depends on the message, which has the way out (`readiness/hints.py`)."""


def test_what_others_fail_by_has_a_way_out_although_it_is_quoted():
    assert {reason.name for group in quoted_reasons() for reason in group.reasons if not reason.way_out} == HINTED


def test_the_page_is_current():
    assert (REPOSITORY / "docs/reference/conditions.md").read_text() == conditions_page()


def test_hints_are_read_from_the_table():
    named = [reason for group in quoted_reasons()[:2] for reason in group.reasons if reason.way_out]
    assert len(named) > 5
    assert all(remedy(kind, reason.name, "") == reason.way_out for reason in named for kind in ("OCIRepository", "HelmRelease"))


def test_an_unknown_reason_is_answered_with_the_nearest():
    assert find_reason("NoSuchThing") is None
    assert near_reasons("endpointpickernotfound") == "did you mean EndpointPickerNotFound?"
