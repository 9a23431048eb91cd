"""The API server accepts every status that is built, whatever it replaces: an apply also removes the fields of the one before."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from e2e import workspaces
from tests.unit.factories import NOW, decisions, status, workspace
from tests.unit.readiness.any_status import FULL, any_status
from tests.unit.readiness.test_status_schema import NOTHING_KNOWN
from workspace_ctrl.api.status import WorkspaceStatus, parse_status
from workspace_ctrl.cache.watches import WORKSPACE

WHOLE = status(workspace(), FULL, decisions(), NOW)


async def write(client, namespace, wanted: WorkspaceStatus):
    """Write a status as the controller does; return what the API server has then."""
    metadata = {"name": "phi", "namespace": namespace}
    manifest = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": metadata, "status": wanted.as_object()}
    answer = await client.apply(WORKSPACE, manifest, force=True, subresource="status")
    return parse_status(answer["status"])


@pytest.fixture
def stored(installed, plane_namespace):
    """The namespace of a Workspace."""
    workspaces.apply(installed, plane_namespace, workspaces.workspace("phi"))
    return plane_namespace


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_status(), min_size=2, max_size=4))
@example([WHOLE, NOTHING_KNOWN, WHOLE])
async def test_the_api_server_accepts_every_status_after_any_other(client, stored, found):
    for wanted in found:
        assert await write(client, stored, wanted) == wanted
