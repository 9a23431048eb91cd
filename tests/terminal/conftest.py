"""An API server with nothing but Workspaces."""

import pytest_asyncio

from tests.integration.cli.api_server import serving


@pytest_asyncio.fixture(loop_scope="session")
async def served(tmp_path):
    async with serving(tmp_path) as (server, kubeconfig):
        yield server, kubeconfig
