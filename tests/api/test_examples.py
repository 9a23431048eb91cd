"""The examples are what a real API server takes, without an unknown field."""

import pytest

from tests.unit.cli.test_examples import EXAMPLES, STORIES


@pytest.mark.parametrize("story", STORIES)
def test_every_manifest_passes_strict_validation(installed, plane_namespace, story):
    answer = installed.kubectl(
        "apply", "-n", plane_namespace, "--dry-run=server", "--validate=strict", "-f", str(EXAMPLES / story), actor="user"
    )
    lines = answer.splitlines()
    assert len(lines) >= 1
    assert all(line.endswith("(server dry run)") for line in lines)
    assert any(line.startswith(("workspace.kaito.sh/", "inferenceset.kaito.sh/")) for line in lines)
