"""What `workspace-ctrl status` prints of objects that others have made."""

import json
from functools import reduce
from io import StringIO

import pytest
from rich.console import Console

from workspace_ctrl.cli.output import to_yaml
from workspace_ctrl.cli.status_view import chain_view, is_ready, list_view, shallow

DEEP = reduce(lambda inside, _: {"a": inside}, range(1000), {})
"""As deep as a response of the API server may be."""
VALID = {"kind": "Workspace", "metadata": {"name": "x", "namespace": "ns"}, "status": {"conditions": []}}


@pytest.mark.parametrize("write", [json.dumps, to_yaml])
def test_one_workspace_that_is_too_deep_does_not_break_the_list_of_all(write):
    hostile = {**VALID, "inference": {"template": DEEP}, "metadata": {**VALID["metadata"], "managedFields": [DEEP]}}
    assert write({"items": [shallow(hostile)]}) == write({"items": [VALID]})


def test_a_valid_workspace_is_shown_as_it_is():
    assert shallow(VALID) is VALID


FINALIZERS = {"deletionTimestamp": "2026-11-27T18:00:00Z", "finalizers": ["workspace-ctrl/gateway"], "generation": 1}


def going(reason, status):
    told = [{"type": "Ready", "status": status, "reason": reason, "message": "x", "observedGeneration": 1}]
    return {**VALID, "metadata": {**VALID["metadata"], **FINALIZERS}, "status": {"observedGeneration": 1, "conditions": told}}


def printed(view):
    console = Console(width=300, file=StringIO())
    console.print(view)
    return console.file.getvalue()


def test_a_workspace_that_is_being_deleted_is_not_ready_whatever_its_status_says():
    left = going("Ready", "True")
    assert not is_ready(left)
    text = printed(chain_view(left))
    assert "being deleted since 2026-11-27T18:00:00Z, waiting for workspace-ctrl/gateway" in text
    assert "no controller acts on it" in text
    assert printed(list_view([left])).split()[-3:] == ["x", "False", "Deleting"]


def test_a_deletion_that_the_controller_has_seen_is_its_business():
    text = printed(chain_view(going("Deleting", "False")))
    assert "waiting for workspace-ctrl/gateway" in text
    assert "no controller acts" not in text


def test_warnings_follow_the_chain():
    def condition(type_, message):
        return {"type": type_, "status": "True", "reason": "R", "message": message, "observedGeneration": 1}

    conditions = [condition("Warning", "annotation x is ignored"), condition("WorkloadAccepted", "accepted")]
    shown = {
        **VALID,
        "metadata": {**VALID["metadata"], "generation": 1},
        "status": {"observedGeneration": 1, "conditions": conditions},
    }
    _, accepted, warning = printed(chain_view(shown)).splitlines()
    assert accepted.split() == ["✔", "WorkloadAccepted", "accepted"]
    assert warning.split() == ["!", "Warning", "annotation", "x", "is", "ignored"]
