"""The page of a cluster that has nothing but Workspaces."""

import pytest_asyncio

from tests.integration.cli.page.running_page import running
from workspace_ctrl.cli.page.followed_kinds import PageScope


@pytest_asyncio.fixture(loop_scope="session")
async def page(served):
    async with running(served[1], PageScope()) as found:
        yield found
