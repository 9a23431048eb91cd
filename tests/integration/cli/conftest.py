"""Commands against an API server with nothing but Workspaces."""

import asyncio

import pytest
import pytest_asyncio
from click.testing import CliRunner

from tests.integration.cli.api_server import serving
from workspace_ctrl.cli.main import main


@pytest_asyncio.fixture(loop_scope="session")
async def served(tmp_path):
    async with serving(tmp_path) as (server, kubeconfig):
        yield server, kubeconfig


@pytest.fixture
def server(served):
    return served[0]


@pytest.fixture
def run(served):
    """Run a command beside the test; the task's result is that of the command."""

    def start(*arguments):
        environment = {"KUBECONFIG": str(served[1]), "COLUMNS": "200"}
        return asyncio.create_task(asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment))

    return start
