"""`workspace-ctrl uninstall-check` where there are many Workspaces."""

import pytest

from tests.unit.cli.api_server import ended

MANY = 1200


@pytest.mark.parametrize("expires", [False, True])
async def test_it_counts_all_workspaces(server, run, expires):
    for number in range(MANY):
        server.put(f"phi-{number}")
    server.rule = lambda query: 410 if expires and query.get("continue") else 0
    result = await ended(run("uninstall-check"))
    assert (result.exit_code, f"{MANY} Workspaces still exist" in result.output) == (1, True)
    assert [query.get("limit") for query in server.lists] == ["500", "500", None if expires else "500"]
