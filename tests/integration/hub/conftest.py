"""A hub, and a client of it."""

import pytest

from tests.integration.hub_server import Hub
from workspace_ctrl.hub.hub_client import HubClient


@pytest.fixture
async def hub():
    async with Hub().served() as running:
        yield running


@pytest.fixture
async def client(hub):
    made = HubClient(hub.settings)
    yield made
    await made.close()
