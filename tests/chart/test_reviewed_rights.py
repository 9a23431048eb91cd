"""No right is added to the chart, and no refusal taken from it, without somebody having read it."""

from tests.chart.helm import GATE, render
from tests.chart.reviewed_rights import FILE, reviewed

READS = {"get", "list", "watch"}


def test_rights_and_refusals_are_the_reviewed_ones():
    renew = "read the difference; if it is right: .venv/bin/python -m tests.chart.reviewed_rights"
    assert FILE.read_text().splitlines() == reviewed().splitlines(), renew


def written(rules):
    return {
        (group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if set(rule["verbs"]) - READS
    }


def test_every_kind_that_can_be_written_is_narrowed_by_a_policy():
    manifests = render({**GATE, "rbac": {"kthena": True, "aggregate": False}, "flux2": {"enabled": False}})
    can = {kind for each in manifests if each["kind"] in {"Role", "ClusterRole"} for kind in written(each["rules"])}
    narrowed = {
        (group, resource)
        for each in manifests
        if each["kind"] == "ValidatingAdmissionPolicy" and "matchConditions" in each["spec"]
        for rule in each["spec"]["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    # Asked for by admission, not by a request of its own.
    assert can - narrowed == {("kaito.sh", "workspaces/finalizers"), ("kaito.sh", "inferencesets/finalizers")}


def test_policies_can_be_switched_off():
    manifests = render({"controllerPolicy": {"enabled": False}, "admissionPolicy": {"enabled": False}})
    assert not [each for each in manifests if each["kind"].startswith("ValidatingAdmissionPolicy")]
