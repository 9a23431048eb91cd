"""What `workspace-ctrl status` prints of objects that others have made."""

import json
from functools import reduce

import pytest

from workspace_ctrl.cli.output import to_yaml
from workspace_ctrl.cli.status_view import shallow

DEEP = reduce(lambda inside, _: {"a": inside}, range(1000), {})
"""As deep as a response of the API server may be."""
VALID = {"kind": "Workspace", "metadata": {"name": "x", "namespace": "ns"}, "status": {"conditions": []}}


@pytest.mark.parametrize("write", [json.dumps, to_yaml])
def test_one_workspace_that_is_too_deep_does_not_break_the_list_of_all(write):
    hostile = {**VALID, "inference": {"template": DEEP}, "metadata": {**VALID["metadata"], "managedFields": [DEEP]}}
    assert write({"items": [shallow(hostile)]}) == write({"items": [VALID]})


def test_a_valid_workspace_is_shown_as_it_is():
    assert shallow(VALID) is VALID
