"""A client of the control plane, under a name of its own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from e2e.cluster import Cluster
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection, open_connection


@pytest_asyncio.fixture(loop_scope="session")
async def connection(plane: Cluster) -> AsyncIterator[Connection]:
    """A connection to the control plane."""
    opened = open_connection(load_access(plane.kubeconfig, None))
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def client(connection: Connection) -> Client:
    """A client with the field manager `tester`."""
    return Client(connection, "tester")
